package service

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/auth"
	"github.com/mcpbridge/mcpbridge/internal/group"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/queue"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// errorDomain is ErrorInfo.domain of every error of the bridge.
const errorDomain = "mcpbridge"

// A callError is the failure of an MCP call.
type callError struct {
	// Target is the request's, or that of the member of a group.
	Target string
	// Group is the request's target in that case, and Member the member's name.
	Group, Member string
	// Tool: it was a tools/call, of which nobody knows what it did.
	Tool bool
	Err  error
}

func (e *callError) Error() string {
	if e.Group != "" {
		return e.Group + ": " + e.Target + ": " + e.Err.Error()
	}
	return e.Target + ": " + e.Err.Error()
}

func (e *callError) Unwrap() error { return e.Err }

// A responseSizeError says that a response is larger than may be sent.
type responseSizeError struct{ Bytes, Max int }

func (e *responseSizeError) Error() string {
	return fmt.Sprintf("the response has %d bytes, the limit grpc.max_send_bytes is %d", e.Bytes, e.Max)
}

// A slowCallerError says that a caller did not read its stream.
type slowCallerError struct{ Waited time.Duration }

func (e *slowCallerError) Error() string {
	return fmt.Sprintf("the stream was not read for %v after the call had ended", e.Waited)
}

// A verdict is what an error becomes on the wire. The message is for the
// caller's eyes: it says nothing of addresses, nor of what is inside the
// bridge.
type verdict struct {
	code     codes.Code
	reason   mcpbridgev1.Reason
	message  string
	delivery transport.Delivery
	metadata map[string]string
	retry    time.Duration
	details  []protoadapt.MessageV1
}

func (v verdict) reasonName() string { return strings.TrimPrefix(v.reason.String(), "REASON_") }

// StatusError returns the status that an RPC ends with for that error, as an
// error. It is for those who stand before the interceptors.
func StatusError(err error) error { return statusOf(err).Err() }

// statusOf turns an error into a status. It is the only place that does; an
// error that is a status already stays as it is.
func statusOf(err error) *status.Status {
	var as interface{ GRPCStatus() *status.Status }
	if errors.As(err, &as) {
		return as.GRPCStatus()
	}
	v := judge(err)
	return v.status()
}

// judge decides what an error becomes, by the table of docs/errors.md.
func judge(err error) verdict {
	v := classify(err)
	v.delivery = deliveryOf(err)
	v.metadata = metadataOf(err)
	var call *callError
	if v.delivery == transport.Unknown && errors.As(err, &call) && call.Tool && v.code == codes.Unavailable {
		v.code, v.reason = codes.Unknown, mcpbridgev1.Reason_REASON_OUTCOME_UNKNOWN
		v.message = "the tool may have run: " + v.message
	}
	var connect *pool.ConnectError
	if errors.As(err, &connect) && v.code == codes.Unavailable {
		v.retry = max(v.retry, connect.RetryAfter, time.Millisecond)
	}
	return v
}

// deliveryOf says what became of the request that failed.
func deliveryOf(err error) transport.Delivery {
	var where *pool.CallError
	var size *responseSizeError
	var slow *slowCallerError
	var panicked *panicError
	var late *lateError
	delivery := transport.NotSent
	switch {
	case errors.As(err, &size), errors.As(err, &slow):
		return transport.Answered
	case errors.As(err, &panicked), errors.Is(err, errOutcomeUnknown):
		return transport.Unknown
	case errors.As(err, &where):
		delivery = where.Delivery
	case errors.Is(err, queue.ErrSlow) && !errors.As(err, &late): // it is a stream that has ended
		return transport.Answered
	case mcp.DeliveryOf(err) == transport.Answered:
		return transport.Answered
	}
	if delivery == transport.NotSent && errors.As(err, &late) {
		return transport.Unknown
	}
	return delivery
}

// metadataOf says where it happened.
func metadataOf(err error) map[string]string {
	m := make(map[string]string)
	var call *callError
	if errors.As(err, &call) {
		for _, target := range []string{call.Target, call.Group} {
			if kind, name, ok := strings.Cut(target, "/"); ok {
				m[strings.TrimSuffix(kind, "s")] = name
			}
		}
		if call.Member != "" {
			m["member"] = call.Member
		}
	}
	var member *group.MemberError
	if errors.As(err, &member) {
		m["member"] = member.Member.Name
	}
	var where *pool.CallError
	if errors.As(err, &where) {
		if where.Server != "" {
			m["server"] = where.Server
		}
		m["transport"] = where.Transport
		m["attempt"] = strconv.Itoa(where.Attempt)
		if where.Era != mcp.EraUnknown {
			m["era"] = where.Era.String()
		}
	}
	return m
}

