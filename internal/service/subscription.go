package service

import (
	"context"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/group"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// SubscribeResource implements McpServiceServer.
func (s *Service) SubscribeResource(
	ctx context.Context, req *mcpbridgev1.SubscribeResourceRequest,
) (*mcpbridgev1.SubscribeResourceResponse, error) {
	if err := s.subscription(ctx, req, "SubscribeResource", (*pool.Session).Subscribe); err != nil {
		return nil, err
	}
	return &mcpbridgev1.SubscribeResourceResponse{}, nil
}

// UnsubscribeResource implements McpServiceServer.
func (s *Service) UnsubscribeResource(
	ctx context.Context, req *mcpbridgev1.UnsubscribeResourceRequest,
) (*mcpbridgev1.UnsubscribeResourceResponse, error) {
	if err := s.subscription(ctx, req, "UnsubscribeResource", (*pool.Session).Unsubscribe); err != nil {
		return nil, err
	}
	return &mcpbridgev1.UnsubscribeResourceResponse{}, nil
}

// A subscriptionRequest is either of the two.
type subscriptionRequest interface {
	GetTarget() string
	GetUri() string
	GetMember() string
}

func (s *Service) subscription(
	ctx context.Context, req subscriptionRequest, what string, do func(*pool.Session, context.Context, string) error,
) error {
	if err := required("uri", req.GetUri()); err != nil {
		return err
	}
	how, uri := call{target: req.GetTarget()}, req.GetUri()
	own, placed, err := s.place(ctx, &how, item{kind: group.Resources, uri: uri, member: req.GetMember()})
	if err != nil {
		return err
	}
	if placed {
		uri = own
	}
	return s.withSessions(ctx, how, what, func(ctx context.Context, session *pool.Session) error {
		return do(session, ctx, uri)
	})
}

// withSessions runs fn with the caller's session of that name, or with every
// member of a group, for an RPC that needs sessions, within the time that calls
// may take. The first failure ends it.
func (s *Service) withSessions(ctx context.Context, how call, what string, fn func(context.Context, *pool.Session) error) error {
	targets, err := s.targets(ctx, how.target)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if t.session == nil {
			return &connectFirstError{What: what}
		}
	}
	for _, t := range targets {
		if err := s.withSession(ctx, how, t, fn); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) withSession(ctx context.Context, how call, t target, fn func(context.Context, *pool.Session) error) error {
	ctx, cancel, _, err := s.bound(ctx, limit{}, t.preset)
	if err != nil {
		return err
	}
	defer cancel()
	return how.failed(fn(ctx, t.session))
}
