// Package inproc is a gRPC channel to a service in the same process: the same
// interceptors as behind a socket, but neither serialization nor HTTP/2 in
// between.
package inproc

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Options are what a call passes on its way to the service, as given to a
// grpc.Server.
type Options struct {
	// UnaryInterceptors and StreamInterceptors, the outermost first.
	UnaryInterceptors  []grpc.UnaryServerInterceptor
	StreamInterceptors []grpc.StreamServerInterceptor
}

// A Channel calls one service. It may be used concurrently; there is nothing to
// close.
//
// The service sees the deadline, the cancellation, the peer and the values of
// the caller's context, and the outgoing metadata of it as incoming. Messages
// are handed over by shallow copies: neither side may modify what it has sent,
// nor anything within what it has received. A panic of the service is the
// caller's, unless an interceptor recovers it.
type Channel struct {
	service   any
	methods   map[string]*grpc.MethodDesc
	streams   map[string]*grpc.StreamDesc
	unary     grpc.UnaryServerInterceptor // nil: none
	streaming grpc.StreamServerInterceptor
}

var _ grpc.ClientConnInterface = (*Channel)(nil)

// New returns a channel to service, which desc describes.
func New(desc *grpc.ServiceDesc, service any, opts Options) *Channel {
	c := &Channel{
		service:   service,
		methods:   make(map[string]*grpc.MethodDesc, len(desc.Methods)),
		streams:   make(map[string]*grpc.StreamDesc, len(desc.Streams)),
		unary:     chainUnary(opts.UnaryInterceptors),
		streaming: chainStream(opts.StreamInterceptors),
	}
	for i := range desc.Methods {
		c.methods["/"+desc.ServiceName+"/"+desc.Methods[i].MethodName] = &desc.Methods[i]
	}
	for i := range desc.Streams {
		c.streams["/"+desc.ServiceName+"/"+desc.Streams[i].StreamName] = &desc.Streams[i]
	}
	return c
}

// Invoke calls a unary method on the caller's goroutine. Of the options it
// heeds grpc.Header and grpc.Trailer. The error is a status.
func (c *Channel) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	desc, known := c.methods[method]
	if !known {
		return status.Errorf(codes.Unimplemented, "unknown method %s", method)
	}
	call := newCall(ctx, method)
	result, err := desc.Handler(c.service, call.ctx, func(request any) error { return handOver(request, args) }, c.unary)
	if err == nil {
		err = handOver(reply, result)
	}
	call.report(opts)
	return toStatus(err)
}

// NewStream starts a call to a method that streams its responses, as
// [Channel.Open] does.
func (c *Channel) NewStream(ctx context.Context, _ *grpc.StreamDesc, method string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	return c.Open(ctx, method)
}

// toStatus makes of a handler's error what a grpc.Server does.
func toStatus(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return status.FromContextError(err).Err()
}

// handOver makes the message to a shallow copy of from. It is empty before.
func handOver(to, from any) error {
	dst, ok := to.(proto.Message)
	src, ok2 := from.(proto.Message)
	if !ok || !ok2 || dst.ProtoReflect().Descriptor() != src.ProtoReflect().Descriptor() {
		return status.Errorf(codes.Internal, "a %T was sent where a %T is expected", from, to)
	}
	m := dst.ProtoReflect()
	src.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		m.Set(fd, v)
		return true
	})
	// A service may leave fields as wire bytes, which a socket would carry as
	// they are.
	if wire := src.ProtoReflect().GetUnknown(); len(wire) > 0 {
		return (proto.UnmarshalOptions{Merge: true}).Unmarshal(wire, dst)
	}
	return nil
}

// chainUnary returns an interceptor that calls all of list, nil if it is empty.
func chainUnary(list []grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	outer, inner := list[0], chainUnary(list[1:])
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		return outer(ctx, req, info, func(ctx context.Context, req any) (any, error) {
			return inner(ctx, req, info, handler)
		})
	}
}

// chainStream is chainUnary for streams.
func chainStream(list []grpc.StreamServerInterceptor) grpc.StreamServerInterceptor {
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	outer, inner := list[0], chainStream(list[1:])
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		return outer(srv, stream, info, func(srv any, stream grpc.ServerStream) error {
			return inner(srv, stream, info, handler)
		})
	}
}
