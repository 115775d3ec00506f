package mcp_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// A script is a server without a wire: it does what its functions say. It is
// the dialer and the transport in one.
type script struct {
	// modern is its era.
	modern bool
	// version is the legacy revision. Default 2025-11-25.
	version string
	// beforeInit, if set, runs before initialize is answered.
	beforeInit func()
	// handle answers every request after the handshake.
	handle func(ctx context.Context, req *transport.Request) (*transport.Response, error)

	// answered is what whenAnswered waits for.
	answered chan struct{}

	receive transport.Receiver
	done    chan struct{}

	// mu guards the fields below.
	mu       sync.Mutex
	closed   bool
	sent     []string // what Send was given
	requests []transport.Request
}

var errScriptClosed = &transport.Error{Kind: transport.KindClosed, Delivery: transport.Unknown}

func (s *script) Dial(_ context.Context, r transport.Receiver) (transport.Transport, error) {
	s.receive, s.done = r, make(chan struct{})
	return s, nil
}

func (s *script) Peer() transport.Peer {
	return transport.Peer{Transport: "script", Network: "pipe", Stream: true}
}

func (s *script) RoundTrip(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	switch {
	case req.Method == "server/discover" && s.modern:
		return result(`{"supportedVersions":["2026-07-28"],"capabilities":{}}`), nil
	case req.Method == "server/discover":
		return refusal(-32601, ""), nil
	case req.Method == "initialize":
		if s.beforeInit != nil {
			s.beforeInit()
		}
		version := s.version
		if version == "" {
			version = mcp.Version20251125
		}
		return result(`{"protocolVersion":"` + version + `","capabilities":{}}`), nil
	}
	s.mu.Lock()
	s.requests = append(s.requests, *req)
	s.mu.Unlock()
	if req.OnSend != nil {
		req.OnSend()
	}
	resp, err := s.handle(ctx, req)
	if err != nil && ctx.Err() != nil && req.OnCancel != nil {
		req.OnCancel(context.WithoutCancel(ctx))
	}
	return resp, err
}

func (s *script) Send(_ context.Context, msg *transport.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errScriptClosed
	}
	s.sent = append(s.sent, string(msg.Body))
	return nil
}

func (s *script) Listen(ctx context.Context, opened func(resumed bool)) error {
	opened(false)
	<-ctx.Done()
	return &transport.Error{Kind: transport.KindCanceled, Err: context.Cause(ctx)}
}

func (s *script) Done() <-chan struct{} { return s.done }
func (s *script) Err() error            { return nil }

func (s *script) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.done)
	}
	return nil
}

// ask makes the server ask something, on the stream of that call.
func (s *script) ask(call int64, id, method, params string) {
	if params != "" {
		params = `,"params":` + params
	}
	m, err := jsonrpc.Parse(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"method":%q%s}`, id, method, params), 64)
	if err != nil {
		panic(err)
	}
	s.receive(m, call)
}

// cancel makes the server take a request back.
func (s *script) cancel(id string) {
	s.receive(jsonrpc.Message{Method: "notifications/cancelled", Params: []byte(`{"requestId":` + id + `}`)}, 0)
}

// got returns what was sent to the server after the handshake.
func (s *script) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.sent), func(m string) bool { return strings.Contains(m, "notifications/initialized") })
}

// made returns the requests that were made after the handshake.
func (s *script) made() []transport.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// open opens a session with the server, to be used inside of a synctest bubble.
func (s *script) open(t *testing.T, o mcp.Options, p mcp.Profile) *mcp.Session {
	t.Helper()
	session, err := mcp.NewClient(s, o).ConnectAs(t.Context(), &p)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { closeSession(t, session) })
	synctest.Wait()
	return session
}

func result(text string) *transport.Response { return &transport.Response{Result: []byte(text)} }

func refusal(code int64, data string) *transport.Response {
	e := &jsonrpc.Error{Code: code, Message: "no"}
	if data != "" {
		e.Data = []byte(data)
	}
	return &transport.Response{Error: e}
}

// hangs answers nothing until the request is given up.
func hangs(ctx context.Context, _ *transport.Request) (*transport.Response, error) {
	<-ctx.Done()
	return nil, &transport.Error{Kind: transport.KindCanceled, Delivery: transport.Unknown, Err: context.Cause(ctx)}
}

// whenAnswered answers a request once answered is closed.
func (s *script) whenAnswered(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	select {
	case <-s.answered:
		return result(complete), nil
	case <-ctx.Done():
		return hangs(ctx, req)
	}
}

// everything declares all capabilities.
func everything() mcp.Capabilities {
	return mcp.Capabilities{Sampling: true, SamplingTools: true, ElicitationForm: true, ElicitationURL: true, Roots: true}
}

// answers returns an Ask that gives every question that answer.
func answers(text string) mcp.Ask {
	return func(context.Context, mcp.Question) (mcp.Answer, error) {
		return mcp.Answer{Result: []byte(text)}, nil
	}
}

func nobody(context.Context, mcp.Question) (mcp.Answer, error) {
	return mcp.Answer{}, mcp.ErrNobody
}

// waits returns an Ask that never answers, and says why it was not to go on.
func waits(why chan<- error) mcp.Ask {
	return func(ctx context.Context, _ mcp.Question) (mcp.Answer, error) {
		<-ctx.Done()
		why <- context.Cause(ctx)
		return mcp.Answer{}, errors.New("given up")
	}
}

// The params of well-formed questions.
const (
	formParams   = `{"message":"Name?","requestedSchema":{"type":"object","properties":{}}}`
	urlParams    = `{"mode":"url","elicitationId":"e","url":"https://example.com/","message":"Open?"}`
	sampleParams = `{"messages":[],"maxTokens":1}`
)
