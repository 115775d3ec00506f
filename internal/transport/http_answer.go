package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// answer reads the response out of a reply with a 2xx status.
func (c *httpCall) answer(ctx context.Context, resp *http.Response) (*Response, error) {
	if err := checkEncoding(resp); err != nil {
		return nil, c.breach(err)
	}
	var answer *Response
	var err error
	switch kind := resp.Header.Get("Content-Type"); {
	case isMedia(kind, "application/json"):
		answer, err = c.document(resp.ContentLength)
	case isMedia(kind, "text/event-stream"):
		answer, err = c.stream(ctx)
	default:
		err = &protocolError{fmt.Errorf("reply has content type %.80q", kind)}
	}
	if err != nil {
		return nil, c.unreadable(err)
	}
	return answer, nil
}

// checkEncoding refuses a reply that would have to be decoded first.
func checkEncoding(resp *http.Response) error {
	if enc := resp.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return fmt.Errorf("reply has content encoding %.40q, which was not asked for", enc)
	}
	return nil
}

// isMedia reports whether the value of a Content-Type header is of that media
// type, with any parameters.
func isMedia(value, media string) bool {
	if value == media {
		return true
	}
	value, _, _ = strings.Cut(value, ";")
	return strings.EqualFold(strings.TrimSpace(value), media)
}

// document reads the response from a JSON body.
func (c *httpCall) document(size int64) (*Response, error) {
	text, err := readBody(&c.in, size, c.t.dialer.cfg.Limits.MessageBytes)
	if err != nil {
		return nil, err
	}
	answer, err := c.messages(text)
	if err != nil {
		return nil, &protocolError{err}
	}
	if answer == nil {
		return nil, &protocolError{errors.Join(errors.New("body holds no response to the request"), c.bad)}
	}
	return answer, nil
}

// stream reads events until the response has come.
func (c *httpCall) stream(ctx context.Context) (*Response, error) {
	events := newSSEReader(&c.in, c.t.dialer.cfg.Limits.MessageBytes)
	answer, err := c.read(events)
	if err != nil && c.broken(ctx, err) {
		return c.resume(ctx, *events, err)
	}
	return answer, err
}

// read reads one stream of events until the response has come.
func (c *httpCall) read(events *sseReader) (*Response, error) {
	for {
		answer, err := c.event(events)
		if err != nil {
			return nil, err
		}
		if answer == nil {
			continue
		}
		if !c.endless {
			c.t.tails.read(c, func() error {
				_, err := c.event(events)
				return err
			})
		}
		return answer, nil
	}
}

// event handles the next event. It returns the response if that is what the
// event carries.
func (c *httpCall) event(events *sseReader) (*Response, error) {
	ev, err := events.Next()
	if err != nil || ev.Type != "message" {
		return nil, err
	}
	answer, err := c.messages(ev.Data)
	if err == nil {
		return answer, nil
	}
	// A bad notification must not fail the call; a bad response must, and not
	// only when the stream ends.
	var sniff sniffer
	sniff.feed(ev.Data)
	if id, ok := sniff.response(); ok && id == c.id {
		return nil, &protocolError{err}
	}
	c.skip(err)
	return nil, nil
}

// messages hands out the message or batch in text and returns the response to
// this call, if it is among them.
func (c *httpCall) messages(text []byte) (answer *Response, err error) {
	err = jsonrpc.ParseAll(text, c.t.dialer.cfg.Limits.Depth, func(m jsonrpc.Message) {
		if r := c.take(m); r != nil {
			answer = r
		}
	}, c.skip)
	return answer, err
}

// take handles one message: it returns the response to this call and passes on
// everything else.
func (c *httpCall) take(m jsonrpc.Message) *Response {
	if !m.IsResponse() {
		c.t.recv(m, c.id)
		return nil
	}
	r := &Response{Result: m.Result, Error: m.Error, Status: c.status}
	if r.Error != nil {
		r.Result = nil
	}
	id, ok := m.ID.Int()
	switch {
	case ok && id == c.id:
		return r
	case len(m.ID) == 0 && m.Error != nil:
		// The server could not read the id of what it answers; on this stream
		// there is only one thing to answer.
		return r
	case ok && id > 0 && c.t.route(id, r):
		return nil
	}
	c.skip(fmt.Errorf("response to an unknown request %.40q", m.ID))
	return nil
}

// skip passes over a message that cannot be used.
func (c *httpCall) skip(err error) {
	c.bad = err
	c.t.dialer.cfg.Logger.Debug("message skipped", "error", err, "call", c.id)
}

// A protocolError is what the server did against the protocol.
type protocolError struct{ err error }

func (e *protocolError) Error() string { return e.err.Error() }
func (e *protocolError) Unwrap() error { return e.err }

// unreadable says what became of a call whose reply could not be read: a
// limit, a breach of protocol, or err as it is if the connection broke.
func (c *httpCall) unreadable(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if _, ok := errors.AsType[*limitError](err); ok || errors.Is(err, rawjson.ErrDepth) {
		return &Error{Kind: KindLimit, Delivery: Unknown, Status: c.status, Err: err}
	}
	if protocol, ok := errors.AsType[*protocolError](err); ok {
		return c.breach(protocol.err)
	}
	if errors.Is(err, io.EOF) {
		if c.bad != nil {
			return c.breach(c.bad)
		}
		return errors.New("event stream ended without the response")
	}
	return err
}

func (c *httpCall) breach(err error) error {
	return &Error{Kind: KindProtocol, Delivery: Unknown, Status: c.status, Err: err}
}
