package mcp

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// openGrace bounds how long a way in is waited for: some servers send the
// headers of an event stream only with its first event.
const openGrace = time.Second

// A wayIn is how the messages of a legacy server that belong to no request come
// in: over HTTP a stream that is opened for it, elsewhere the one that is there.
type wayIn struct {
	session *Session
	// gap and lost are those of [Session.Listen].
	gap, lost func()
	cancel    context.CancelFunc
	// settled is closed when the way is open for the first time, or known not to be
	// there.
	settled chan struct{}
	// none: the way is not there, or not any more.
	none atomic.Bool
	// running counts the goroutine.
	running sync.WaitGroup
	// waited is whether the way has been waited for in vain.
	waited bool
}

// openWay opens the way in, which lasts until it is closed or the session ends.
func (s *Session) openWay(gap, lost func()) *wayIn {
	ctx, cancel := context.WithCancel(context.Background())
	w := &wayIn{session: s, gap: gap, lost: lost, cancel: cancel, settled: make(chan struct{})}
	if s.stream() {
		close(w.settled)
	}
	w.running.Add(1)
	if !s.spawn(func() { w.run(ctx) }) {
		cancel()
		w.none.Store(true)
		w.running.Done()
		lost()
	}
	return w
}

// run listens. A session that has no way, or not any more, may last.
func (w *wayIn) run(ctx context.Context) {
	defer w.running.Done()
	defer w.cancel()
	if !w.session.stream() {
		w.listen(ctx)
	}
	select {
	case <-w.session.Done():
		if ctx.Err() == nil {
			w.lost()
		}
	case <-ctx.Done():
	}
}

func (w *wayIn) listen(ctx context.Context) {
	wasOpen := false
	err := w.session.tr.Listen(ctx, func(resumed bool) {
		switch {
		case !wasOpen:
			wasOpen = true
			close(w.settled)
		case !resumed:
			w.gap()
		}
	})
	w.none.Store(true)
	if !wasOpen {
		close(w.settled)
	}
	if ctx.Err() != nil || !w.session.alive() {
		return
	}
	w.session.opts.Logger.Debug("the server has no stream for what belongs to no request", "error", err)
	if wasOpen {
		w.gap()
	}
}

// wait waits until the way is open, or known not to be there. It gives up
// waiting after a while, for good, since the way may be there without a sign. It
// is not called concurrently.
func (w *wayIn) wait(ctx context.Context) error {
	if w.waited || w.missing() {
		return nil
	}
	select {
	case <-w.settled:
		return nil
	default:
	}
	grace := time.NewTimer(openGrace)
	defer grace.Stop()
	select {
	case <-w.settled:
	case <-grace.C:
		w.waited = true
	case <-ctx.Done():
		return canceled(ctx)
	}
	return nil
}

// missing reports whether the server has no such way, or not any more.
func (w *wayIn) missing() bool { return w.none.Load() }

func (w *wayIn) close() {
	w.cancel()
	w.running.Wait()
}
