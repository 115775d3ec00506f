package service

import (
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/protoadapt"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// inputError: something about the server's questions, or what only sessions
// and callers who repeat themselves have.
func inputError(err error) (verdict, bool) {
	var missing *requestNotFoundError
	var connect *connectFirstError
	var reused keyReusedError
	var input *mcp.InputRequiredError
	switch {
	case errors.As(err, &missing):
		return verdict{code: codes.NotFound, reason: mcpbridgev1.Reason_REASON_REQUEST_NOT_FOUND, message: missing.Error()}, true
	case errors.As(err, &connect):
		return verdict{code: codes.FailedPrecondition, reason: mcpbridgev1.Reason_REASON_CONNECT_FIRST, message: connect.Error()}, true
	case errors.Is(err, errStateLost):
		return verdict{code: codes.FailedPrecondition, reason: mcpbridgev1.Reason_REASON_INPUT_STATE_LOST, message: errStateLost.Error()}, true
	case errors.As(err, &reused):
		return verdict{code: codes.AlreadyExists, reason: mcpbridgev1.Reason_REASON_IDEMPOTENCY_KEY_REUSED, message: reused.Error()}, true
	case errors.Is(err, errOutcomeUnknown):
		return verdict{code: codes.Unknown, reason: mcpbridgev1.Reason_REASON_OUTCOME_UNKNOWN, message: errOutcomeUnknown.Error()}, true
	case errors.As(err, &input):
		v := verdict{
			code: codes.FailedPrecondition, reason: mcpbridgev1.Reason_REASON_INPUT_REQUIRED,
			message: "the server asks for input, which nobody gives",
		}
		if detail := inputDetail(input); detail != nil {
			v.details = []protoadapt.MessageV1{protoadapt.MessageV1Of(detail)}
		}
		return v, true
	}
	return verdict{}, false
}

// abilityError: the server, or the revision of MCP that it speaks, does not have
// what was asked for.
func abilityError(err error) (verdict, bool) {
	var unsupported *mcp.UnsupportedError
	var refused *pool.RefusedError
	var said *jsonrpc.Error
	switch {
	case errors.As(err, &unsupported):
		return verdict{code: codes.Unimplemented, reason: mcpbridgev1.Reason_REASON_NOT_SUPPORTED, message: unsupported.Error()}, true
	case errors.As(err, &refused) && !errors.As(err, &said):
		return verdict{
			code: codes.Unimplemented, reason: mcpbridgev1.Reason_REASON_UPSTREAM_UNIMPLEMENTED,
			message: "the server does not report on this resource",
		}, true
	}
	return verdict{}, false
}
