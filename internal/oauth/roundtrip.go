package oauth

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"

	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// maxAnswers bounds how often one request is sent: without a token, with one,
// and with those of two steps up.
const maxAnswers = 4

// drainBytes is how much of a refusal is read so that its connection can be used
// again.
const drainBytes = 64 << 10

// A roundTripper adds a principal's token to requests. A request that is refused
// for want of a better token is sent again with one: a 401 or 403 says that the
// server has not acted on it.
type roundTripper struct {
	base   http.RoundTripper
	access *access
}

// RoundTrip implements [http.RoundTripper].
func (rt *roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	if !sameOrigin(req.URL, rt.access.a.url) {
		return rt.base.RoundTrip(req)
	}
	ctx := req.Context()
	t, err := rt.access.usable(ctx)
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, failure(ctx, nil, err)
	}
	resp, err := rt.send(req, t)
	for n := 1; err == nil && n < maxAnswers; n++ {
		if t != nil {
			t.noteReply(resp)
		}
		c := rt.answerable(req, resp, t)
		if c == nil {
			return resp, nil
		}
		discard(resp)
		next, err := rt.access.renew(ctx, t, c)
		if err != nil {
			return nil, failure(ctx, resp, err)
		}
		if t = next; req.Body != nil {
			req = req.WithContext(ctx)
			if req.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
		resp, err = rt.send(req, t)
		if err != nil {
			return nil, err
		}
	}
	return resp, err
}

// send sends req with the token, if there is one.
func (rt *roundTripper) send(req *http.Request, t *token) (*http.Response, error) {
	if t != nil {
		req = req.WithContext(req.Context())
		// The header is shared with other requests.
		req.Header = maps.Clone(req.Header)
		req.Header["Authorization"] = []string{"Bearer " + t.Access}
	}
	return rt.base.RoundTrip(req)
}

// answerable returns the challenge of a reply, if another token may meet it; nil
// otherwise.
func (rt *roundTripper) answerable(req *http.Request, resp *http.Response, t *token) *challenge {
	if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden ||
		req.Body != nil && req.GetBody == nil {
		return nil
	}
	c := readChallenge(resp)
	switch {
	case c.status == http.StatusForbidden:
		if !c.insufficient || !rt.access.mayStepUp(&c) {
			return nil
		}
	case t != nil && !t.accepted.Load():
		// It was made for this server a moment ago. The next one would fare no
		// better, but the next call may try.
		rt.access.forget(req.Context(), t)
		return nil
	}
	return &c
}

// discard gives the connection of a reply back.
func discard(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, drainBytes) // what is left is dropped with the connection
	_ = resp.Body.Close()
}

// failure is err, for which there is no token, in the words of the transport.
// resp is the reply that asked for one, nil if none did: then nothing was sent.
func failure(ctx context.Context, resp *http.Response, err error) error {
	e := &transport.Error{Kind: transport.KindStatus, Status: http.StatusUnauthorized, Err: err}
	if resp != nil {
		e.Delivery, e.Status = transport.Answered, resp.StatusCode
		e.Challenge = resp.Header.Values("WWW-Authenticate")
	}
	var required *RequiredError
	var refused *RefusedError
	switch {
	case ctx.Err() != nil:
		e.Kind, e.Status, e.Err = transport.KindCanceled, 0, context.Cause(ctx)
	case errors.As(err, &required):
		e.Kind = transport.KindConsent
	case errors.As(err, &refused):
	case errors.Is(err, transport.ErrForbidden):
		e.Kind, e.Status = transport.KindForbidden, 0
	default: // a refused request had no effect, as if it had not been sent
		e.Kind, e.Status, e.Delivery = transport.KindUnreachable, 0, transport.NotSent
	}
	return e
}
