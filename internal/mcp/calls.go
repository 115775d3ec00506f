package mcp

import (
	"context"
	"errors"
	"sync"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

// calls are the calls in flight of one session, so far as what the server sends
// must find them.
type calls struct {
	// mu guards the fields below.
	mu       sync.Mutex
	inFlight int
	watched  map[int64]*watched
}

// watched is a call that wants its notifications, or that the server may ask
// something during.
type watched struct {
	// mu guards notify, lost and left.
	mu     sync.Mutex
	notify func(jsonrpc.Message)
	lost   func() // may be nil
	left   int

	method string
	// ask is the call's own, nil if it has none.
	ask Ask
	// answers is what its caller answers, nil: what the session's user does.
	answers *Capabilities
	// ctx is the call's, and ends with it. end ends the call; it is nil for a
	// call that the server cannot ask anything.
	ctx context.Context //nolint:containedctx // lives as long as the call does
	end context.CancelCauseFunc
}

// watch returns what is kept of a call while it is in flight, nil for nothing,
// and the context to make it with.
func (s *Session) watch(ctx context.Context, c *Call) (context.Context, *watched) {
	asks := (c.Ask != nil || s.profile.Ask != nil) && counts(c) && s.era().kind() == EraLegacy
	if c.Notify == nil && !asks {
		return ctx, nil
	}
	w := &watched{method: c.Method, notify: c.Notify, lost: c.Lost, left: s.opts.CallNotifications}
	if asks {
		w.ask, w.answers = c.Ask, c.Capabilities
		ctx, w.end = context.WithCancelCause(ctx)
		w.ctx = ctx
	}
	return ctx, w
}

// unanswered returns the error of a call that was ended because nobody answers
// what the server asked during it, err for any other.
func unanswered(ctx context.Context, err error) error {
	var required *InputRequiredError
	if errors.As(context.Cause(ctx), &required) {
		return required
	}
	return err
}

// counts reports whether a call is one that the server may be talking of when it
// does not say so. Those that are made beside the callers' own are not.
func counts(c *Call) bool {
	switch c.Method {
	case methodPing, methodSubscribe, methodUnsubscribe, methodSetLevel, methodTasksGet, methodTasksUpdate, methodTasksCancel:
		return c.Notify != nil
	}
	return true
}

// add registers a call and returns the function that removes it. After that
// function has returned, nothing of w is called any more.
func (c *calls) add(id int64, w *watched) (forget func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inFlight++
	if w == nil {
		return c.leave
	}
	if c.watched == nil {
		c.watched = make(map[int64]*watched)
	}
	c.watched[id] = w
	return func() {
		c.mu.Lock()
		c.inFlight--
		delete(c.watched, id)
		c.mu.Unlock()
		w.over()
	}
}

// also registers another request that belongs to the call of w, and returns the
// function that removes it. It does not count as a call of its own.
func (c *calls) also(id int64, w *watched) (forget func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watched == nil {
		c.watched = make(map[int64]*watched)
	}
	c.watched[id] = w
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watched, id)
	}
}

// over ends what hangs on the call.
func (w *watched) over() {
	w.mu.Lock()
	w.notify = nil
	w.mu.Unlock()
	if w.end != nil {
		w.end(nil)
	}
}

func (c *calls) leave() {
	c.mu.Lock()
	c.inFlight--
	c.mu.Unlock()
}

// notify hands msg to the call with that id, and reports whether that is
// watched and below its limit.
func (c *calls) notify(id int64, msg jsonrpc.Message) bool {
	c.mu.Lock()
	w := c.watched[id]
	c.mu.Unlock()
	return w != nil && w.pass(msg)
}

// notifyOnly hands msg, which says nothing of the call that it belongs to, to
// the call in flight, and reports whether there is exactly one.
func (c *calls) notifyOnly(msg jsonrpc.Message) bool {
	c.mu.Lock()
	w := c.onlyLocked()
	c.mu.Unlock()
	return w != nil && w.pass(msg)
}

// onlyLocked returns the call in flight, if there is exactly one.
func (c *calls) onlyLocked() *watched {
	if c.inFlight != 1 {
		return nil
	}
	var only *watched
	for _, w := range c.watched {
		if only != nil && w != only {
			return nil
		}
		only = w
	}
	return only
}

// asked returns the call that a question belongs to, nil if there is none: that
// on whose own stream it came or, where the transport cannot tell, the only one
// in flight, if that expects questions.
func (c *calls) asked(id int64) *watched {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.watched[id]
	if id == 0 {
		w = c.onlyLocked()
	}
	if w == nil || w.end == nil || id == 0 && w.ask == nil {
		return nil
	}
	return w
}

func (w *watched) pass(msg jsonrpc.Message) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.notify == nil {
		return false
	}
	if w.left == 0 {
		if w.lost != nil {
			w.lost()
		}
		return false
	}
	w.left--
	w.notify(msg)
	return true
}
