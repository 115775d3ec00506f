package service

import (
	"context"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

// ListResources implements McpServiceServer.
func (s *Service) ListResources(ctx context.Context, req *mcpbridgev1.ListResourcesRequest) (*mcpbridgev1.ListResourcesResponse, error) {
	resp := new(mcpbridgev1.ListResourcesResponse)
	var err error
	resp.NextCursor, err = s.list(ctx, mcp.ListResources(), req, resp)
	return resp, err
}

// ListResourceTemplates implements McpServiceServer.
func (s *Service) ListResourceTemplates(
	ctx context.Context, req *mcpbridgev1.ListResourceTemplatesRequest,
) (*mcpbridgev1.ListResourceTemplatesResponse, error) {
	resp := new(mcpbridgev1.ListResourceTemplatesResponse)
	var err error
	resp.NextCursor, err = s.list(ctx, mcp.ListResourceTemplates(), req, resp)
	return resp, err
}

// ReadResource implements McpServiceServer.
func (s *Service) ReadResource(ctx context.Context, req *mcpbridgev1.ReadResourceRequest) (*mcpbridgev1.ReadResourceResponse, error) {
	if err := required("uri", req.GetUri()); err != nil {
		return nil, err
	}
	if err := refuse(
		unused{"member", req.GetMember() != ""},
		unused{"answers", req.GetAnswers() != nil},
		unused{"accept_input_required", req.GetAcceptInputRequired()},
		unused{"input_responses", len(req.GetInputResponses()) > 0},
		unused{"request_state", req.RequestState != nil},
	); err != nil {
		return nil, err
	}
	c := mcp.ReadResource(req.GetUri())
	var err error
	if c.Meta, err = s.object("meta", req.GetMeta(), req.MetaJson); err != nil {
		return nil, err
	}
	resp := new(mcpbridgev1.ReadResourceResponse)
	err = s.read(ctx, call{target: req.GetTarget(), timeout: req.GetTimeout()}, c, resp, req.GetJsonFormat())
	if err != nil {
		return nil, err
	}
	return resp, nil
}
