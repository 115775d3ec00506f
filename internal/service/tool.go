package service

import (
	"context"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// ListTools implements McpServiceServer.
func (s *Service) ListTools(ctx context.Context, req *mcpbridgev1.ListToolsRequest) (*mcpbridgev1.ListToolsResponse, error) {
	resp := new(mcpbridgev1.ListToolsResponse)
	var err error
	resp.NextCursor, err = s.list(ctx, mcp.ListTools(), req, resp)
	return resp, err
}

// CallTool implements McpServiceServer.
func (s *Service) CallTool(ctx context.Context, req *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error) {
	c, err := s.toolCall(req)
	if err != nil {
		return nil, err
	}
	c.OnSend = commit(ctx)
	return s.callTool(ctx, c, req)
}

func (s *Service) callTool(ctx context.Context, c *mcp.Call, req toolRequest) (*mcpbridgev1.CallToolResponse, error) {
	resp := new(mcpbridgev1.CallToolResponse)
	_, err := s.do(ctx, call{target: req.GetTarget(), timeout: req.GetTimeout(), tool: req.GetName()},
		func(ctx context.Context, session *pool.Live) error {
			result, err := session.Call(ctx, c)
			if err != nil {
				return err
			}
			return s.seal(resp, result.JSON, req.GetJsonFormat())
		})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// A toolRequest is what CallToolRequest and CallToolStreamRequest have in
// common, which is everything.
type toolRequest interface { //nolint:interfacebloat // the getters of two generated types
	GetTarget() string
	GetName() string
	GetArguments() *structpb.Struct
	GetMeta() *structpb.Struct
	GetMetaJson() string
	GetTimeout() *durationpb.Duration
	GetJsonFormat() mcpbridgev1.JsonFormat
	GetAnswers() *mcpbridgev1.Answers
	GetAcceptInputRequired() bool
	GetInputResponses() map[string]*mcpbridgev1.InputResponse
	GetRequestState() string
	GetLogLevel() mcpbridgev1.LoggingLevel
	GetIdempotencyKey() string
	GetTask() *mcpbridgev1.TaskOptions
}

// toolCall checks the request and makes the MCP call of it, before any I/O.
func (s *Service) toolCall(req toolRequest) (*mcp.Call, error) {
	if err := required("name", req.GetName()); err != nil {
		return nil, err
	}
	if err := refuse(
		unused{"answers", req.GetAnswers() != nil},
		unused{"accept_input_required", req.GetAcceptInputRequired()},
		unused{"input_responses", len(req.GetInputResponses()) > 0},
		unused{"request_state", req.GetRequestState() != ""},
		unused{"idempotency_key", req.GetIdempotencyKey() != ""},
		unused{"task", req.GetTask() != nil},
	); err != nil {
		return nil, err
	}
	argumentsJSON, metaJSON := twins(req)
	arguments, err := s.object("arguments", req.GetArguments(), argumentsJSON)
	if err != nil {
		return nil, err
	}
	c := mcp.CallTool(req.GetName(), arguments)
	if c.Meta, err = s.object("meta", req.GetMeta(), metaJSON); err != nil {
		return nil, err
	}
	c.LogLevel = levelWord(req.GetLogLevel())
	return c, nil
}

// twins returns the optional texts of a request, whose getters cannot tell
// absent from empty.
func twins(req toolRequest) (argumentsJSON, metaJSON *string) {
	switch r := req.(type) {
	case *mcpbridgev1.CallToolRequest:
		return r.ArgumentsJson, r.MetaJson
	case *mcpbridgev1.CallToolStreamRequest:
		return r.ArgumentsJson, r.MetaJson
	}
	return nil, nil
}
