package service

import (
	"context"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/group"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

// Complete implements McpServiceServer.
func (s *Service) Complete(ctx context.Context, req *mcpbridgev1.CompleteRequest) (*mcpbridgev1.CompleteResponse, error) {
	if err := required("argument.name", req.GetArgument().GetName()); err != nil {
		return nil, err
	}
	c := mcp.Completion{
		Argument: req.GetArgument().GetName(), Value: req.GetArgument().GetValue(), Context: req.GetContextArguments(),
	}
	switch ref := req.GetRef().(type) {
	case *mcpbridgev1.CompleteRequest_Prompt:
		c.Prompt = ref.Prompt
	case *mcpbridgev1.CompleteRequest_Resource:
		c.Resource = ref.Resource
	}
	if c.Prompt == "" && c.Resource == "" {
		return nil, &fieldError{Field: "prompt", Problem: "is required, unless a resource is given"}
	}
	how := call{target: req.GetTarget()}
	it := item{kind: group.Prompts, name: c.Prompt, member: req.GetMember()}
	if c.Prompt == "" {
		it.kind, it.uri = group.Resources, c.Resource
	}
	own, placed, err := s.place(ctx, &how, it)
	if err != nil {
		return nil, err
	}
	if placed {
		c = c.About(own)
	}
	request := mcp.Complete(c)
	if request.Meta, err = s.object("meta", req.GetMeta(), req.MetaJson); err != nil {
		return nil, err
	}
	resp := new(mcpbridgev1.CompleteResponse)
	op := &operation{call: how, request: request, format: req.GetJsonFormat()}
	if err := s.query(ctx, op, resp); err != nil {
		return nil, err
	}
	return resp, nil
}
