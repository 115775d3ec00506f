package service

import (
	"context"
	"math"
	"strings"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// SetLoggingLevel implements McpServiceServer.
func (s *Service) SetLoggingLevel(ctx context.Context, req *mcpbridgev1.SetLoggingLevelRequest) (*mcpbridgev1.SetLoggingLevelResponse, error) {
	level := levelWord(req.GetLevel())
	if _, known := mcpbridgev1.LoggingLevel_name[int32(req.GetLevel())]; !known || level == "" {
		return nil, &fieldError{Field: "level", Problem: "is required"}
	}
	err := s.withSessions(ctx, call{target: req.GetTarget()}, "SetLoggingLevel", func(ctx context.Context, session *pool.Session) error {
		return session.SetLevel(ctx, level)
	})
	if err != nil {
		return nil, err
	}
	return &mcpbridgev1.SetLoggingLevelResponse{}, nil
}

// SetRoots implements McpServiceServer.
func (s *Service) SetRoots(ctx context.Context, req *mcpbridgev1.SetRootsRequest) (*mcpbridgev1.SetRootsResponse, error) {
	roots, err := convert.Roots(req.GetRoots(), s.opts.JSONDepth)
	if err != nil {
		return nil, fieldOf(err)
	}
	err = s.withSessions(ctx, call{target: req.GetTarget()}, "SetRoots", func(ctx context.Context, session *pool.Session) error {
		return session.SetRoots(ctx, roots)
	})
	if err != nil {
		return nil, err
	}
	return &mcpbridgev1.SetRootsResponse{}, nil
}

// SendProgress implements McpServiceServer.
func (s *Service) SendProgress(ctx context.Context, req *mcpbridgev1.SendProgressRequest) (*mcpbridgev1.SendProgressResponse, error) {
	token, err := convert.Value(req.GetProgressToken(), req.ProgressTokenJson, s.opts.JSONDepth)
	switch {
	case err != nil:
		return nil, &fieldError{Field: "progress_token", Problem: err.Error()}
	case token == nil:
		return nil, &fieldError{Field: "progress_token", Problem: "is required"}
	case token[0] != '"' && token[0] != '-' && (token[0] < '0' || token[0] > '9'):
		return nil, &fieldError{Field: "progress_token", Problem: "must be a string or a number"}
	}
	for field, n := range map[string]float64{"progress": req.GetProgress(), "total": req.GetTotal()} {
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return nil, &fieldError{Field: field, Problem: "must be a number that JSON has"}
		}
	}
	meta, err := s.object("meta", req.GetMeta(), req.MetaJson)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(req.GetTarget(), groupPrefix) {
		return nil, &connectFirstError{What: "SendProgress"} // the token is one member's
	}
	err = s.withSessions(ctx, call{target: req.GetTarget()}, "SendProgress", func(ctx context.Context, session *pool.Session) error {
		return session.SendProgress(ctx, mcp.Progress{
			Token: token, Progress: req.GetProgress(), Total: req.Total, Message: req.GetMessage(), Meta: meta,
		})
	})
	if err != nil {
		return nil, err
	}
	return &mcpbridgev1.SendProgressResponse{}, nil
}
