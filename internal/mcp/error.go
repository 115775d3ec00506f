package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
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
	// Limit names the limit, as the configuration does if it can be set there.
	Limit string
	// Max is its value.
	Max int64
}

func (e *LimitError) Error() string { return fmt.Sprintf("over the limit %s of %d", e.Limit, e.Max) }

// An InputRequiredError says that the server needs answers before it can
// complete the call (spec 2026-07-28, basic/patterns/mrtr), and that nobody gave
// them. A modern server has completed the request, and goes on when the call is
// made again with [Call.Resume]. A legacy server was told that its request is
// cancelled; there is nothing to go on with.
type InputRequiredError struct {
	Method string
	// Result is the text of an object with the questions, inputRequests, and the
	// requestState if there is one. It is the whole result of a modern server;
	// a legacy server's questions are put in the same shape.
	Result json.RawMessage
	// Over: it is the task of the call that asked, and has been given up. There
	// is nothing to go on with.
	Over bool
}

// requiring is the error of a call of a legacy server, which asks questions.
func requiring(method string, questions ...Question) *InputRequiredError {
	b := []byte(`{"inputRequests":{`)
	for i, q := range questions {
		if i > 0 {
			b = append(b, ',')
		}
		b = rawjson.AppendString(b, q.Key)
		b = append(b, `:{"method":`...)
		b = rawjson.AppendString(b, q.Method)
		if q.Params != nil {
			b = append(append(b, `,"params":`...), q.Params...)
		}
		b = append(b, '}')
	}
	return &InputRequiredError{Method: method, Result: append(b, `}}`...)}
}

func (e *InputRequiredError) Error() string { return e.Method + " needs input" }

// An UnsupportedError says that the session has no such thing: its server has not
// declared it, or its era does not know it.
type UnsupportedError struct {
	// What is the method or the capability.
	What string
	// Err is what the server said to that, nil if it was not asked.
	Err error
}

func (e *UnsupportedError) Error() string {
	if e.Err != nil {
		return "the session does not support " + e.What + ": " + e.Err.Error()
	}
	return "the session does not support " + e.What
}

func (e *UnsupportedError) Unwrap() error { return e.Err }

// DeliveryOf says what became of the request that ended in err.
//
// For a call of several rounds it speaks of all of them: a round that was not
// sent is Unknown if an earlier one was, for that has reached the tool. The
// server has then not completed the call, and cannot, but how much the tool did
// before it asked, nobody knows. Answered means that the last word is the
// server's.
func DeliveryOf(err error) transport.Delivery {
	var te *transport.Error
	var je *jsonrpc.Error
	var re *ResultError
	var ir *InputRequiredError
	var le *LimitError
	var ue *UnsupportedError
	var pe *ParameterError
	var lost *TaskLostError
	var ended *TaskEndedError
	switch {
	case errors.As(err, &lost):
		return transport.Unknown
	case errors.As(err, &te):
		return te.Delivery
	case errors.As(err, &ended), errors.As(err, &je), errors.As(err, &re), errors.As(err, &ir), errors.As(err, &le):
		return transport.Answered
	case errors.As(err, &ue), errors.As(err, &pe):
		return transport.NotSent
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

// canceled is the error of whoever stops waiting because ctx has ended.
func canceled(ctx context.Context) error {
	return &transport.Error{Kind: transport.KindCanceled, Delivery: transport.Unknown, Err: context.Cause(ctx)}
}

// closedError is the error of what a closed session is asked for.
func (s *Session) closedError() error {
	return &transport.Error{Kind: transport.KindClosed, Delivery: transport.NotSent, Err: s.Err()}
}

// marshal is json.Marshal for values that cannot fail.
func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return b
}
