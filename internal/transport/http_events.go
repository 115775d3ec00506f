package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// reopen asks for the event stream that goes on after lastID, or for the
// session's own if that is empty. Its errors are of type [*Error].
func (c *httpCall) reopen(ctx context.Context, lastID string) (*http.Response, error) {
	req := c.t.post.WithContext(ctx)
	req.Method = http.MethodGet
	req.Header = c.t.dialer.eventsHeader(c.version, c.session, lastID)
	resp, err := c.t.dialer.cfg.Client.RoundTrip(req)
	if err != nil {
		return nil, notReopened(err)
	}
	c.meter(resp)
	if err := c.checkEvents(ctx, resp); err != nil {
		_ = resp.Body.Close() // nothing is wanted of it any more
		return nil, err
	}
	return resp, nil
}

// notReopened names the failure of a GET. What gets tokens on the way may have
// been refused one, which the next try would not change.
func notReopened(err error) *Error {
	known, ok := errors.AsType[*Error](err)
	if ok && (known.Kind == KindConsent || known.Kind == KindStatus) {
		return &Error{Kind: known.Kind, Delivery: Unknown, Status: known.Status, Challenge: known.Challenge, Err: err}
	}
	return &Error{Kind: kindOf(err, KindLost), Delivery: Unknown, Err: err}
}

// checkEvents refuses a reply that is no event stream.
func (c *httpCall) checkEvents(ctx context.Context, resp *http.Response) error {
	if !isSuccess(resp) {
		err := c.refused(ctx, resp)
		if _, ok := errors.AsType[*Error](err); !ok {
			err = &Error{Kind: KindLost, Delivery: Unknown, Err: err}
		}
		return err
	}
	if kind := resp.Header.Get("Content-Type"); !isMedia(kind, "text/event-stream") {
		return c.breach(fmt.Errorf("reply has content type %.80q, not an event stream", kind))
	}
	if err := checkEncoding(resp); err != nil {
		return c.breach(err)
	}
	return nil
}

// tryAgain reports whether an event stream that was refused with e may be had
// later, and how long the server wants to be left alone.
func tryAgain(e *Error) (after time.Duration, again bool) {
	if e.Kind != KindStatus {
		return 0, e.Kind == KindLost
	}
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusConflict: // the server has not noticed yet that the last one broke
		again = true
	default:
		again = e.Status >= http.StatusInternalServerError
	}
	return e.RetryAfter, again
}
