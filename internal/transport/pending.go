package transport

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

// A waiter is one caller that waits for the end of one message of its own: for
// the response to a request, or until a message without response is handed
// over. The first end counts.
type waiter struct {
	// sent is set before the first byte can reach the server, and taken back
	// only by whoever knows that none did.
	sent atomic.Bool
	over atomic.Bool

	// done is closed once resp and err are set; they may be read after it.
	done chan struct{}
	resp Response
	err  *Error
}

func newWaiter() *waiter { return &waiter{done: make(chan struct{})} }

func (w *waiter) delivery() Delivery {
	if w.sent.Load() {
		return Unknown
	}
	return NotSent
}

func (w *waiter) succeed(r Response) {
	if w.over.CompareAndSwap(false, true) {
		w.resp = r
		close(w.done)
	}
}

// fail ends the wait with a copy of e that carries this waiter's own delivery.
func (w *waiter) fail(e *Error) {
	own := *e
	own.Delivery = w.delivery()
	w.refuse(&own)
}

// refuse ends the wait with e, whose delivery is known better than by w.
func (w *waiter) refuse(e *Error) {
	if w.over.CompareAndSwap(false, true) {
		w.err = e
		close(w.done)
	}
}

// result is what the wait ended with; done must be closed. The response is part
// of the waiter, so that a call does not pay for it apart.
func (w *waiter) result() (*Response, error) {
	if w.err != nil {
		return nil, w.err
	}
	return &w.resp, nil
}

// A pending is the table of the requests that wait for a response on one
// stream. All methods may be called concurrently.
type pending struct {
	log   *slog.Logger
	stray atomic.Int64

	// mu guards the fields below.
	mu      sync.Mutex
	waiters map[int64]*waiter
	closed  *Error
}

func newPending(log *slog.Logger) *pending {
	return &pending{log: log, waiters: make(map[int64]*waiter)}
}

// add enters a request. It must be entered before it is sent. After close, add
// returns the error that close was given, as a request that was not sent.
func (p *pending) add(id int64) (*waiter, error) {
	w := newWaiter()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed != nil {
		return nil, notSent(p.closed)
	}
	p.waiters[id] = w
	return w, nil
}

// remove takes the request out again and reports whether it was still waiting.
// If it was not, its end is at hand: done is closed or about to be.
func (p *pending) remove(id int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, waiting := p.waiters[id]
	delete(p.waiters, id)
	return waiting
}

// deliver hands a response to the request that it answers. Responses that
// nobody waits for (late, repeated, made up) are counted and dropped.
func (p *pending) deliver(m jsonrpc.Message) {
	w := p.claim(m)
	if w == nil {
		p.stray.Add(1)
		p.log.Debug("response that nobody waits for", "id", quote(m.ID))
		return
	}
	if m.Error != nil {
		w.succeed(Response{Error: m.Error})
		return
	}
	w.succeed(Response{Result: m.Result})
}

// claim removes and returns the waiter that m answers, nil if there is none. A
// request that has not begun to be sent cannot have been answered.
func (p *pending) claim(m jsonrpc.Message) *waiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, ok := m.ID.Int()
	if len(m.ID) == 0 && m.Error != nil && len(p.waiters) == 1 {
		// JSON-RPC 2.0, 5: an error in detecting the id is answered with a null
		// id. With one request outstanding there is no doubt which one is meant.
		for id = range p.waiters {
			ok = true
		}
	}
	w := p.waiters[id]
	if !ok || w == nil || !w.sent.Load() {
		return nil
	}
	delete(p.waiters, id)
	return w
}

// fail ends one request with e and reports whether it was waiting for an
// answer.
func (p *pending) fail(id int64, e *Error) bool {
	p.mu.Lock()
	w := p.waiters[id]
	if w == nil || !w.sent.Load() {
		p.mu.Unlock()
		return false
	}
	delete(p.waiters, id)
	p.mu.Unlock()
	w.fail(e)
	return true
}

// close ends every request with e, each with its own delivery, and refuses
// further ones. Only the first close counts.
func (p *pending) close(e *Error) {
	p.mu.Lock()
	if p.closed != nil {
		p.mu.Unlock()
		return
	}
	p.closed = e
	waiters := p.waiters
	p.waiters = nil
	p.mu.Unlock()
	for _, w := range waiters {
		w.fail(e)
	}
}

// notSent returns a copy of e for a message that was never sent.
func notSent(e *Error) *Error {
	own := *e
	own.Delivery = NotSent
	return &own
}
