package service

import (
	"context"
	"errors"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// Respond implements McpServiceServer.
func (s *Service) Respond(ctx context.Context, req *mcpbridgev1.RespondRequest) (*mcpbridgev1.RespondResponse, error) {
	targets, err := s.targets(ctx, req.GetTarget())
	if err != nil {
		return nil, err
	}
	if err := required("id", req.GetId()); err != nil {
		return nil, err
	}
	err = &requestNotFoundError{ID: req.GetId()}
	for _, t := range targets {
		err = s.questions.respond(t.principal, t.name, req.GetId(), req.GetResponse(), s.opts.JSONDepth)
		var elsewhere *requestNotFoundError
		if !errors.As(err, &elsewhere) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return &mcpbridgev1.RespondResponse{}, nil
}
