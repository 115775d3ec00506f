package gateway_test

import (
	"context"

	"google.golang.org/grpc"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// stub is a service of function fields. Those that are nil succeed, and what is
// not here is UNIMPLEMENTED.
type stub struct {
	mcpbridgev1.UnimplementedMcpServiceServer
	callTool     func(context.Context, *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error)
	readResource func(context.Context, *mcpbridgev1.ReadResourceRequest) (*mcpbridgev1.ReadResourceResponse, error)
	addMember    func(context.Context, *mcpbridgev1.AddGroupMemberRequest) (*mcpbridgev1.AddGroupMemberResponse, error)
	getServer    func(context.Context, *mcpbridgev1.GetServerRequest) (*mcpbridgev1.GetServerResponse, error)
	stream       func(*mcpbridgev1.CallToolStreamRequest, callStream) error
	watch        func(*mcpbridgev1.WatchEventsRequest, watchStream) error
}

type (
	callStream  = grpc.ServerStreamingServer[mcpbridgev1.CallToolStreamResponse]
	watchStream = grpc.ServerStreamingServer[mcpbridgev1.WatchEventsResponse]
)

func (s *stub) CallTool(ctx context.Context, in *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error) {
	return unary(ctx, in, s.callTool)
}

func (s *stub) ReadResource(ctx context.Context, in *mcpbridgev1.ReadResourceRequest) (*mcpbridgev1.ReadResourceResponse, error) {
	return unary(ctx, in, s.readResource)
}

func (s *stub) AddGroupMember(ctx context.Context, in *mcpbridgev1.AddGroupMemberRequest) (*mcpbridgev1.AddGroupMemberResponse, error) {
	return unary(ctx, in, s.addMember)
}

func (s *stub) GetServer(ctx context.Context, in *mcpbridgev1.GetServerRequest) (*mcpbridgev1.GetServerResponse, error) {
	return unary(ctx, in, s.getServer)
}

func (s *stub) CallToolStream(in *mcpbridgev1.CallToolStreamRequest, out callStream) error {
	if s.stream == nil {
		return nil
	}
	return s.stream(in, out)
}

func (s *stub) WatchEvents(in *mcpbridgev1.WatchEventsRequest, out watchStream) error {
	if s.watch == nil {
		return nil
	}
	return s.watch(in, out)
}

// unary calls method, or returns an empty response if it is nil.
func unary[In, Out any](ctx context.Context, in *In, method func(context.Context, *In) (*Out, error)) (*Out, error) {
	if method == nil {
		return new(Out), nil
	}
	return method(ctx, in)
}
