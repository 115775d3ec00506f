package transport

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// An httpCall is one POST and what comes back for it.
type httpCall struct {
	t      *httpTransport
	id     int64 // the request's; of a Send, a negative number
	cancel context.CancelCauseFunc
	onSend func() // may be nil
	// What is still of interest of the request when it is sent.
	version         string
	modern, endless bool
	// listened: there was a GET stream.
	listened bool
	// sent is set before the body can reach the server.
	sent  atomic.Bool
	trace httptrace.ClientTrace
	// session is the id that was sent, nil if none.
	session *string
	// values back the headers of this call alone.
	values [2]string
	// routed is the response, if it came on the stream of another call.
	routed atomic.Pointer[Response]
	status int
	in     budget
	// bad is what was wrong with the last message that could not be read.
	bad error
}

func (c *httpCall) roundTrip(ctx context.Context, req *Request, body []byte) (*Response, error) {
	c.version, c.modern, c.endless = req.Version, req.Modern, req.Endless
	resp, err := c.post(ctx, &req.Envelope, req.Method, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	c.meter(resp)
	if !isSuccess(resp) {
		return c.refusal(ctx, resp)
	}
	if req.Handshake {
		if err := c.t.keepSession(resp.Header); err != nil {
			return nil, c.breach(err)
		}
		c.session = c.t.session.Load()
	}
	return c.answer(ctx, resp)
}

func (c *httpCall) send(ctx context.Context, msg *Message) error {
	resp, err := c.post(ctx, &msg.Envelope, msg.Method, msg.Body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	c.meter(resp)
	if isSuccess(resp) {
		// "The server MUST return HTTP status code 202 Accepted with no body";
		// others send 200 or 204, and a body.
		if resp.ContentLength != 0 {
			c.t.tails.read(c, func() error {
				_, err := io.CopyN(io.Discard, &c.in, tailBytes)
				return err
			})
		}
		return nil
	}
	return c.refused(ctx, resp)
}

// refused is refusal for a request that expects no response: a JSON-RPC error
// is a reason like any other.
func (c *httpCall) refused(ctx context.Context, resp *http.Response) error {
	answer, err := c.refusal(ctx, resp)
	if err != nil {
		return err
	}
	return &Error{
		Kind: KindStatus, Delivery: Answered, Status: answer.Status, Detail: answer.Error.Message, Err: answer.Error,
		RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
}

// post sends body. Where net/http finds a connection closed by the server that
// it was about to use, and had not begun to, it gives up on a POST; post tries
// once more.
func (c *httpCall) post(ctx context.Context, e *Envelope, method string, body []byte) (*http.Response, error) {
	header, err := c.t.headerFor(c, e, method)
	if err != nil {
		return nil, &Error{Kind: KindProtocol, Delivery: NotSent, Err: err}
	}
	c.trace.WroteHeaders = c.wroteHeaders
	ctx = httptrace.WithClientTrace(ctx, &c.trace)
	for again := true; ; again = false {
		req := c.t.post.WithContext(ctx)
		req.Header = header
		req.ContentLength = int64(len(body))
		// net/http sends the headers ahead, in a packet of their own, unless
		// the body is of a type that it knows. GetBody lets it repeat a request
		// of which a connection took nothing, or which an HTTP/2 server refused
		// unseen; nothing else makes it repeat a POST.
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		req.Body, _ = req.GetBody()
		resp, err := c.t.dialer.cfg.Client.RoundTrip(req)
		if err == nil || !again || !closedIdle(err) || c.sent.Load() {
			return resp, err
		}
	}
}

// wroteHeaders is called when the headers are written and nothing of the body
// is: without a body there is no request. If net/http repeats the request, it
// is called again.
func (c *httpCall) wroteHeaders() {
	if c.sent.CompareAndSwap(false, true) && c.onSend != nil {
		c.onSend()
	}
}

// meter counts what is read from resp, on top of what was read for c before.
func (c *httpCall) meter(resp *http.Response) {
	c.status = resp.StatusCode
	c.in.r, c.in.limit = resp.Body, c.t.dialer.cfg.Limits.CallBytes
	if c.endless {
		c.in.limit = unlimited
	}
}

func isSuccess(resp *http.Response) bool { return resp.StatusCode/100 == 2 }
