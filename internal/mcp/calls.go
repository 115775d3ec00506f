package mcp

import (
	"sync"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

// calls are the calls in flight of one session, so far as notifications must
// find them.
type calls struct {
	mu       sync.Mutex
	inFlight int
	watched  map[int64]*watched
}

// watched is a call that wants its notifications.
type watched struct {
	mu     sync.Mutex
	notify func(jsonrpc.Message)
	left   int
}

// add registers a call and returns the function that removes it. After that
// function has returned, notify is not called any more.
func (c *calls) add(id int64, notify func(jsonrpc.Message), limit int) (forget func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inFlight++
	if notify == nil {
		return c.leave
	}
	w := &watched{notify: notify, left: limit}
	if c.watched == nil {
		c.watched = make(map[int64]*watched)
	}
	c.watched[id] = w
	return func() {
		c.mu.Lock()
		c.inFlight--
		delete(c.watched, id)
		c.mu.Unlock()
		w.mu.Lock()
		w.notify = nil
		w.mu.Unlock()
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
	id := int64(-1)
	if c.inFlight == 1 && len(c.watched) == 1 {
		for id = range c.watched { //nolint:revive // the one key of the map
		}
	}
	c.mu.Unlock()
	return c.notify(id, msg)
}

func (w *watched) pass(msg jsonrpc.Message) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.notify == nil || w.left == 0 {
		return false
	}
	w.left--
	w.notify(msg)
	return true
}
