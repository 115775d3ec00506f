package auth

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"
)

// refusalsPerSecond bounds what refused callers can have logged.
const refusalsPerSecond = 10

// A Guard stands before every RPC: it finds out who is calling, and keeps each
// caller to its share. Its errors are those of [Authenticator.Authenticate] and
// [*QuotaError]. It may be used concurrently.
type Guard struct {
	// Authenticator finds out who is calling.
	Authenticator *Authenticator
	// Limits are those of each principal; nil: there are none.
	Limits *Limits
	// Open reports whether anybody may call the method with that request. The
	// request of a stream is nil. Nil: nobody may call anything.
	Open func(method string, request any) bool
	// ConnectMethod is the method that the rate of new sessions is for.
	ConnectMethod string
	// Logger is told of callers that were refused.
	Logger *slog.Logger

	refusals *rate.Limiter
}

// NewGuard returns g, ready for use.
func NewGuard(g Guard) *Guard {
	g.refusals = rate.NewLimiter(refusalsPerSecond, refusalsPerSecond)
	if g.Open == nil {
		g.Open = func(string, any) bool { return false }
	}
	if g.Logger == nil {
		g.Logger = slog.New(slog.DiscardHandler)
	}
	return &g
}

// Admit returns a context that carries the principal with these credentials.
// RPCs with that context are not asked for theirs again.
func (g *Guard) Admit(ctx context.Context, c Credentials) (context.Context, error) {
	p, err := g.Authenticator.Authenticate(ctx, c)
	if err != nil {
		g.logRefusal(ctx, err)
		return nil, err
	}
	return withPrincipal(ctx, p), nil
}

func (g *Guard) logRefusal(ctx context.Context, err error) {
	if ctx.Err() != nil || !g.refusals.Allow() {
		return
	}
	remote := ""
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
		remote = p.Addr.String()
	}
	attrs := []slog.Attr{slog.String("remote", remote), slog.Any("error", err)}
	var refused *Error
	if errors.As(err, &refused) && refused.cause != nil {
		attrs = append(attrs, slog.Any("cause", refused.cause))
	}
	g.Logger.LogAttrs(ctx, slog.LevelInfo, "caller refused", attrs...)
}

// admitted is Admit for an RPC, whose context has the credentials.
func (g *Guard) admitted(ctx context.Context) (context.Context, *Principal, error) {
	if p := principalOf(ctx); p != nil {
		return ctx, p, nil
	}
	c := Credentials{Authorization: metadata.ValueFromIncomingContext(ctx, "authorization")}
	if p, ok := peer.FromContext(ctx); ok {
		if info, ok := p.AuthInfo.(credentials.TLSInfo); ok && len(info.State.VerifiedChains) > 0 {
			c.Certificate = info.State.VerifiedChains[0][0]
		}
	}
	ctx, err := g.Admit(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	return ctx, principalOf(ctx), nil
}

// Unary is a grpc.UnaryServerInterceptor.
func (g *Guard) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if g.Open(info.FullMethod, req) {
		return handler(ctx, req)
	}
	ctx, p, err := g.admitted(ctx)
	if err != nil {
		return nil, err
	}
	share, err := g.begin(p, info.FullMethod)
	if err != nil {
		return nil, err
	}
	defer share.end()
	if err := share.grow(req); err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

// Stream is a grpc.StreamServerInterceptor.
func (g *Guard) Stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if g.Open(info.FullMethod, nil) {
		return handler(srv, stream)
	}
	ctx, p, err := g.admitted(stream.Context())
	if err != nil {
		return err
	}
	share, err := g.begin(p, info.FullMethod)
	if err != nil {
		return err
	}
	defer share.end()
	return handler(srv, &guardedStream{ServerStream: stream, ctx: ctx, share: share})
}

func (g *Guard) begin(p *Principal, method string) (*share, error) {
	if g.Limits == nil {
		return nil, nil
	}
	if err := g.Limits.begin(p.ID, method == g.ConnectMethod, time.Now()); err != nil {
		return nil, err
	}
	return &share{limits: g.Limits, principal: p.ID}, nil
}

// A share is what one call has of its principal's limits. The nil share is that
// of a call without limits.
type share struct {
	limits    *Limits
	principal string
	bytes     int64
}

// grow counts a request.
func (s *share) grow(request any) error {
	m, ok := request.(proto.Message)
	if s == nil || !ok || s.limits.opts.Bytes <= 0 {
		return nil
	}
	bytes := int64(proto.Size(m))
	if err := s.limits.grow(s.principal, bytes); err != nil {
		return err
	}
	s.bytes += bytes
	return nil
}

func (s *share) end() {
	if s != nil {
		s.limits.end(s.principal, s.bytes)
	}
}

// A guardedStream is a stream whose caller is known.
type guardedStream struct {
	grpc.ServerStream

	ctx   context.Context //nolint:containedctx // a stream hands out its context
	share *share
}

// Context implements grpc.ServerStream.
func (s *guardedStream) Context() context.Context { return s.ctx }

// RecvMsg implements grpc.ServerStream.
func (s *guardedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return s.share.grow(m)
}
