package service

import (
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/protoadapt"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/group"
)

// groupError: the group cannot do it, whatever its members say.
func groupError(err error) (verdict, bool) {
	var (
		missing    *group.NotFoundError
		member     *group.MemberNotFoundError
		item       *group.ItemNotFoundError
		exists     *group.ExistsError
		collision  *group.CollisionError
		configured *group.ConfiguredError
		quota      *group.QuotaError
		limit      *group.LimitError
	)
	switch {
	case errors.As(err, &missing):
		return verdict{code: codes.NotFound, reason: mcpbridgev1.Reason_REASON_GROUP_NOT_FOUND, message: missing.Error()}, true
	case errors.As(err, &member):
		return verdict{code: codes.NotFound, reason: mcpbridgev1.Reason_REASON_MEMBER_NOT_FOUND, message: member.Error()}, true
	case errors.As(err, &item):
		return verdict{code: codes.NotFound, reason: mcpbridgev1.Reason_REASON_ITEM_NOT_FOUND, message: item.Error()}, true
	case errors.As(err, &exists):
		v := verdict{code: codes.AlreadyExists, reason: mcpbridgev1.Reason_REASON_GROUP_EXISTS, message: exists.Error()}
		if exists.Kind == "member" {
			v.reason = mcpbridgev1.Reason_REASON_NAME_COLLISION
		}
		return v, true
	case errors.As(err, &collision):
		return verdict{code: codes.AlreadyExists, reason: mcpbridgev1.Reason_REASON_NAME_COLLISION, message: collision.Error()}, true
	case errors.As(err, &configured):
		return verdict{code: codes.FailedPrecondition, reason: mcpbridgev1.Reason_REASON_GROUP_CONFIGURED, message: configured.Error()}, true
	case errors.As(err, &quota):
		return verdict{
			code: codes.ResourceExhausted, reason: mcpbridgev1.Reason_REASON_QUOTA_EXCEEDED, message: quota.Error(),
			details: []protoadapt.MessageV1{&errdetails.QuotaFailure{Violations: []*errdetails.QuotaFailure_Violation{
				{Subject: quota.Limit, Description: quota.Error()},
			}}},
		}, true
	case errors.As(err, &limit):
		return verdict{code: codes.ResourceExhausted, reason: mcpbridgev1.Reason_REASON_UPSTREAM_LIMIT, message: limit.Error()}, true
	case errors.Is(err, group.ErrTimeout):
		return verdict{code: codes.Unavailable, reason: mcpbridgev1.Reason_REASON_UPSTREAM_UNREACHABLE, message: group.ErrTimeout.Error()}, true
	}
	return verdict{}, false
}
