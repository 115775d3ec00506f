package service

import (
	"errors"

	"google.golang.org/grpc/codes"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

// taskError: what became of a task.
func taskError(err error) (verdict, bool) {
	var missing *mcp.TaskNotFoundError
	var lost *mcp.TaskLostError
	var ended *mcp.TaskEndedError
	switch {
	case errors.As(err, &lost): // of a tool call, whose outcome is unknown then
		return verdict{
			code: codes.Unavailable, reason: mcpbridgev1.Reason_REASON_SESSION_LOST,
			message: "the server made a task of the call, and then nothing more could be learnt of it",
		}, true
	case errors.As(err, &missing):
		return verdict{
			code: codes.NotFound, reason: mcpbridgev1.Reason_REASON_TASK_NOT_FOUND,
			message: "the server has no such task, or none any more",
		}, true
	case errors.As(err, &ended):
		return verdict{code: codes.Unknown, reason: mcpbridgev1.Reason_REASON_UPSTREAM_ERROR, message: clip(ended.Error())}, true
	}
	return verdict{}, false
}
