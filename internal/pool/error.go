package pool

import (
	"errors"
	"fmt"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// ErrClosed says that the bridge is shutting down.
var ErrClosed = errors.New("the bridge is shutting down")

// ErrRootsUndeclared says that a session cannot have roots any more, since its
// server was told that it has none.
var ErrRootsUndeclared = errors.New("the server was told that this session has no roots")

// A NotFoundError says that there is no such server or session, or that it is
// somebody else's: the two are not told apart.
type NotFoundError struct {
	// Kind is "server" or "session".
	Kind string
	Name string
	// Expired: it was the caller's session, and was closed for want of use.
	Expired bool
}

func (e *NotFoundError) Error() string {
	if e.Expired {
		return fmt.Sprintf("%s %q was closed for want of use", e.Kind, e.Name)
	}
	return fmt.Sprintf("no %s %q", e.Kind, e.Name)
}

// A StatefulError says that a server is only to be used by sessions.
type StatefulError struct{ Server string }

func (e *StatefulError) Error() string {
	return fmt.Sprintf("server %q keeps state: connect first", e.Server)
}

// A StateLostError says that the server has lost what it kept for a session
// that its owner alone may open anew.
type StateLostError struct{ Err error }

func (e *StateLostError) Error() string { return fmt.Sprintf("the session is lost: %v", e.Err) }
func (e *StateLostError) Unwrap() error { return e.Err }

// A QuotaError says which limit of the bridge was reached.
type QuotaError struct {
	// Limit is the key of the configuration.
	Limit string
	Max   int
}

func (e *QuotaError) Error() string {
	return fmt.Sprintf("the limit %s of %d is reached", e.Limit, e.Max)
}

// A ConnectError says that no session could be opened.
type ConnectError struct {
	// RetryAfter is when the next attempt is due.
	RetryAfter time.Duration
	// CircuitOpen: nobody may connect, since the server failed too often.
	CircuitOpen bool
	// Err is why the last attempt failed.
	Err error
}

// errCircuit stands for failures that others had.
var errCircuit = errors.New("the server failed too often")

func (e *ConnectError) Error() string { return fmt.Sprintf("connect: %v", e.Err) }
func (e *ConnectError) Unwrap() error { return e.Err }

// A CallError is the failure of a call on an upstream, with where it happened.
type CallError struct {
	// Server is the configured name; empty for a caller's own transport.
	Server string
	// Transport is stdio, http, sse or websocket.
	Transport string
	Era       mcp.Era
	// Delivery is what became of the request.
	Delivery transport.Delivery
	// Attempt counts from 1.
	Attempt int
	Err     error
}

func (e *CallError) Error() string { return fmt.Sprintf("server %q: %v", e.Server, e.Err) }
func (e *CallError) Unwrap() error { return e.Err }

// A RefusedError says that a server does not report on a resource.
type RefusedError struct {
	URI string
	// Err is what the server said, nil if it said nothing.
	Err error
}

func (e *RefusedError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("the server does not report on %q", e.URI)
	}
	return fmt.Sprintf("the server does not report on %q: %v", e.URI, e.Err)
}

func (e *RefusedError) Unwrap() error { return e.Err }
