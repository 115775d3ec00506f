package service

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/queue"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// The table of faults: what each becomes for a tool call and for a read.
func TestStatus(t *testing.T) {
	t.Parallel()
	sent := func(k transport.Kind, d transport.Delivery) error {
		return &transport.Error{Kind: k, Delivery: d, Err: errors.New("10.0.0.7")}
	}
	http := func(code int, d transport.Delivery) error {
		return &transport.Error{Kind: transport.KindStatus, Status: code, Delivery: d, RetryAfter: 3 * time.Second}
	}
	answer := func(code int64) error { return &jsonrpc.Error{Code: code, Message: "words"} }
	tests := map[string]struct {
		err        error
		tool, read string // "CODE REASON delivery"
	}{
		"exited before the write":       {err: sent(transport.KindExited, transport.NotSent), tool: "Unavailable UPSTREAM_EXITED not_sent", read: "Unavailable UPSTREAM_EXITED not_sent"},
		"exited after the write":        {err: sent(transport.KindExited, transport.Unknown), tool: "Unknown OUTCOME_UNKNOWN unknown", read: "Unavailable UPSTREAM_EXITED unknown"},
		"connection lost":               {err: sent(transport.KindLost, transport.Unknown), tool: "Unknown OUTCOME_UNKNOWN unknown", read: "Unavailable SESSION_LOST unknown"},
		"session lost":                  {err: sent(transport.KindSessionLost, transport.NotSent), tool: "Unavailable SESSION_LOST not_sent", read: "Unavailable SESSION_LOST not_sent"},
		"unreachable":                   {err: &pool.ConnectError{RetryAfter: time.Second, Err: sent(transport.KindUnreachable, transport.NotSent)}, tool: "Unavailable UPSTREAM_UNREACHABLE not_sent", read: "Unavailable UPSTREAM_UNREACHABLE not_sent"},
		"circuit open":                  {err: &pool.ConnectError{RetryAfter: time.Second, CircuitOpen: true, Err: sent(transport.KindExited, transport.NotSent)}, tool: "Unavailable CIRCUIT_OPEN not_sent", read: "Unavailable CIRCUIT_OPEN not_sent"},
		"TLS identity":                  {err: sent(transport.KindIdentity, transport.NotSent), tool: "FailedPrecondition UPSTREAM_IDENTITY not_sent", read: "FailedPrecondition UPSTREAM_IDENTITY not_sent"},
		"guarded address":               {err: sent(transport.KindForbidden, transport.NotSent), tool: "PermissionDenied DESTINATION_FORBIDDEN not_sent", read: "PermissionDenied DESTINATION_FORBIDDEN not_sent"},
		"redirect":                      {err: sent(transport.KindRedirect, transport.Answered), tool: "FailedPrecondition REDIRECT_REFUSED answered", read: "FailedPrecondition REDIRECT_REFUSED answered"},
		"limit":                         {err: sent(transport.KindLimit, transport.Unknown), tool: "ResourceExhausted UPSTREAM_LIMIT unknown", read: "ResourceExhausted UPSTREAM_LIMIT unknown"},
		"not MCP":                       {err: sent(transport.KindProtocol, transport.Unknown), tool: "Internal UPSTREAM_PROTOCOL unknown", read: "Internal UPSTREAM_PROTOCOL unknown"},
		"HTTP 401":                      {err: http(401, transport.Answered), tool: "FailedPrecondition UPSTREAM_AUTH answered", read: "FailedPrecondition UPSTREAM_AUTH answered"},
		"HTTP 429":                      {err: http(429, transport.Answered), tool: "ResourceExhausted UPSTREAM_THROTTLED answered", read: "ResourceExhausted UPSTREAM_THROTTLED answered"},
		"HTTP 503":                      {err: http(503, transport.Unknown), tool: "Unknown OUTCOME_UNKNOWN unknown", read: "Unavailable SESSION_LOST unknown"},
		"deadline of the caller":        {err: &transport.Error{Kind: transport.KindCanceled, Delivery: transport.Unknown, Err: context.DeadlineExceeded}, tool: "DeadlineExceeded DEADLINE_EXCEEDED unknown", read: "DeadlineExceeded DEADLINE_EXCEEDED unknown"},
		"the bridge's own limit":        {err: &transport.Error{Kind: transport.KindCanceled, Delivery: transport.Unknown, Err: errBridgeTimeout}, tool: "DeadlineExceeded BRIDGE_TIMEOUT unknown", read: "DeadlineExceeded BRIDGE_TIMEOUT unknown"},
		"caller gone":                   {err: &transport.Error{Kind: transport.KindCanceled, Delivery: transport.Unknown, Err: context.Canceled}, tool: "Canceled CANCELLED unknown", read: "Canceled CANCELLED unknown"},
		"method not found":              {err: answer(-32601), tool: "Unimplemented UPSTREAM_UNIMPLEMENTED answered", read: "Unimplemented UPSTREAM_UNIMPLEMENTED answered"},
		"invalid params":                {err: answer(-32602), tool: "InvalidArgument UPSTREAM_INVALID_PARAMS answered", read: "InvalidArgument UPSTREAM_INVALID_PARAMS answered"},
		"invalid request":               {err: answer(-32600), tool: "Internal UPSTREAM_REJECTED answered", read: "Internal UPSTREAM_REJECTED answered"},
		"internal error":                {err: answer(-32603), tool: "Internal UPSTREAM_INTERNAL answered", read: "Internal UPSTREAM_INTERNAL answered"},
		"resource not found":            {err: answer(-32002), tool: "NotFound RESOURCE_NOT_FOUND answered", read: "NotFound RESOURCE_NOT_FOUND answered"},
		"an error of the app":           {err: answer(42), tool: "Unknown UPSTREAM_ERROR answered", read: "Unknown UPSTREAM_ERROR answered"},
		"protocol mismatch":             {err: &pool.ConnectError{Err: &mcp.IncompatibleError{Problem: "p"}}, tool: "FailedPrecondition PROTOCOL_MISMATCH not_sent", read: "FailedPrecondition PROTOCOL_MISMATCH not_sent"},
		"invalid result":                {err: &mcp.ResultError{Method: "m", Problem: "p"}, tool: "Internal UPSTREAM_PROTOCOL answered", read: "Internal UPSTREAM_PROTOCOL answered"},
		"input required":                {err: &mcp.InputRequiredError{Method: "m"}, tool: "FailedPrecondition INPUT_REQUIRED answered", read: "FailedPrecondition INPUT_REQUIRED answered"},
		"no such task":                  {err: &mcp.TaskNotFoundError{Err: answer(-32602)}, tool: "NotFound TASK_NOT_FOUND answered", read: "NotFound TASK_NOT_FOUND answered"},
		"a task out of sight":           {err: &mcp.TaskLostError{Err: answer(-32602)}, tool: "Unknown OUTCOME_UNKNOWN unknown", read: "Unavailable SESSION_LOST unknown"},
		"a task that others cancelled":  {err: &mcp.TaskEndedError{Task: new(mcp.Task)}, tool: "Unknown UPSTREAM_ERROR answered", read: "Unknown UPSTREAM_ERROR answered"},
		"state lost":                    {err: &pool.StateLostError{Err: errors.New("x")}, tool: "FailedPrecondition SESSION_STATE_LOST not_sent", read: "FailedPrecondition SESSION_STATE_LOST not_sent"},
		"roots undeclared":              {err: pool.ErrRootsUndeclared, tool: "FailedPrecondition CAPABILITY_REQUIRED not_sent", read: "FailedPrecondition CAPABILITY_REQUIRED not_sent"},
		"quota":                         {err: &pool.QuotaError{Limit: "sessions.max", Max: 1}, tool: "ResourceExhausted QUOTA_EXCEEDED not_sent", read: "ResourceExhausted QUOTA_EXCEEDED not_sent"},
		"draining":                      {err: pool.ErrClosed, tool: "Unavailable DRAINING not_sent", read: "Unavailable DRAINING not_sent"},
		"response too large":            {err: &responseSizeError{Bytes: 2, Max: 1}, tool: "ResourceExhausted RESPONSE_TOO_LARGE answered", read: "ResourceExhausted RESPONSE_TOO_LARGE answered"},
		"a caller that does not read":   {err: &slowCallerError{}, tool: "ResourceExhausted SLOW_CONSUMER answered", read: "ResourceExhausted SLOW_CONSUMER answered"},
		"questions left unread":         {err: &transport.Error{Kind: transport.KindCanceled, Delivery: transport.Unknown, Err: queue.ErrSlow}, tool: "ResourceExhausted SLOW_CONSUMER unknown", read: "ResourceExhausted SLOW_CONSUMER unknown"},
		"an argument for a header":      {err: &mcp.ParameterError{Argument: "a.b", Problem: "p"}, tool: "InvalidArgument INVALID_REQUEST not_sent", read: "InvalidArgument INVALID_REQUEST not_sent"},
		"a handshake without an answer": {err: &pool.ConnectError{Err: sent(transport.KindCanceled, transport.Unknown)}, tool: "Unavailable UPSTREAM_UNREACHABLE not_sent", read: "Unavailable UPSTREAM_UNREACHABLE not_sent"},
		"no connection for any reason":  {err: &pool.ConnectError{Err: errors.New("10.0.0.7")}, tool: "Unavailable UPSTREAM_UNREACHABLE not_sent", read: "Unavailable UPSTREAM_UNREACHABLE not_sent"},
		"5xx with a JSON-RPC body":      {err: &transport.Error{Kind: transport.KindStatus, Status: 503, Delivery: transport.Unknown, Err: answer(-32602)}, tool: "Unknown OUTCOME_UNKNOWN unknown", read: "Unavailable SESSION_LOST unknown"},
		"a panic":                       {err: &panicError{value: "10.0.0.7"}, tool: "Internal BRIDGE_BUG unknown", read: "Internal BRIDGE_BUG unknown"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for tool, want := range map[bool]string{true: tt.tool, false: tt.read} {
				where := &pool.CallError{Server: "s", Transport: "http", Delivery: deliveryOfCause(tt.err), Attempt: 1, Err: tt.err}
				st := statusOf(&callError{Target: "servers/s", Tool: tool, Err: where})
				info := infoOf(t, st)
				got := fmt.Sprintf("%s %s %s", st.Code(), info.GetReason(), info.GetMetadata()["delivery"])
				if got != want {
					t.Errorf("tool %v: got %s, want %s", tool, got, want)
				}
				if strings.Contains(st.String(), "10.0.0.7") {
					t.Errorf("the status shows what is for the log: %v", st)
				}
				if info.GetDomain() != "mcpbridge" || info.GetMetadata()["server"] != "s" {
					t.Errorf("info %v", info)
				}
				if tool && st.Code() == codes.Unavailable && info.GetMetadata()["delivery"] != "not_sent" {
					t.Error("UNAVAILABLE of a tool call that may have run")
				}
				if st.Code() == codes.Unavailable && (strings.Contains(want, "UNREACHABLE") || strings.Contains(want, "CIRCUIT")) && retryOf(st) == 0 {
					t.Error("no RetryInfo")
				}
				if again := statusOf(st.Err()); again != st && again.Code() != st.Code() {
					t.Errorf("a status became %v", again)
				}
			}
		})
	}
}

