package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

// postGrace is how long the server may take to reply to a POST whose answer has
// come on the stream already. A connection can be used again only after that.
const postGrace = 5 * time.Second

var errAnswered = errors.New("response came on the event stream")

// An sseConn is an open event stream and the way back. One goroutine reads the
// stream; those that make POSTs are counted by posts.
type sseConn struct {
	*stream

	dialer *SSE
	posts  *httpTransport
	body   io.Closer // of the reply to the GET; nil before that
	events *sseReader
	// life is the context of the GET. It is not the one of the call that the
	// stream is opened for, whose span would last as long as the stream.
	life    context.Context //nolint:containedctx // the stream outlives the opening
	hangUp  context.CancelFunc
	workers sync.WaitGroup
}

func newSSEConn(d *SSE, r Receiver) *sseConn {
	c := &sseConn{
		stream: newStream(r, d.cfg.Limits.Depth, d.cfg.Logger, newNoise(d.cfg.Logger, d.cfg.NoisePerMinute)),
		dialer: d,
		posts:  newHTTPTransport(d.posts(), nil),
	}
	c.life, c.hangUp = context.WithCancel(context.Background())
	return c
}

// RoundTrip implements [Transport]. The reply to the POST only counts if it is a
// refusal; what the server has to say comes on the stream.
func (c *sseConn) RoundTrip(ctx context.Context, req *Request) (*Response, error) {
	if ctx.Err() != nil {
		return nil, canceled(ctx, NotSent)
	}
	w, err := c.calls.add(req.ID)
	if err != nil {
		return nil, err
	}
	call, posted, err := c.post(ctx, req, w)
	if err != nil {
		c.calls.remove(req.ID)
		return nil, err
	}
	select {
	case <-w.done:
		select {
		case <-posted:
		default:
			time.AfterFunc(postGrace, func() { call.cancel(errAnswered) })
		}
	case <-ctx.Done():
		waiting := c.calls.remove(req.ID)
		if waiting && w.sent.Load() {
			req.canceled(context.WithoutCancel(ctx))
		}
		call.cancel(context.Cause(ctx))
		<-posted // what has been sent is certain only then
		if waiting {
			return nil, canceled(ctx, w.delivery())
		}
		<-w.done
	}
	return w.result()
}

// post begins the POST of req, which does not end with ctx but when it is
// cancelled. posted is closed at its end.
func (c *sseConn) post(ctx context.Context, req *Request, w *waiter) (call *httpCall, posted <-chan struct{}, err error) {
	call = &httpCall{t: c.posts, id: req.ID, onSend: func() {
		w.sent.Store(true)
		if req.OnSend != nil {
			req.OnSend()
		}
	}}
	posting, err := c.posts.begin(context.WithoutCancel(ctx), call)
	if err != nil {
		return nil, nil, err
	}
	// The POST may be begun, and go on, after the call is over; the params are
	// the caller's again by then.
	msg := &Message{Body: jsonrpc.AppendRequest(nil, req.ID, req.Method, req.Params), Method: req.Method}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer c.posts.end(call)
		if err := call.send(posting, msg); err != nil {
			c.refuse(req.ID, w, call.failure(ctx, err))
		}
	}()
	return call, done, nil
}

// refuse ends a call whose POST has failed, and only that.
func (c *sseConn) refuse(id int64, w *waiter, err error) {
	e, ok := errors.AsType[*Error](err)
	if !ok || !c.calls.remove(id) {
		return
	}
	if answer, ok := errors.AsType[*jsonrpc.Error](err); ok {
		w.succeed(Response{Error: answer, Status: e.Status})
		return
	}
	w.refuse(e)
}

// Send implements [Transport].
func (c *sseConn) Send(ctx context.Context, msg *Message) error {
	if e := c.ending(); e != nil {
		return notSent(e)
	}
	return c.posts.Send(ctx, &Message{Body: msg.Body, Method: msg.Method})
}

// Close implements [Transport].
func (c *sseConn) Close(ctx context.Context) error {
	c.finish(&Error{Kind: KindClosed})
	c.hangUp()
	err := c.posts.Close(ctx)
	c.workers.Wait()
	return err
}

// lose ends the transport with e, and the stream.
func (c *sseConn) lose(e *Error) {
	c.finish(e)
	c.hangUp()
}

// read is the goroutine that reads the stream.
func (c *sseConn) read() {
	defer func() { _ = c.body.Close() }()
	for {
		ev, err := c.events.Next()
		switch {
		case err != nil:
			c.lose(streamError(err))
			c.dialer.cfg.Logger.Debug("event stream ended", "error", err, "noise_messages", c.noise.total, "stray_responses", c.calls.stray.Load())
			return
		case ev.Type == "message":
			c.handle(ev.Data, c.drop)
		default:
			// Only the first endpoint counts: a later one would move the
			// session, and all that is sent with it.
			c.dialer.cfg.Logger.Debug("event ignored", "type", quote([]byte(ev.Type)))
		}
	}
}

// drop skips a message that is not MCP.
func (c *sseConn) drop(text []byte, err error) {
	if !c.noise.skip(text, err) {
		c.lose(&Error{Kind: KindProtocol, Err: c.noise.tooMuch()})
	}
}

// streamError says what became of the stream.
func streamError(err error) *Error {
	e := &Error{Kind: KindLost, Err: fmt.Errorf("read event stream: %w", err)}
	if _, ok := errors.AsType[*limitError](err); ok {
		e.Kind = KindLimit
	}
	return e
}
