package mcp

import (
	"context"
	"time"
)

// openGrace bounds how long a way in is waited for: some servers send the
// headers of an event stream only with its first event.
const openGrace = time.Second

// A wayIn is how the messages of a legacy server that belong to no request come
// in: over HTTP a stream that is opened for it, elsewhere the one that is there.
type wayIn struct {
	cancel context.CancelFunc
	// opened is closed when the way is open for the first time, done when it is
	// over.
	opened, done chan struct{}
	// waited is whether the way has been waited for in vain.
	waited bool
}

// openWay opens the way in, which runs until it is closed or the session ends.
func (s *Session) openWay(gap func()) *wayIn {
	ctx, cancel := context.WithCancel(context.Background())
	w := &wayIn{cancel: cancel, opened: make(chan struct{}), done: make(chan struct{})}
	if s.stream() {
		close(w.opened)
		context.AfterFunc(ctx, func() { close(w.done) })
		return w
	}
	if !s.spawn(func() { w.run(ctx, s, gap) }) {
		cancel()
		close(w.done)
	}
	return w
}

func (w *wayIn) run(ctx context.Context, s *Session, gap func()) {
	defer close(w.done)
	defer w.cancel()
	wasOpen := false
	err := s.tr.Listen(ctx, func(resumed bool) {
		switch {
		case !wasOpen:
			wasOpen = true
			close(w.opened)
		case !resumed:
			gap()
		}
	})
	if ctx.Err() != nil || !s.alive() {
		return
	}
	s.opts.Logger.Debug("the server has no stream for what belongs to no request", "error", err)
	if wasOpen {
		gap()
	}
}

// wait waits until the way is open, or known not to be there. It gives up
// waiting after a while, for good, since the way may be there without a sign. It
// is not called concurrently.
func (w *wayIn) wait(ctx context.Context) error {
	if w.waited {
		return nil
	}
	grace := time.NewTimer(openGrace)
	defer grace.Stop()
	select {
	case <-w.opened:
	case <-w.done:
	case <-grace.C:
		w.waited = true
	case <-ctx.Done():
		return canceled(ctx)
	}
	return nil
}

// missing reports whether the server has no such way, or not any more.
func (w *wayIn) missing() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

func (w *wayIn) close() {
	w.cancel()
	<-w.done
}
