package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/textproto"
	"strings"

	"github.com/mcpbridge/mcpbridge/internal/transport/http1"
)

// failure turns what went wrong with a call into an [*Error]. ctx is the
// caller's.
func (c *httpCall) failure(ctx context.Context, err error) error {
	canceled := ctx.Err() != nil
	if e, ok := errors.AsType[*Error](err); ok && !(canceled && errors.Is(err, context.Cause(ctx))) {
		return e
	}
	e := &Error{Kind: KindLost, Delivery: Unknown, Err: err}
	if !c.sent.Load() || connecting(err) {
		// net/http connects anew only if the connection before took nothing.
		e.Delivery = NotSent
	}
	switch {
	case c.t.isClosed():
		e.Kind, e.Err = KindClosed, errClosed
	case canceled:
		e.Kind, e.Err = KindCanceled, context.Cause(ctx)
	case e.Delivery == NotSent:
		e.Kind = kindOf(err, KindUnreachable)
	default:
		e.Kind = kindOf(err, KindLost)
	}
	return e
}

// kindOf says what kind of failure err is of an HTTP exchange: other, unless
// there is more to be told from it.
func kindOf(err error, other Kind) Kind {
	switch {
	case errors.Is(err, ErrForbidden):
		return KindForbidden
	case isIdentity(err):
		return KindIdentity
	case headersTooLong(err):
		return KindLimit
	case notHTTP(err):
		return KindProtocol
	default:
		return other
	}
}

// closedIdle reports whether err is how net/http says that the server closed a
// connection while it was idle. It has no type for it.
func closedIdle(err error) bool {
	return strings.Contains(err.Error(), "server closed idle connection")
}

// connecting reports whether err came up while a connection was being made.
func connecting(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial" || isIdentity(err)
}

// isIdentity reports whether the server's certificate was refused.
func isIdentity(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// headersTooLong reports whether err is how net/http says that a header is over
// MaxResponseHeaderBytes, over HTTP/1.1 and HTTP/2. It has no type for it.
func headersTooLong(err error) bool {
	return errors.Is(err, http1.ErrHeaderTooLong) ||
		strings.Contains(err.Error(), "server response headers exceeded") ||
		strings.Contains(err.Error(), "response header list larger than advertised limit")
}

// notHTTP reports whether err is how net/http says that the peer speaks
// something else.
func notHTTP(err error) bool {
	_, ok := errors.AsType[textproto.ProtocolError](err)
	return ok || errors.Is(err, http1.ErrMalformed) || strings.Contains(err.Error(), "malformed HTTP")
}

func (t *httpTransport) isClosed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closed
}
