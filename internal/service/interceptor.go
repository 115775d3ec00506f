package service

import (
	"context"
	"fmt"
	"log/slog"
	"path"
	"runtime/debug"
	"sync/atomic"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// The trailers of an RPC, which say what ErrorInfo says to clients that have
// no google.rpc types.
const (
	trailerReason        = "mcpbridge-reason"
	trailerDelivery      = "mcpbridge-delivery"
	trailerReinitialized = "mcpbridge-reinitialized"
	// trailerPushback forbids gRPC's own retries (gRFC A6).
	trailerPushback = "grpc-retry-pushback-ms"
)

// An Interceptor stands around every RPC of the service, by gRPC and by REST:
// it turns errors into statuses, logs them, keeps a panic from ending the
// process, and refuses new calls once the bridge is draining, but those that
// others wait for.
type Interceptor struct {
	log      *slog.Logger
	draining atomic.Bool
}

// NewInterceptor returns an Interceptor that logs to log.
func NewInterceptor(log *slog.Logger) *Interceptor { return &Interceptor{log: log} }

// Drain makes every new call fail with UNAVAILABLE, but for answers. Calls in
// flight go on.
func (i *Interceptor) Drain() { i.draining.Store(true) }

// Unary is a grpc.UnaryServerInterceptor.
func (i *Interceptor) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	err = i.run(info.FullMethod, func() error {
		resp, err = handler(ctx, req)
		return err
	})
	if err == nil {
		return resp, nil
	}
	return nil, i.refuse(ctx, info.FullMethod, err, func(md metadata.MD) { setTrailer(ctx, md) })
}

// Stream is a grpc.StreamServerInterceptor.
func (i *Interceptor) Stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	err := i.run(info.FullMethod, func() error { return handler(srv, stream) })
	if err == nil {
		return nil
	}
	return i.refuse(stream.Context(), info.FullMethod, err, stream.SetTrailer)
}

func (i *Interceptor) run(method string, handler func() error) error {
	if i.draining.Load() && !isAnswer(method) {
		return pool.ErrClosed
	}
	return recovered(handler)
}

// isAnswer reports whether a method is for something that goes on already, which
// could not end well without it.
func isAnswer(method string) bool {
	return method == mcpbridgev1.McpService_Respond_FullMethodName ||
		method == mcpbridgev1.McpService_CompleteAuthorization_FullMethodName
}

// A panicError is a panic that was caught.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

// recovered runs f and makes an error of a panic.
func recovered(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return f()
}

// refuse makes the status of an error, with its trailers, and logs it.
func (i *Interceptor) refuse(ctx context.Context, method string, err error, trailer func(metadata.MD)) error {
	st := statusOf(whole(method, err))
	reason, delivery := "", ""
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			reason, delivery = info.GetReason(), info.GetMetadata()["delivery"]
		}
	}
	if reason != "" {
		md := metadata.Pairs(trailerReason, reason, trailerDelivery, delivery)
		if delivery == "unknown" {
			md.Set(trailerPushback, "-1")
		}
		trailer(md)
	}
	i.log.LogAttrs(ctx, levelOf(st), "call failed",
		slog.String("method", method), slog.String("code", st.Code().String()),
		slog.String("reason", reason), slog.String("delivery", delivery), slog.Any("error", err))
	return st.Err()
}

// whole gives the RPCs that are not written yet, whose answer is generated, an
// error like all others.
func whole(method string, err error) error {
	if st, ok := status.FromError(err); ok && st.Code() == codes.Unimplemented && len(st.Details()) == 0 {
		return &unsupportedError{What: path.Base(method)}
	}
	return err
}

// levelOf: what the bridge is to blame for is an error, what a server is to
// blame for a warning, and a caller's own mistakes are none of the operator's
// business.
func levelOf(st *status.Status) slog.Level {
	switch st.Code() {
	case codes.Internal, codes.DataLoss:
		return slog.LevelError
	case codes.Unavailable, codes.Unknown, codes.FailedPrecondition, codes.ResourceExhausted:
		return slog.LevelWarn
	default:
		return slog.LevelDebug
	}
}

// setTrailer sets trailers of the RPC that ctx belongs to.
func setTrailer(ctx context.Context, md metadata.MD) {
	// It fails only outside of an RPC, where nobody could read them.
	_ = grpc.SetTrailer(ctx, md)
}
