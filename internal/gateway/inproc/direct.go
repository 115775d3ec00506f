package inproc

import (
	"context"
	"reflect"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Call calls a unary method as [Channel.Invoke] does, but without copies. The
// service gets md, which the caller does not modify any more, and request
// itself, which is the service's from then on. The response is the service's
// too, and a copy only where the service has left fields as wire bytes. There
// must be no metadata in ctx.
func (c *Channel) Call(
	ctx context.Context, method string, md metadata.MD, request proto.Message, opts ...grpc.CallOption,
) (proto.Message, error) {
	desc, known := c.methods[method]
	if !known {
		return nil, status.Errorf(codes.Unimplemented, "unknown method %s", method)
	}
	call := startCall(ctx, md, method)
	// The handler makes a message to decode into. That stays empty: the
	// interceptor puts the request in its place.
	result, err := desc.Handler(c.service, call.ctx, func(empty any) error {
		if reflect.TypeOf(empty) != reflect.TypeOf(request) {
			return status.Errorf(codes.Internal, "a %T was sent where a %T is expected", request, empty)
		}
		return nil
	}, c.passing(request))
	call.report(opts)
	if err != nil {
		return nil, toStatus(err)
	}
	return opened(result)
}

// passing returns an interceptor that goes on with request through those of the
// channel.
func (c *Channel) passing(request proto.Message) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, _ any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		if c.unary == nil {
			return handler(ctx, request)
		}
		return c.unary(ctx, request, info, handler)
	}
}

// opened returns a result as a message with all its fields as such. What the
// service has sent is not modified: it may have sent it to others as well.
func opened(result any) (proto.Message, error) {
	m, ok := result.(proto.Message)
	if !ok {
		return nil, status.Errorf(codes.Internal, "a %T is no message", result)
	}
	if len(m.ProtoReflect().GetUnknown()) == 0 {
		return m, nil
	}
	fresh := m.ProtoReflect().New().Interface()
	if err := handOver(fresh, m); err != nil {
		return nil, toStatus(err)
	}
	return fresh, nil
}