// classify chooses code and reason. Kinds of errors are asked for from the
// outside in: what we concluded before what the peer said.
func classify(err error) verdict {
	for _, ask := range []func(error) (verdict, bool){
		ownError, callerError, inputError, taskError, groupError, poolError, authorizationError, abilityError, protocolError,
		transportError, upstreamError, connectError, contextError,
	} {
		if v, ok := ask(err); ok {
			return v
		}
	}
	return verdict{code: codes.Internal, reason: mcpbridgev1.Reason_REASON_BRIDGE_BUG, message: "internal error of the bridge; its log has the details"}
}

// ownError: the request is at fault, before anything was done.
func ownError(err error) (verdict, bool) {
	var field *fieldError
	var parameter *mcp.ParameterError
	var unsupported *unsupportedError
	var size *responseSizeError
	var slow *slowCallerError
	switch {
	case errors.Is(err, queue.ErrSlow):
		return verdict{
			code: codes.ResourceExhausted, reason: mcpbridgev1.Reason_REASON_SLOW_CONSUMER,
			message: "the stream was not read fast enough for the questions on it",
		}, true
	case errors.As(err, &slow):
		return verdict{code: codes.ResourceExhausted, reason: mcpbridgev1.Reason_REASON_SLOW_CONSUMER, message: slow.Error()}, true
	case errors.As(err, &field):
		return invalid(field), true
	case errors.As(err, &parameter):
		return invalid(&fieldError{Field: "arguments." + parameter.Argument, Problem: parameter.Problem}), true
	case errors.As(err, &unsupported):
		return verdict{code: codes.Unimplemented, reason: mcpbridgev1.Reason_REASON_NOT_SUPPORTED, message: unsupported.Error()}, true
	case errors.As(err, &size):
		return verdict{code: codes.ResourceExhausted, reason: mcpbridgev1.Reason_REASON_RESPONSE_TOO_LARGE, message: size.Error()}, true
	case errors.Is(err, errURLForbidden):
		return verdict{code: codes.PermissionDenied, reason: mcpbridgev1.Reason_REASON_DESTINATION_FORBIDDEN, message: errURLForbidden.Error()}, true
	case errors.Is(err, errCommandForbidden):
		return verdict{code: codes.PermissionDenied, reason: mcpbridgev1.Reason_REASON_STDIO_FORBIDDEN, message: errCommandForbidden.Error()}, true
	}
	return verdict{}, false
}

func invalid(field *fieldError) verdict {
	return verdict{
		code: codes.InvalidArgument, reason: mcpbridgev1.Reason_REASON_INVALID_REQUEST, message: field.Error(),
		details: []protoadapt.MessageV1{&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: field.Field, Description: field.Problem},
		}}},
	}
}

// identityRetry is when a caller that could not be authenticated may try again,
// at the earliest.
const identityRetry = time.Second

// callerError: it is not known who is calling, or the caller may not do this, or
// not so much of it.
func callerError(err error) (verdict, bool) {
	var unauthenticated *auth.Error
	var unavailable *auth.UnavailableError
	var forbidden *toolForbiddenError
	var quota *auth.QuotaError
	switch {
	case errors.As(err, &unauthenticated):
		return verdict{
			code: codes.Unauthenticated, reason: mcpbridgev1.Reason_REASON_UNAUTHENTICATED, message: unauthenticated.Error(),
		}, true
	case errors.As(err, &unavailable):
		return verdict{
			code: codes.Unavailable, reason: mcpbridgev1.Reason_REASON_UPSTREAM_UNREACHABLE,
			message: "the issuer of the token cannot be reached", retry: max(unavailable.RetryAfter, identityRetry),
		}, true
	case errors.As(err, &forbidden):
		return verdict{code: codes.PermissionDenied, reason: mcpbridgev1.Reason_REASON_PERMISSION_DENIED, message: forbidden.Error()}, true
	case errors.Is(err, pool.ErrRootsUndeclared):
		return verdict{
			code: codes.FailedPrecondition, reason: mcpbridgev1.Reason_REASON_CAPABILITY_REQUIRED,
			message: pool.ErrRootsUndeclared.Error() + "; connect again with roots",
		}, true
	case errors.As(err, &quota):
		return exceeded(quota.Limit, quota.Error(), quota.RetryAfter), true
	}
	return verdict{}, false
}

// exceeded: the caller, or all of them, are at a limit.
func exceeded(limit, message string, retry time.Duration) verdict {
	return verdict{
		code: codes.ResourceExhausted, reason: mcpbridgev1.Reason_REASON_QUOTA_EXCEEDED, message: message, retry: retry,
		details: []protoadapt.MessageV1{&errdetails.QuotaFailure{Violations: []*errdetails.QuotaFailure_Violation{
			{Subject: limit, Description: message},
		}}},
	}
}

