package mcp

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// The errors of this package are the ones below, [*jsonrpc.Error] for what a
// server answered, and [*transport.Error] for what became of the bytes.

// An IncompatibleError says that there is no protocol revision that both sides
// speak, or that the server's handshake made no sense.
type IncompatibleError struct {
	// Problem says what the server did.
	Problem string
	// Supported are the revisions that the server named, if it did.
	Supported []string
	// Status is the HTTP status that its refusal came with, 0 if there was none.
	Status int
	// Err is the server's JSON-RPC error, if it answered with one.
	Err error
}

func (e *IncompatibleError) Error() string {
	s := "protocol mismatch: " + e.Problem
	if len(e.Supported) > 0 {
		s += fmt.Sprintf(" (the server supports %q)", e.Supported)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *IncompatibleError) Unwrap() error { return e.Err }

// A ResultError says that a server's result breaks the protocol.
type ResultError struct {
	Method  string
	Problem string
}

func (e *ResultError) Error() string {
	return fmt.Sprintf("invalid result of %s: %s", e.Method, e.Problem)
}

// A LimitError says that a server's answers went over a limit of ours.
type LimitError struct {
	// Limit names the limit, as the configuration does.
	Limit string
	// Max is its value.
	Max int64
}

func (e *LimitError) Error() string { return fmt.Sprintf("over the limit %s of %d", e.Limit, e.Max) }

// An InputRequiredError says that the server needs answers before it can
// complete the call (spec 2026-07-28, basic/patterns/mrtr).
type InputRequiredError struct {
	Method string
	// Result is the text of the whole result, with inputRequests and
	// requestState.
	Result json.RawMessage
}

func (e *InputRequiredError) Error() string { return e.Method + " needs input" }

// DeliveryOf says what became of the request that ended in err.
func DeliveryOf(err error) transport.Delivery {
	var te *transport.Error
	var je *jsonrpc.Error
	var re *ResultError
	var ir *InputRequiredError
	switch {
	case errors.As(err, &te):
		return te.Delivery
	case errors.As(err, &je), errors.As(err, &re), errors.As(err, &ir):
		return transport.Answered
	default:
		return transport.Unknown
	}
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}

// marshal is json.Marshal for values that cannot fail.
func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return b
}
