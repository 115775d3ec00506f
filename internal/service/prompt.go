package service

import (
	"context"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
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
	if err := refuse(
		unused{"answers", req.GetAnswers() != nil},
		unused{"accept_input_required", req.GetAcceptInputRequired()},
		unused{"input_responses", len(req.GetInputResponses()) > 0},
		unused{"request_state", req.RequestState != nil},
	); err != nil {
		return nil, err
	}
	c := mcp.GetPrompt(req.GetName(), stringMap(req.GetArguments()))
	var err error
	if c.Meta, err = s.object("meta", req.GetMeta(), req.MetaJson); err != nil {
		return nil, err
	}
	resp := new(mcpbridgev1.GetPromptResponse)
	err = s.read(ctx, call{target: req.GetTarget(), timeout: req.GetTimeout()}, c, resp, req.GetJsonFormat())
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// read makes a call that may be repeated and converts its result into resp.
func (s *Service) read(ctx context.Context, how call, c *mcp.Call, resp proto.Message, format convert.Format) error {
	_, err := s.do(ctx, how, func(ctx context.Context, session *pool.Live) error {
		result, err := session.Call(ctx, c)
		if err != nil {
			return err
		}
		return s.seal(resp, result.JSON, format)
	})
	return err
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
