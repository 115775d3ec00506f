package service

import (
	"context"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/group"
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
	in, err := s.inputs(req, req.RequestState)
	if err != nil {
		return nil, err
	}
	c := mcp.ReadResource(req.GetUri())
	if c.Meta, err = s.object("meta", req.GetMeta(), req.MetaJson); err != nil {
		return nil, err
	}
	op := &operation{
		call: call{
			target: req.GetTarget(), limit: limit{asked: req.GetTimeout()},
			item: item{kind: group.Resources, uri: req.GetUri(), member: req.GetMember()},
		},
		request: c, format: req.GetJsonFormat(), inputs: in,
	}
	resp := new(mcpbridgev1.ReadResourceResponse)
	if err := s.query(ctx, op, resp); err != nil {
		return nil, err
	}
	return resp, nil
}
