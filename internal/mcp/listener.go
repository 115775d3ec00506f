package mcp

import (
	"context"
	"errors"
	"sync"

	"github.com/mcpbridge/mcpbridge/internal/transport"
)

var errListenerClosed = errors.New("the listener is closed")

// A Listener keeps a session listening for what its server tells of its own
// accord. What comes goes to the Notify of the session's profile. Its methods
// may be called concurrently. Whoever asked for it closes it.
//
// It holds a goroutine from the first Set on, and another where a modern server
// keeps a subscription open.
type Listener struct {
	how listening
	// turn holds one value for whoever may use how.
	turn chan struct{}

	mu sync.Mutex // guards what follows
	// abort ends a Set that is under way, nil while there is none.
	abort context.CancelCauseFunc
	over  bool
}

// listening is how the sessions of an era listen. Its methods are not called
// concurrently.
type listening interface {
	set(ctx context.Context, want Filter) (granted Filter, err error)
	close()
}

// Listen returns a Listener, which listens for nothing yet. There may be one at
// a time. gap is called whenever events may have been missed, and lost when the
// session has ended after the first Set and before Close, both from a goroutine
// of the session; they must not block. A Set that fails with [*UnsupportedError]
// on a legacy session counts only if another came before.
func (s *Session) Listen(gap, lost func()) *Listener {
	gap = s.forgetting(gap)
	l := &Listener{turn: make(chan struct{}, 1), how: &legacyListening{session: s, gap: gap, lost: lost}}
	if s.era().kind() == EraModern {
		l.how = &modernListening{session: s, gap: gap, lost: lost}
	}
	return l
}

// Set makes the listener listen for want instead of what it listened for
// before, and returns what the server grants of it. What is granted may never
// come all the same; what is not granted will not come, or only by chance.
//
// A legacy server is sent resources/subscribe and resources/unsubscribe for the
// difference; of changed lists it tells unasked. Its way in is kept open until
// Close, also for an empty filter: log messages and questions come there too. A
// resource that it refuses is not granted, and the error of the first such comes
// beside what is. Modern servers have one subscription for all of want, which is replaced: on
// HTTP the old one ends when the new one has been acknowledged, so that nothing
// is lost in between. On a stream that all messages share it ends before,
// because there are servers that keep one for each connection, and take the end
// of the old for the end of the new; gap is called then.
//
// Beside the errors of [Session.Call] there is [*UnsupportedError]: the server
// has no such thing, nothing will ever come. After an error of a modern server
// what was listened for before still is, as far as it had not to end first; Set
// may be called again.
func (l *Listener) Set(ctx context.Context, want Filter) (granted Filter, err error) {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return Filter{}, canceled(ctx)
	}
	defer func() { <-l.turn }()
	ctx, done, ok := l.begin(ctx)
	if !ok {
		return Filter{}, &transport.Error{Kind: transport.KindClosed, Delivery: transport.NotSent, Err: errListenerClosed}
	}
	defer done()
	return l.how.set(ctx, want.clone())
}

// begin begins a Set, whose context ends when the listener is closed, unless it is
// already. done ends it.
func (l *Listener) begin(ctx context.Context) (setting context.Context, done func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return nil, nil, false
	}
	setting, l.abort = context.WithCancelCause(ctx)
	return setting, func() { l.end(nil) }, true
}

// end ends the Set that is under way, if there is one.
func (l *Listener) end(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = l.over || why != nil
	if l.abort != nil {
		l.abort(why)
		l.abort = nil
	}
}

// Close ends the listening and waits until nothing of it runs any more. A modern
// server is told; at a legacy one subscriptions last as long as the session,
// unless an empty filter was set before. A second Close does nothing.
func (l *Listener) Close() {
	l.end(errListenerClosed)
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	l.how.close()
}
