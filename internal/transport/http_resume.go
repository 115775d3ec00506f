package transport

import (
	"context"
	"errors"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// lateAnswer is how long a call whose stream has ended for good waits for a
// response that comes on the GET stream, if there is one.
const lateAnswer = 500 * time.Millisecond

// broken reports whether the stream that ended with err may be gone on with:
// the connection broke, or the server closed it "without sending the JSON-RPC
// response". What cannot be read is not read better the next time.
func (c *httpCall) broken(ctx context.Context, err error) bool {
	if ctx.Err() != nil || c.modern || errors.Is(err, rawjson.ErrDepth) {
		return false
	}
	if _, ok := errors.AsType[*limitError](err); ok {
		return false
	}
	_, ok := errors.AsType[*protocolError](err)
	return !ok
}

// resume goes on with a call whose stream ended with err, if the server has
// given its events ids: "the client MAY attempt to resume the stream", which
// is a GET with Last-Event-ID (spec 2025-11-25,
// basic/transports#resumability-and-redelivery). The request is not made again.
//
// events is a copy, so that the reader of a call that needs none of this can stay
// on the stack.
func (c *httpCall) resume(ctx context.Context, events sseReader, err error) (*Response, error) {
	back := &comeback{policy: c.t.dialer.cfg.Reconnect, events: &events, begun: time.Now()}
	for back.ended(); back.id != ""; {
		wait, spent := back.next()
		if spent {
			break
		}
		c.t.dialer.cfg.Logger.DebugContext(ctx, "event stream broke", "call", c.id, "error", err, "wait", wait)
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
		var answer *Response
		answer, err = c.goOn(ctx, back)
		refused, ok := errors.AsType[*Error](err)
		switch {
		case ok:
			after, again := tryAgain(refused)
			if !again || ctx.Err() != nil {
				return nil, c.notResumed(ctx, refused)
			}
			back.missed(after)
		case err == nil || !c.broken(ctx, err):
			return answer, err
		default:
			back.ended()
		}
	}
	if c.t.listening() {
		// A server that ends a stream may have answered on the GET stream.
		if err := pause(ctx, lateAnswer); err != nil {
			return nil, err
		}
	}
	if refused, ok := errors.AsType[*Error](err); ok {
		err = c.notResumed(ctx, refused)
	}
	return nil, err
}

// goOn reads on for the call's response on a stream that begins where the last
// one ended. If there is no such stream, its error is an [*Error].
func (c *httpCall) goOn(ctx context.Context, back *comeback) (*Response, error) {
	resp, err := c.reopen(ctx, back.id)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	back.began()
	back.events.Reset(&c.in)
	return c.read(back.events)
}

// notResumed says what became of a call whose stream could not be had again:
// the server has taken its request, whatever it says now.
func (c *httpCall) notResumed(ctx context.Context, refused *Error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e := &Error{Kind: KindLost, Delivery: Unknown, Status: refused.Status, Detail: refused.Detail}
	if refused.Kind == KindSessionLost {
		e.Kind = KindSessionLost
	}
	// That a GET was forbidden, or wants consent, is not why the call has failed:
	// only the text goes along.
	e.Err = errors.New("resume event stream: " + refused.Error())
	return e
}
