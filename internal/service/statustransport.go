package service

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// transportError: bytes did not get through.
func transportError(err error) (verdict, bool) {
	var e *transport.Error
	if !errors.As(err, &e) {
		return verdict{}, false
	}
	v := verdict{code: codes.Unavailable, reason: mcpbridgev1.Reason_REASON_SESSION_LOST, retry: e.RetryAfter}
	var connect *pool.ConnectError
	switch e.Kind {
	case transport.KindCanceled:
		if !errors.As(err, &connect) {
			return contextError(err)
		}
		// It was the attempt that ran out of time, not the call.
		v.reason, v.message = mcpbridgev1.Reason_REASON_UPSTREAM_UNREACHABLE, "the server did not answer in time"
	case transport.KindUnreachable:
		v.reason, v.message = mcpbridgev1.Reason_REASON_UPSTREAM_UNREACHABLE, "the server cannot be reached"
	case transport.KindExited:
		v.reason, v.message = mcpbridgev1.Reason_REASON_UPSTREAM_EXITED, "the server's process has ended"
	case transport.KindLost:
		v.message = "the connection to the server was lost"
	case transport.KindSessionLost:
		v.message = "the server does not know the session any more"
	case transport.KindClosed:
		v.message = "the connection to the server was closed"
	case transport.KindIdentity:
		v.code, v.reason = codes.FailedPrecondition, mcpbridgev1.Reason_REASON_UPSTREAM_IDENTITY
		v.message = "the server's TLS certificate is not accepted"
	case transport.KindForbidden:
		v.code, v.reason = codes.PermissionDenied, mcpbridgev1.Reason_REASON_DESTINATION_FORBIDDEN
		v.message = "the operator does not allow this destination"
	case transport.KindRedirect:
		v.code, v.reason = codes.FailedPrecondition, mcpbridgev1.Reason_REASON_REDIRECT_REFUSED
		v.message = "the server redirects, which is not followed; the operator has to configure the final URL, which the bridge's log has"
	case transport.KindLimit:
		v.code, v.reason = codes.ResourceExhausted, mcpbridgev1.Reason_REASON_UPSTREAM_LIMIT
		v.message = "a message between the bridge and the server is over a limit"
	case transport.KindProtocol:
		v.code, v.reason = codes.Internal, mcpbridgev1.Reason_REASON_UPSTREAM_PROTOCOL
		v.message = "the server sent something that is not MCP"
	case transport.KindStatus, transport.KindConsent:
		v = httpStatus(e)
	}
	if e.Detail != "" {
		v.message += ": " + clip(e.Detail)
	}
	return v, true
}

func httpStatus(e *transport.Error) verdict {
	v := verdict{
		code: codes.Unavailable, reason: mcpbridgev1.Reason_REASON_SESSION_LOST, retry: e.RetryAfter,
		message: fmt.Sprintf("the server answered with HTTP status %d", e.Status),
	}
	switch {
	case e.Status == 401 || e.Status == 403:
		v.code, v.reason = codes.FailedPrecondition, mcpbridgev1.Reason_REASON_UPSTREAM_AUTH
	case e.Status == 429:
		v.code, v.reason = codes.ResourceExhausted, mcpbridgev1.Reason_REASON_UPSTREAM_THROTTLED
		v.retry = max(v.retry, time.Second)
	case e.Status == 400 || e.Status == 422:
		v.code, v.reason = codes.InvalidArgument, mcpbridgev1.Reason_REASON_UPSTREAM_INVALID_PARAMS
	case e.Status < 500:
		v.code, v.reason = codes.FailedPrecondition, mcpbridgev1.Reason_REASON_PROTOCOL_MISMATCH
	}
	return v
}
