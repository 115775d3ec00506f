package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

// Why a call was ended from outside.
var (
	errClosed  = errors.New("transport is closed")
	errRouted  = errors.New("response came on another stream")
	errLingers = errors.New("stream stays open after its response")
)

// An httpTransport is a session over Streamable HTTP. It has no goroutine and
// no connection of its own.
type httpTransport struct {
	dialer *HTTP
	recv   Receiver
	post   *http.Request // what every request is copied from
	done   chan struct{}

	headers sharedHeaders
	session atomic.Pointer[string] // nil before the handshake, and without session
	legacy  atomic.Bool            // whether there was a handshake
	heard   atomic.Bool            // whether there was a GET stream
	tails   tails
	sends   atomic.Int64 // the last id of a Send, counting down from 0

	mu      sync.Mutex // guards what follows
	pending httpCalls
	closed  bool
	// left is closed when the last call has left a closed transport; nil before
	// that is closed.
	left chan struct{}
	lost *Error // why done is closed, nil if by Close
}

func newHTTPTransport(d *HTTP, r Receiver) *httpTransport {
	return &httpTransport{dialer: d, recv: r, post: d.post, done: make(chan struct{})}
}

// RoundTrip implements [Transport]. Its deadline is that of ctx alone: a
// server that answers in JSON sends its headers only when the tool is done.
func (t *httpTransport) RoundTrip(ctx context.Context, req *Request) (*Response, error) {
	// Room for the braces, the member names and the id.
	const frame = 72
	body := make([]byte, 0, len(req.Params)+len(req.Method)+frame)
	body = jsonrpc.AppendRequest(body, req.ID, req.Method, req.Params)

	c := &httpCall{t: t, id: req.ID, onSend: req.OnSend}
	if req.OnCancel != nil {
		return t.cancellable(ctx, c, req, body)
	}
	callCtx, err := t.begin(ctx, c)
	if err != nil {
		return nil, err
	}
	defer t.end(c)
	return t.exchange(ctx, callCtx, c, req, body)
}

// cancellable makes a call whose stream does not end with ctx before the server
// has been told.
func (t *httpTransport) cancellable(ctx context.Context, c *httpCall, req *Request, body []byte) (*Response, error) {
	if ctx.Err() != nil {
		return nil, canceled(ctx, NotSent)
	}
	callCtx, err := t.begin(context.WithoutCancel(ctx), c)
	if err != nil {
		return nil, err
	}
	defer t.end(c)
	defer context.AfterFunc(ctx, func() {
		if c.sent.Load() {
			req.OnCancel(callCtx)
		}
		c.cancel(context.Cause(ctx))
	})()
	return t.exchange(ctx, callCtx, c, req, body)
}

// exchange makes the call c, within callCtx. ctx is its caller's.
func (t *httpTransport) exchange(ctx, callCtx context.Context, c *httpCall, req *Request, body []byte) (*Response, error) {
	resp, err := c.roundTrip(callCtx, req, body)
	if routed := c.routed.Load(); routed != nil {
		return routed, nil
	}
	if err != nil {
		return nil, c.failure(ctx, err)
	}
	return resp, nil
}

// Send implements [Transport].
func (t *httpTransport) Send(ctx context.Context, msg *Message) error {
	c := &httpCall{t: t, id: t.sends.Add(-1)}
	callCtx, err := t.begin(ctx, c)
	if err != nil {
		return err
	}
	defer t.end(c)
	if err := c.send(callCtx, msg); err != nil {
		return c.failure(ctx, err)
	}
	return nil
}

