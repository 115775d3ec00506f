package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// open makes the GET and reads up to the event that says where messages go.
// Nothing of MCP has been sent whatever it returns.
func (c *sseConn) open() error {
	req := c.posts.post.WithContext(c.life)
	req.Method, req.Header = http.MethodGet, c.dialer.get()
	resp, err := c.dialer.cfg.Client.RoundTrip(req) //nolint:bodyclose // it becomes c.body
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if err != nil {
		return &Error{Kind: kindOf(err, KindUnreachable), Err: fmt.Errorf("open event stream: %w", err)}
	}
	c.body = resp.Body
	if !isSuccess(resp) {
		call := &httpCall{t: c.posts}
		call.meter(resp)
		return call.refused(c.life, resp)
	}
	if kind := resp.Header.Get("Content-Type"); !isMedia(kind, "text/event-stream") {
		return &Error{Kind: KindProtocol, Status: resp.StatusCode, Err: fmt.Errorf("reply has content type %.80q, not an event stream", kind)}
	}
	if err := checkEncoding(resp); err != nil {
		return &Error{Kind: KindProtocol, Status: resp.StatusCode, Err: err}
	}
	limits := c.dialer.cfg.Limits
	c.events = newSSEReader(resp.Body, min(limits.MessageBytes, limits.CallBytes))
	endpoint, err := c.endpoint()
	if err != nil {
		return err
	}
	c.posts.post = c.posts.post.WithContext(c.life) // a copy
	c.posts.post.URL = endpoint
	return nil
}

// endpoint waits for the event of that name: "When a client connects, the server
// MUST send an `endpoint` event containing a URI for the client to use for
// sending messages" (spec 2024-11-05, basic/transports#http-with-sse).
func (c *sseConn) endpoint() (*url.URL, error) {
	for {
		ev, err := c.events.Next()
		if err != nil {
			e := streamError(err)
			if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
				e.Kind = KindProtocol // a stream, but not one of this transport
			}
			return nil, e
		}
		switch ev.Type {
		case "endpoint":
			u, err := endpointURL(c.dialer.http.url, string(ev.Data))
			if err != nil {
				return nil, &Error{Kind: KindProtocol, Err: fmt.Errorf("endpoint event: %w", err)}
			}
			return u, nil
		case "message":
			return nil, &Error{Kind: KindProtocol, Err: errors.New("message before the endpoint event")}
		}
	}
}

// endpointURL resolves what the server said against the URL of its stream. The
// origin must be the same, or our headers would go to wherever a server likes.
// The text is not repeated: it may hold the session's secret.
func endpointURL(base *url.URL, text string) (*url.URL, error) {
	ref, err := base.Parse(strings.TrimSpace(text))
	if err != nil {
		return nil, errors.New("not a URL")
	}
	u, err := CheckURL(ref.String())
	if err != nil {
		return nil, err
	}
	if u.Scheme != base.Scheme || !strings.EqualFold(u.Hostname(), base.Hostname()) || peerAt(u).Port != peerAt(base).Port {
		return nil, fmt.Errorf("origin %s://%s is not that of the event stream", u.Scheme, u.Host)
	}
	return u, nil
}

// openError is err, with which the opening of a stream ended, as an [*Error]. It
// is about no request. If time ran out, that is the reason.
func openError(opening context.Context, err error) *Error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Kind: KindUnreachable, Err: err}
	}
	e.Delivery = NotSent
	if opening.Err() != nil {
		e.Err = fmt.Errorf("open event stream: %w", context.Cause(opening))
	}
	return e
}

// abort closes a stream that is not to be used.
func (c *sseConn) abort() {
	c.hangUp()
	if c.body != nil {
		_ = c.body.Close() // nothing is wanted of it any more
	}
}
