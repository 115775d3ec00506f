package service

import (
	"context"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/group"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
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
	op, err := s.toolOperation(req)
	if err != nil {
		return nil, err
	}
	t, err := s.aim(ctx, op)
	if err != nil {
		return nil, err
	}
	if err := s.allowTool(ctx, t.Server(), op.tool); err != nil {
		return nil, err
	}
	resp := new(mcpbridgev1.CallToolResponse)
	if err := s.callTool(ctx, op, t, req, resp); err != nil {
		return nil, err
	}
	return resp, nil
}

// callTool makes the call, which the caller may make, for the RPC that ctx
// belongs to.
func (s *Service) callTool(ctx context.Context, op *operation, t target, req toolRequest, resp *mcpbridgev1.CallToolResponse) error {
	if op.follower == nil {
		op.request.OnSend = commit(ctx)
	}
	if key := req.GetIdempotencyKey(); key != "" {
		return s.once(ctx, key, op, t, req, resp)
	}
	return s.perform(ctx, op, t, resp)
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
	GetLogLevel() mcpbridgev1.LoggingLevel
	GetExtendTimeoutOnProgress() bool
	GetIdempotencyKey() string
	GetTask() *mcpbridgev1.TaskOptions
	ProtoReflect() protoreflect.Message
}

// toolOperation checks the request, before any I/O.
func (s *Service) toolOperation(req toolRequest) (*operation, error) {
	if err := required("name", req.GetName()); err != nil {
		return nil, err
	}
	argumentsJSON, metaJSON, state := optionals(req)
	in, err := s.inputs(req, state)
	if err != nil {
		return nil, err
	}
	arguments, err := s.object("arguments", req.GetArguments(), argumentsJSON)
	if err != nil {
		return nil, err
	}
	c := mcp.CallTool(req.GetName(), arguments)
	if c.Meta, err = s.object("meta", req.GetMeta(), metaJSON); err != nil {
		return nil, err
	}
	if c.Task, err = taskOptions(req.GetTask()); err != nil {
		return nil, err
	}
	c.LogLevel = levelWord(req.GetLogLevel())
	return &operation{
		call: call{
			target: req.GetTarget(), tool: req.GetName(), item: item{kind: group.Tools, name: req.GetName()},
			limit: limit{asked: req.GetTimeout(), renew: req.GetExtendTimeoutOnProgress()},
		},
		request: c, format: req.GetJsonFormat(), inputs: in,
	}, nil
}

// optionals returns the optional texts of a request, whose getters cannot tell
// absent from empty.
func optionals(req toolRequest) (argumentsJSON, metaJSON, state *string) {
	switch r := req.(type) {
	case *mcpbridgev1.CallToolRequest:
		return r.ArgumentsJson, r.MetaJson, r.RequestState
	case *mcpbridgev1.CallToolStreamRequest:
		return r.ArgumentsJson, r.MetaJson, r.RequestState
	}
	return nil, nil, nil
}