// begin enters c among the pending calls. The context it returns ends with
// ctx, with the call and with the transport.
func (t *httpTransport) begin(ctx context.Context, c *httpCall) (context.Context, error) {
	ctx, c.cancel = context.WithCancelCause(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.lost != nil:
		c.cancel(t.lost)
		return nil, t.lost
	case t.closed:
		c.cancel(errClosed)
		return nil, &Error{Kind: KindClosed, Err: errClosed}
	case c.id == listenID && t.pending.get(c.id) != nil:
		c.cancel(errListening)
		return nil, &Error{Kind: KindProtocol, Delivery: NotSent, Err: errListening}
	case t.pending.get(c.id) != nil:
		c.cancel(errClosed)
		return nil, &Error{Kind: KindProtocol, Err: fmt.Errorf("request id %d is in use", c.id)}
	}
	t.pending.add(c)
	return ctx, nil
}

func (t *httpTransport) end(c *httpCall) {
	c.cancel(nil)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending.remove(c)
	if t.closed && t.pending.len() == 0 {
		close(t.left)
	}
}

// route hands a response that came on another call's stream to the call that
// waits for it. It reports whether there is one.
func (t *httpTransport) route(id int64, r *Response) bool {
	t.mu.Lock()
	c := t.pending.get(id)
	t.mu.Unlock()
	if c == nil || !c.routed.CompareAndSwap(nil, r) {
		return false
	}
	c.cancel(errRouted)
	return true
}

// lose ends the transport because the server does not know the session that
// was sent. Calls that are on their way may still be answered.
func (t *httpTransport) lose(session *string, e *Error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lost != nil || t.closed || t.session.Load() != session {
		return
	}
	t.lost = e
	close(t.done)
	if c := t.pending.get(listenID); c != nil {
		c.cancel(e)
	}
}

// keepSession keeps the session id that the reply to a handshake carries: "A
// server using the Streamable HTTP transport MAY assign a session ID at
// initialization time, by including it in an Mcp-Session-Id header".
func (t *httpTransport) keepSession(h http.Header) error {
	t.legacy.Store(true)
	id := h.Get(headerSession)
	if id == "" {
		t.session.Store(nil)
		return nil
	}
	if !visibleASCII(id) {
		return fmt.Errorf("session id is not visible ASCII: %.40q", id)
	}
	id = strings.Clone(id) // it may be part of the whole head
	t.session.Store(&id)
	return nil
}

// Done implements [Transport].
func (t *httpTransport) Done() <-chan struct{} { return t.done }

// Err implements [Transport].
func (t *httpTransport) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lost == nil {
		return nil
	}
	return t.lost
}

// Close implements [Transport]. A legacy session is ended with a DELETE,
// unless the server has forgotten it already.
func (t *httpTransport) Close(ctx context.Context) error {
	first, lost := t.shut()
	if !first {
		return nil
	}
	select {
	case <-t.left:
	case <-ctx.Done():
		return fmt.Errorf("wait for pending calls: %w", context.Cause(ctx))
	}
	if session := t.session.Load(); session != nil && !lost {
		t.deleteSession(ctx, session)
	}
	return nil
}

// shut marks the transport as closed and ends what is pending.
func (t *httpTransport) shut() (first, lost bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false, false
	}
	t.closed, lost = true, t.lost != nil
	if !lost {
		close(t.done)
	}
	for c := range t.pending.all() {
		c.cancel(errClosed)
	}
	t.left = make(chan struct{})
	if t.pending.len() == 0 {
		close(t.left)
	}
	return true, lost
}

// deleteSession tells the server that the session is over. "The server MAY
// respond to this request with HTTP 405": any answer is fine, and so is none.
func (t *httpTransport) deleteSession(ctx context.Context, session *string) {
	ctx, cancel := context.WithTimeout(ctx, t.dialer.cfg.DeleteTimeout)
	defer cancel()
	req := t.post.WithContext(ctx)
	req.Method = http.MethodDelete
	req.Header = t.dialer.headers(t.headers.version(), session)
	req.Header.Del("Content-Type")
	resp, err := t.dialer.cfg.Client.RoundTrip(req)
	if err != nil {
		t.dialer.cfg.Logger.DebugContext(ctx, "session was not deleted", "error", err)
		return
	}
	_ = resp.Body.Close()
}
