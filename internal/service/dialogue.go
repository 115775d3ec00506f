package service

import (
	"context"
	"sync"
)

// dialogues counts the calls in flight whose callers answer questions. It may be
// used concurrently.
type dialogues struct {
	mu   sync.Mutex // guards what follows
	open int
	// over is closed with the last one; nil: nobody waits for that.
	over chan struct{}
}

// begin counts a call, until end is called.
func (d *dialogues) begin() (end func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open++
	return d.end
}

func (d *dialogues) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open--; d.open == 0 && d.over != nil {
		close(d.over)
		d.over = nil
	}
}

// wait waits until there is none, or ctx ends.
func (d *dialogues) wait(ctx context.Context) {
	d.mu.Lock()
	if d.open > 0 && d.over == nil {
		d.over = make(chan struct{})
	}
	over := d.over
	d.mu.Unlock()
	if over == nil {
		return
	}
	select {
	case <-over:
	case <-ctx.Done():
	}
}

// AwaitAnswers waits until no call in flight needs an answer of its caller any
// more, or ctx ends. It is for a bridge that drains: answers come as new calls, so
// until then it has to let them in.
func (s *Service) AwaitAnswers(ctx context.Context) { s.dialogues.wait(ctx) }
