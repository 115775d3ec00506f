package transport

import (
	"errors"
	"fmt"
	"time"
)

// ErrNoStream is in the error of [Transport.Listen] if the server offers no
// stream for messages that belong to no request. Asking again does not help.
var ErrNoStream = errors.New("server offers no stream of its own")

// Delivery says what became of a request that got no result.
type Delivery uint8

const (
	// NotSent: no byte of the request was accepted by the pipe or socket, so
	// the server cannot have acted on it.
	NotSent Delivery = iota
	// Unknown: at least one byte was written and no answer came.
	Unknown
	// Answered: the server answered.
	Answered
)

// String returns the word that callers see: not_sent, unknown or answered.
func (d Delivery) String() string {
	switch d {
	case NotSent:
		return "not_sent"
	case Answered:
		return "answered"
	default:
		return "unknown"
	}
}

// Kind says what went wrong, in as many kinds as callers treat differently.
type Kind uint8

const (
	// KindUnreachable: no connection could be made (DNS, dial, TLS handshake,
	// a command that cannot be started).
	KindUnreachable Kind = iota
	// KindIdentity: the server's TLS identity was refused.
	KindIdentity
	// KindForbidden: the dial guard refused the address.
	KindForbidden
	// KindExited: the server process ended.
	KindExited
	// KindLost: the connection or stream broke, or ended without an answer.
	KindLost
	// KindStatus: the server answered with an HTTP status that is an error and
	// carries no JSON-RPC error; see Error.Status.
	KindStatus
	// KindRedirect: the server answered with a redirect; none is followed.
	KindRedirect
	// KindSessionLost: the server does not know the session any more. It has
	// refused the request without acting on it.
	KindSessionLost
	// KindLimit: something read or to be written went over a limit.
	KindLimit
	// KindProtocol: the server said something that is not MCP.
	KindProtocol
	// KindCanceled: the context of the call ended first.
	KindCanceled
	// KindClosed: the transport was closed on our side.
	KindClosed
	// KindConsent: the server has refused the request, without acting on it, until
	// a person consents; Error.Err has the details.
	KindConsent
)

// String returns the kind as one word for logs and error.type.
func (k Kind) String() string {
	names := [...]string{
		"unreachable", "identity", "forbidden", "exited", "lost", "status", "redirect",
		"session_lost", "limit", "protocol", "canceled", "closed", "consent",
	}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// An Error is the failure of a round trip. It keeps what the peer said apart
// from what we concluded.
type Error struct {
	Kind     Kind
	Delivery Delivery
	// Status is the HTTP status, 0 if there was none.
	Status int
	// RetryAfter is what the server's Retry-After header asked for, 0 if nothing.
	RetryAfter time.Duration
	// Challenge holds the WWW-Authenticate values of a 401 or 403.
	Challenge []string
	// Detail is what the peer said in its own words, cut to a few hundred
	// bytes: the start of a body, the last lines of stderr. It may be shown to
	// the operator and to callers; it never holds anything of ours.
	Detail string
	// Err is the cause. Its text may name addresses: for the log only.
	Err error
}

func (e *Error) Error() string {
	s := e.Kind.String()
	if e.Status != 0 {
		s += fmt.Sprintf(" (HTTP %d)", e.Status)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Detail != "" {
		s += fmt.Sprintf(": %q", e.Detail)
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }
