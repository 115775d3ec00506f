package mcp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// A dialer that implements fallbacker knows another way to the same server, for
// when that refuses to open a session the dialer's own way.
type fallbacker interface{ Fallback() transport.Dialer }

// fallbackMemory bounds how long the other way is taken at once, for the reason
// of legacyMemory.
const fallbackMemory = legacyMemory

// withFallback gives c a client of its dialer's other way, if there is one.
func (c *Client) withFallback() *Client {
	if d, ok := c.dialer.(fallbacker); ok {
		b := *c.base
		b.knowledge = new(knowledge)
		c.other = newClient(&b, d.Fallback())
	}
	return c
}

// connectEither opens a session the dialer's own way or, if the server will not
// be reached like that, the other way.
func (c *Client) connectEither(ctx context.Context) (*Session, error) {
	if c.elsewhere() {
		s, err := c.other.connectHere(ctx)
		if !wrongWay(err) {
			return s, err
		}
		c.otherUntil.Store(0)
	}
	s, err := c.connectHere(ctx)
	if !wrongWay(err) {
		return s, err
	}
	// What is only reached the other way is too old to be probed.
	s, otherErr := c.other.connect(ctx, true)
	switch {
	case otherErr == nil:
		c.other.rememberLegacy()
		c.otherUntil.Store(time.Now().Add(fallbackMemory).UnixNano())
		return s, nil
	case wrongWay(otherErr):
		return nil, fmt.Errorf("%w; the other way: %w", err, otherErr)
	}
	return nil, otherErr
}

// elsewhere reports whether the server is known to be reached the other way.
func (c *Client) elsewhere() bool {
	return c.other != nil && time.Now().UnixNano() < c.otherUntil.Load()
}

// wrongWay reports whether err, with which the opening of a session ended, says
// that the transport is not the server's: that there was something else at its
// end, or a refusal by one of the statuses that servers have for that, as in "if
// it fails with an HTTP 4xx status code (e.g., 405 Method Not Allowed or 404 Not
// Found)" (spec 2025-06-18, basic/transports#backwards-compatibility).
func wrongWay(err error) bool {
	var te *transport.Error
	var mismatch *IncompatibleError
	status := 0
	switch {
	case errors.As(err, &mismatch):
		status = mismatch.Status
	case !errors.As(err, &te):
	case te.Kind == transport.KindProtocol && te.Delivery == transport.NotSent:
		return true
	case te.Kind == transport.KindStatus:
		status = te.Status
	}
	switch status {
	case 400, 404, 405, 406, 410, 415:
		return true
	}
	return false
}
