package mcp

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// An offline is a server that answers by a function, without a wire.
type offline struct {
	transport.Transport // nil: what is not overridden must not be called

	peer   transport.Peer
	legacy bool
	answer func(req *transport.Request) (result string, refusal *jsonrpc.Error)

	// mu guards what follows.
	mu       sync.Mutex
	requests []transport.Request
	receive  transport.Receiver
}

func (s *offline) Dial(_ context.Context, r transport.Receiver) (transport.Transport, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.receive = r
	return s, nil
}

func (s *offline) Peer() transport.Peer                           { return s.peer }
func (s *offline) Send(context.Context, *transport.Message) error { return nil }
func (s *offline) Done() <-chan struct{}                          { return nil }
func (s *offline) Close(context.Context) error                    { return nil }

func (s *offline) RoundTrip(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	if ctx.Err() != nil {
		return nil, &transport.Error{Kind: transport.KindCanceled, Delivery: transport.NotSent, Err: ctx.Err()}
	}
	switch {
	case req.Method == methodDiscover && !s.legacy:
		return &transport.Response{Result: []byte(`{"supportedVersions":["2026-07-28"],"capabilities":{}}`)}, nil
	case req.Method == methodDiscover:
		return &transport.Response{Error: &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound}}, nil
	case req.Method == methodInitialize:
		return &transport.Response{Result: []byte(`{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"x","version":"1"}}`)}, nil
	}
	s.mu.Lock()
	s.requests = append(s.requests, *req)
	s.mu.Unlock()
	if req.OnSend != nil {
		req.OnSend()
	}
	result, refusal := s.answer(req)
	return &transport.Response{Result: []byte(result), Error: refusal}, nil
}

// methods are the methods of the requests so far.
func (s *offline) methods() (methods []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		methods = append(methods, r.Method)
	}
	return methods
}

// announce sends a notification of the server's.
func (s *offline) announce(method, params string) {
	s.receive(jsonrpc.Message{Method: method, Params: []byte(params)}, 0)
}

// overHTTP is how most are reached.
func overHTTP() transport.Peer { return transport.Peer{Transport: "http", Protocol: "http"} }

func answering(answer func(req *transport.Request) (string, *jsonrpc.Error)) *offline {
	return &offline{peer: overHTTP(), answer: answer}
}

// open opens a session with it. The log holds what it warns of.
func (s *offline) open(t testing.TB, o Options) (session *Session, log *bytes.Buffer) {
	t.Helper()
	log = new(bytes.Buffer)
	o.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	session, err := NewClient(s, o).Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return session, log
}
