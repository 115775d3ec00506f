package service

import (
	"context"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
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
	if err := refuse(unused{"member", req.GetMember() != ""}); err != nil {
		return err
	}
	return s.withSession(ctx, req.GetTarget(), what, func(ctx context.Context, session *pool.Session) error {
		return do(session, ctx, req.GetUri())
	})
}

// withSession runs fn with the caller's session of that name, for an RPC that
// needs one, within the time that calls may take.
func (s *Service) withSession(ctx context.Context, name, what string, fn func(context.Context, *pool.Session) error) error {
	t, err := s.target(ctx, name)
	if err != nil {
		return err
	}
	if t.session == nil {
		return &connectFirstError{What: what}
	}
	ctx, cancel, _, err := s.bound(ctx, limit{}, t.preset)
	if err != nil {
		return err
	}
	defer cancel()
	return call{target: name}.failed(fn(ctx, t.session))
}
