package service

import (
	"context"
	"maps"
	"slices"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/group"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// ListPrompts implements McpServiceServer.
func (s *Service) ListPrompts(ctx context.Context, req *mcpbridgev1.ListPromptsRequest) (*mcpbridgev1.ListPromptsResponse, error) {
	resp := new(mcpbridgev1.ListPromptsResponse)
	var err error
	resp.NextCursor, err = s.list(ctx, mcp.ListPrompts(), req, resp)
	return resp, err
}

// GetPrompt implements McpServiceServer.
func (s *Service) GetPrompt(ctx context.Context, req *mcpbridgev1.GetPromptRequest) (*mcpbridgev1.GetPromptResponse, error) {
	if err := required("name", req.GetName()); err != nil {
		return nil, err
	}
	in, err := s.inputs(req, req.RequestState)
	if err != nil {
		return nil, err
	}
	c := mcp.GetPrompt(req.GetName(), stringMap(req.GetArguments()))
	if c.Meta, err = s.object("meta", req.GetMeta(), req.MetaJson); err != nil {
		return nil, err
	}
	op := &operation{
		call: call{
			target: req.GetTarget(), limit: limit{asked: req.GetTimeout()}, item: item{kind: group.Prompts, name: req.GetName()},
		},
		request: c, format: req.GetJsonFormat(), inputs: in,
	}
	resp := new(mcpbridgev1.GetPromptResponse)
	if err := s.query(ctx, op, resp); err != nil {
		return nil, err
	}
	return resp, nil
}

// stringMap returns the text of a JSON object, nil for no members.
func stringMap(m map[string]string) []byte {
	if len(m) == 0 {
		return nil
	}
	b := []byte{'{'}
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(rawjson.AppendString(b, k), ':')
		b = rawjson.AppendString(b, m[k])
	}
	return append(b, '}')
}