// poolError: there is no session for the call.
func poolError(err error) (verdict, bool) {
	var missing *pool.NotFoundError
	var stateful *pool.StatefulError
	var lost *pool.StateLostError
	var quota *pool.QuotaError
	var connect *pool.ConnectError
	switch {
	case errors.As(err, &connect) && connect.CircuitOpen:
		return verdict{
			code: codes.Unavailable, reason: mcpbridgev1.Reason_REASON_CIRCUIT_OPEN,
			message: "the server has failed too often lately; the bridge tries it again by itself",
		}, true
	case errors.As(err, &missing):
		v := verdict{code: codes.NotFound, reason: mcpbridgev1.Reason_REASON_SESSION_NOT_FOUND, message: missing.Error()}
		if missing.Kind == "server" {
			v.reason = mcpbridgev1.Reason_REASON_SERVER_NOT_FOUND
		} else if missing.Expired {
			v.reason = mcpbridgev1.Reason_REASON_SESSION_EXPIRED
		}
		return v, true
	case errors.As(err, &stateful):
		return verdict{code: codes.FailedPrecondition, reason: mcpbridgev1.Reason_REASON_CONNECT_FIRST, message: stateful.Error()}, true
	case errors.As(err, &lost):
		return verdict{
			code: codes.FailedPrecondition, reason: mcpbridgev1.Reason_REASON_SESSION_STATE_LOST,
			message: "the server has lost the session and what it kept for it; connect again",
		}, true
	case errors.Is(err, pool.ErrRootsUndeclared):
		return verdict{
			code: codes.FailedPrecondition, reason: mcpbridgev1.Reason_REASON_CAPABILITY_REQUIRED,
			message: pool.ErrRootsUndeclared.Error() + "; connect again with roots",
		}, true
	case errors.As(err, &quota):
		return exceeded(quota.Limit, quota.Error(), time.Second), true
	case errors.Is(err, pool.ErrClosed):
		return verdict{code: codes.Unavailable, reason: mcpbridgev1.Reason_REASON_DRAINING, message: pool.ErrClosed.Error(), retry: time.Second}, true
	}
	return verdict{}, false
}

// protocolError: the server does not speak MCP as we do.
func protocolError(err error) (verdict, bool) {
	var mismatch *mcp.IncompatibleError
	var result *mcp.ResultError
	var limit *mcp.LimitError
	switch {
	case errors.As(err, &mismatch):
		return verdict{code: codes.FailedPrecondition, reason: mcpbridgev1.Reason_REASON_PROTOCOL_MISMATCH, message: mismatch.Error()}, true
	case errors.As(err, &result):
		return verdict{code: codes.Internal, reason: mcpbridgev1.Reason_REASON_UPSTREAM_PROTOCOL, message: result.Error()}, true
	case errors.As(err, &limit):
		return verdict{
			code: codes.ResourceExhausted, reason: mcpbridgev1.Reason_REASON_UPSTREAM_LIMIT,
			message: "what the server sent is " + limit.Error(),
		}, true
	}
	return verdict{}, false
}

// connectError: there was no connection, for a reason that has no kind.
func connectError(err error) (verdict, bool) {
	var e *pool.ConnectError
	return verdict{
		code: codes.Unavailable, reason: mcpbridgev1.Reason_REASON_UPSTREAM_UNREACHABLE, message: "the server cannot be reached",
	}, errors.As(err, &e)
}

// contextError: time ran out, or the caller went away.
func contextError(err error) (verdict, bool) {
	switch {
	case errors.Is(err, errBridgeTimeout):
		return verdict{code: codes.DeadlineExceeded, reason: mcpbridgev1.Reason_REASON_BRIDGE_TIMEOUT, message: errBridgeTimeout.Error()}, true
	case errors.Is(err, errRequestTimeout):
		return verdict{code: codes.DeadlineExceeded, reason: mcpbridgev1.Reason_REASON_DEADLINE_EXCEEDED, message: errRequestTimeout.Error()}, true
	case errors.Is(err, context.DeadlineExceeded):
		return verdict{code: codes.DeadlineExceeded, reason: mcpbridgev1.Reason_REASON_DEADLINE_EXCEEDED, message: "the deadline of the call is over"}, true
	case errors.Is(err, context.Canceled):
		return verdict{code: codes.Canceled, reason: mcpbridgev1.Reason_REASON_CANCELLED, message: "the caller cancelled the call"}, true
	}
	return verdict{}, false
}

// status makes the status of a verdict.
func (v verdict) status() *status.Status {
	v.metadata["delivery"] = v.delivery.String()
	details := append([]protoadapt.MessageV1{
		&errdetails.ErrorInfo{Reason: v.reasonName(), Domain: errorDomain, Metadata: v.metadata},
	}, v.details...)
	if v.retry > 0 {
		wait := time.Duration(math.Ceil(v.retry.Seconds()*1000)) * time.Millisecond
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
	}
	st := status.New(v.code, strings.ToValidUTF8(v.message, "\ufffd"))
	if full, err := st.WithDetails(details...); err == nil {
		return full
	}
	return st
}