// deliveryOfCause is what the pool says of an error: nothing is sent before
// there is a session.
func deliveryOfCause(err error) transport.Delivery {
	var connect *pool.ConnectError
	var lost *pool.StateLostError
	var quota *pool.QuotaError
	if errors.As(err, &connect) || errors.As(err, &lost) || errors.As(err, &quota) || errors.Is(err, pool.ErrClosed) ||
		errors.Is(err, pool.ErrRootsUndeclared) {
		return transport.NotSent
	}
	return mcp.DeliveryOf(err)
}

func infoOf(t *testing.T, st *status.Status) *errdetails.ErrorInfo {
	t.Helper()
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info
		}
	}
	t.Fatalf("no ErrorInfo in %v", st)
	return nil
}

func retryOf(st *status.Status) time.Duration {
	for _, d := range st.Details() {
		if r, ok := d.(*errdetails.RetryInfo); ok {
			return r.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

// What the server answered goes along verbatim.
func TestUpstreamDetail(t *testing.T) {
	t.Parallel()
	st := statusOf(&jsonrpc.Error{Code: -32602, Message: "words", Data: []byte(`{"code":9007199254740993}`)})
	for _, d := range st.Details() {
		if e, ok := d.(*mcpbridgev1.UpstreamError); ok {
			if e.GetCode() != -32602 || e.GetMessage() != "words" || e.GetDataJson() != `{"code":9007199254740993}` || e.GetData() == nil {
				t.Errorf("got %v", e)
			}
			return
		}
	}
	t.Errorf("no UpstreamError in %v", st)
}

func TestFieldError(t *testing.T) {
	t.Parallel()
	st := statusOf(&fieldError{Field: "name", Problem: "is required"})
	for _, d := range st.Details() {
		if bad, ok := d.(*errdetails.BadRequest); ok && bad.GetFieldViolations()[0].GetField() == "name" {
			return
		}
	}
	t.Errorf("no BadRequest in %v", st)
}

// BenchmarkStatus measures what a failed call costs, details included.
func BenchmarkStatus(b *testing.B) {
	err := &callError{Target: "servers/x", Tool: true, Err: &pool.CallError{
		Delivery: transport.Unknown,
		Err:      &transport.Error{Kind: transport.KindLost, Delivery: transport.Unknown, Err: errors.New("reset by peer")},
	}}
	b.ReportAllocs()
	for b.Loop() {
		if st := statusOf(err); st.Code() != codes.Unknown || len(st.Details()) == 0 {
			b.Fatal(st)
		}
	}
}
