package service

import (
	"context"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// Respond implements McpServiceServer.
func (s *Service) Respond(ctx context.Context, req *mcpbridgev1.RespondRequest) (*mcpbridgev1.RespondResponse, error) {
	t, err := s.target(ctx, req.GetTarget())
	if err != nil {
		return nil, err
	}
	if err := required("id", req.GetId()); err != nil {
		return nil, err
	}
	if err := s.questions.respond(t.principal, t.name, req.GetId(), req.GetResponse(), s.opts.JSONDepth); err != nil {
		return nil, err
	}
	return &mcpbridgev1.RespondResponse{}, nil
}
