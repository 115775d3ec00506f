package mcp

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

var errTornDown = errors.New("the server tore the subscription down")

// A subscription is one request subscriptions/listen, from when it is sent until
// it ends.
type subscription struct {
	want Filter
	// acknowledge is called once, with what is granted. It runs on a reading
	// goroutine and must not block.
	acknowledge func(granted Filter)
	// settled is set by the acknowledgement, or by the end if there was none.
	settled atomic.Bool
	// tear ends the request on our side.
	tear context.CancelCauseFunc
}

// subscribe sends subscriptions/listen and returns when that has ended: with an
// error, or graceful, and whether it had been acknowledged before. The request
// has no timeout. Its span and its measurement end with the acknowledgement,
// and are not part of what ctx belongs to: they say how long it took to open.
func (s *Session) subscribe(ctx context.Context, id int64, want Filter, acknowledge func(Filter)) (acknowledged bool, err error) {
	ctx, tear := context.WithCancelCause(ctx)
	defer tear(nil)
	c := &Call{Method: methodListen, Params: want.params()}
	opening, op := s.inst.start(ctx, s, c, id)
	sub := &subscription{want: want, tear: tear, acknowledge: func(granted Filter) {
		op.end(nil, nil)
		acknowledge(granted)
	}}
	s.subscriptions.add(id, sub)
	defer s.subscriptions.remove(id)
	resp, err := s.tr.RoundTrip(ctx, &transport.Request{
		ID:       id,
		Method:   c.Method,
		Params:   s.params(opening, c, id),
		Envelope: s.era().envelope(""),
		Endless:  true,
	})
	if err == nil && resp.Error != nil {
		err = resp.Error
	}
	if sub.settled.Swap(true) {
		return true, err
	}
	if err == nil {
		err = &ResultError{Method: methodListen, Problem: "it ended before it was acknowledged"}
	}
	op.end(nil, err)
	return false, err
}

// acknowledged takes the acknowledgement, and reports whether it was the first.
func (sub *subscription) acknowledged(params []byte) bool {
	if sub.settled.Swap(true) {
		return false
	}
	sub.acknowledge(sub.want.granted(params))
	return true
}

// subscriptions are those of a session that are open, by the id of the request.
type subscriptions struct {
	// some is whether there are any, so that nobody else pays for them.
	some atomic.Bool

	mu   sync.Mutex // guards open
	open map[int64]*subscription
}

func (t *subscriptions) add(id int64, sub *subscription) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = make(map[int64]*subscription)
	}
	t.open[id] = sub
	t.some.Store(true)
}

func (t *subscriptions) remove(id int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, id)
	t.some.Store(len(t.open) > 0)
}

func (t *subscriptions) get(id int64) *subscription {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open[id]
}

// find returns the subscription that a notification came for, nil if there is
// none: the one on whose stream it came or, on a stream that all share, the one
// that it names. "On stdio, clients MUST use this field to correlate
// notifications" (spec 2026-07-28, basic/patterns/subscriptions).
func (t *subscriptions) find(msg jsonrpc.Message, call int64) *subscription {
	if !t.some.Load() {
		return nil
	}
	if call != 0 {
		return t.get(call)
	}
	meta := object(rawjson.Get(msg.Params, "_meta"))
	if meta == nil {
		return nil
	}
	id, ok := jsonrpc.ID(rawjson.Get(meta, metaSubscriptionID)).Int()
	if !ok {
		return nil
	}
	return t.get(id)
}

// tearDown ends the subscription that a notifications/cancelled of the server's
// speaks of: in the modern era it can be about nothing else (spec 2026-07-28,
// basic/patterns/cancellation).
func (t *subscriptions) tearDown(request jsonrpc.ID) bool {
	id, ok := request.Int()
	if !ok {
		return false
	}
	sub := t.get(id)
	if sub == nil {
		return false
	}
	sub.tear(errTornDown)
	return true
}
