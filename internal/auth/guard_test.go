package auth

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/structpb"
)

// incoming is the context of an RPC with that token.
func incoming(ctx context.Context, token string) context.Context {
	return metadata.NewIncomingContext(ctx, metadata.Pairs("authorization", "Bearer "+token))
}

func TestGuardUnary(t *testing.T) {
	t.Parallel()
	g := NewGuard(Guard{
		Authenticator: &Authenticator{Tokens: tokensOf(t, "ann "+secretA)},
		Limits:        NewLimits(LimitOptions{Calls: 1, Bytes: 100, ConnectRate: 1, ConnectBurst: 1}),
		Open:          func(method string, _ any) bool { return method == "/open" },
		ConnectMethod: "/connect",
	})
	var seen []string
	call := func(ctx context.Context, method string, request any, inside func(context.Context)) error {
		_, err := g.Unary(ctx, request, &grpc.UnaryServerInfo{FullMethod: method}, func(ctx context.Context, _ any) (any, error) {
			seen = append(seen, FromContext(ctx).ID)
			if inside != nil {
				inside(ctx)
			}
			return nil, nil
		})
		return err
	}
	good := incoming(t.Context(), secretA)
	if err := call(t.Context(), "/open", nil, nil); err != nil {
		t.Errorf("what is open: %v", err)
	}
	wantError(t, call(incoming(t.Context(), secretB), "/closed", nil, nil), "not known")
	err := call(good, "/closed", nil, func(context.Context) {
		wantQuota(t, call(good, "/closed", nil, nil), "principal.calls")
	})
	if err != nil {
		t.Errorf("a good token: %v", err)
	}
	wantQuota(t, call(good, "/closed", structpb.NewStringValue(strings.Repeat("x", 200)), nil), "principal.bytes")
	if err := call(good, "/connect", nil, nil); err != nil {
		t.Errorf("connect: %v", err)
	}
	wantQuota(t, call(good, "/connect", nil, nil), "principal.connect_rate")
	admitted, err := g.Admit(t.Context(), Credentials{Authorization: []string{"Bearer " + secretA}})
	if err != nil {
		t.Fatal(err)
	}
	if err := call(admitted, "/closed", nil, nil); err != nil {
		t.Errorf("one who was admitted: %v", err)
	}
	if got := strings.Join(seen, " "); got != " preshared:ann preshared:ann preshared:ann" {
		t.Errorf("handlers have seen %q", got)
	}
	if u := g.Limits.users["preshared:ann"]; u.calls != 0 || u.bytes != 0 {
		t.Errorf("left over: %+v", u)
	}
}

// A fakeStream has a context and one request.
type fakeStream struct {
	grpc.ServerStream

	ctx context.Context
}

func (s *fakeStream) Context() context.Context { return s.ctx }
func (s *fakeStream) RecvMsg(any) error        { return nil }

func TestGuardStream(t *testing.T) {
	t.Parallel()
	g := NewGuard(Guard{
		Authenticator: &Authenticator{Tokens: tokensOf(t, "ann "+secretA)},
		Limits:        NewLimits(LimitOptions{Calls: 2, Bytes: 100}),
	})
	open := func(token string, handler grpc.StreamHandler) error {
		return g.Stream(nil, &fakeStream{ctx: incoming(t.Context(), token)}, &grpc.StreamServerInfo{FullMethod: "/stream"}, handler)
	}
	wantError(t, open(secretB, nil), "not known")
	failure := errors.New("failure")
	err := open(secretA, func(_ any, s grpc.ServerStream) error {
		if got := FromContext(s.Context()).ID; got != "preshared:ann" {
			t.Errorf("the principal is %q", got)
		}
		if err := s.RecvMsg(structpb.NewStringValue("small")); err != nil {
			t.Error(err)
		}
		wantQuota(t, s.RecvMsg(structpb.NewStringValue(strings.Repeat("x", 200))), "principal.bytes")
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("the stream ended with %v", err)
	}
	if u := g.Limits.users["preshared:ann"]; u.calls != 0 || u.bytes != 0 {
		t.Errorf("left over: %+v", u)
	}
}

// TestRefusalsInTheLog: each says why, none has the token, and a flood of them
// is cut short.
func TestRefusalsInTheLog(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	g := NewGuard(Guard{
		Authenticator: &Authenticator{Tokens: tokensOf(t, "ann "+secretA)},
		Logger:        slog.New(slog.NewTextHandler(&said, nil)),
	})
	for range 100 {
		if _, err := g.Admit(t.Context(), Credentials{Authorization: []string{"Bearer " + secretB}}); err == nil {
			t.Fatal("admitted")
		}
	}
	if n := strings.Count(said.String(), "not known"); n == 0 || n > 2*refusalsPerSecond {
		t.Errorf("%d lines are in the log", n)
	}
	if strings.Contains(said.String(), "canary") {
		t.Errorf("a token is in the log: %s", said.String())
	}
}

// BenchmarkGuard is what a call costs that is authenticated and counted.
func BenchmarkGuard(b *testing.B) {
	g := NewGuard(Guard{
		Authenticator: &Authenticator{Tokens: tokensOf(b, "ann "+secretA)},
		Limits:        NewLimits(LimitOptions{Calls: 64, Bytes: 64 << 20, ConnectRate: 5, ConnectBurst: 10}),
	})
	ctx, info, request := incoming(b.Context(), secretA), &grpc.UnaryServerInfo{FullMethod: "/call"}, structpb.NewStringValue("x")
	handler := func(context.Context, any) (any, error) { return nil, nil }
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Unary(ctx, request, info, handler); err != nil {
			b.Fatal(err)
		}
	}
}
