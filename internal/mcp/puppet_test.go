package mcp_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// A puppet is a server whose answers are function fields, so that time can be
// the test's own. It is a transport and its dialer in one, for one session.
type puppet struct {
	// modern makes it a server of the modern era, stream one whose messages all
	// come on one stream.
	modern, stream bool
	capabilities   string
	// call answers the requests after the handshake. Without it, or with neither
	// response nor error of it, the result is empty.
	call func(ctx context.Context, s *puppet, req *transport.Request) (*transport.Response, error)
	// sent sees the notifications.
	sent func(s *puppet, method string, params []byte)
	// answered sees the answers to the server's own requests.
	answered func(body []byte)
	// listen is the way in of a legacy server. Without it, it is open at once.
	listen func(ctx context.Context, s *puppet, opened func(resumed bool)) error

	receive transport.Receiver
	done    chan struct{}
	once    sync.Once
	err     error

	mu  sync.Mutex
	log []string
}

func (s *puppet) Peer() transport.Peer {
	return transport.Peer{Transport: "puppet", Network: "pipe", Stream: s.stream}
}

func (s *puppet) Dial(_ context.Context, r transport.Receiver) (transport.Transport, error) {
	s.receive, s.done = r, make(chan struct{})
	return s, nil
}

func (s *puppet) RoundTrip(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	capabilities := s.capabilities
	if capabilities == "" {
		capabilities = "{}"
	}
	switch req.Method {
	case "server/discover":
		if s.modern {
			return &transport.Response{Result: []byte(`{"supportedVersions":["2026-07-28"],"capabilities":` + capabilities + `}`)}, nil
		}
		return &transport.Response{Error: &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound}}, nil
	case "initialize":
		return &transport.Response{Result: []byte(`{"protocolVersion":"2025-11-25","capabilities":` + capabilities + `}`)}, nil
	}
	select {
	case <-s.done:
		return nil, &transport.Error{Kind: transport.KindClosed, Delivery: transport.NotSent}
	default:
	}
	s.notef("%s %s", req.Method, strip(req.Params))
	var resp *transport.Response
	var err error
	if s.call != nil {
		resp, err = s.call(ctx, s, req)
	}
	if resp == nil && err == nil {
		resp = &transport.Response{Result: []byte(`{}`)}
	}
	return resp, err
}

// strip leaves out _meta, and the braces.
func strip(params []byte) string {
	var parts []string
	_ = rawjson.Object(params, func(key, v []byte) error {
		if string(key) != "_meta" {
			parts = append(parts, fmt.Sprintf("%s=%s", key, v))
		}
		return nil
	})
	return strings.Join(parts, " ")
}

func (s *puppet) Send(_ context.Context, msg *transport.Message) error {
	m, err := jsonrpc.Parse(msg.Body, 64)
	if err != nil {
		return err
	}
	if m.IsResponse() {
		if s.answered != nil {
			s.answered(msg.Body)
		}
		return nil
	}
	if m.Method != "notifications/initialized" {
		s.notef("%s %s", m.Method, rawjson.Get(m.Params, "requestId"))
	}
	if s.sent != nil {
		s.sent(s, m.Method, m.Params)
	}
	return nil
}

func (s *puppet) Listen(ctx context.Context, opened func(resumed bool)) error {
	s.notef("open the way in")
	defer s.notef("the way in is over")
	if s.listen != nil {
		return s.listen(ctx, s, opened)
	}
	opened(false)
	return s.wait(ctx)
}

func (s *puppet) Done() <-chan struct{} { return s.done }
func (s *puppet) Err() error            { return s.err }

func (s *puppet) Close(context.Context) error {
	s.die(nil)
	return nil
}

// die ends the transport.
func (s *puppet) die(err error) { s.once.Do(func() { s.err = err; close(s.done) }) }

// wait waits for the end of a round trip that is not answered.
func (s *puppet) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return &transport.Error{Kind: transport.KindCanceled, Delivery: transport.Unknown, Err: context.Cause(ctx)}
	case <-s.done:
		return &transport.Error{Kind: transport.KindClosed, Delivery: transport.Unknown}
	}
}

// say sends a notification; call is the request on whose stream it comes.
func (s *puppet) say(call int64, method, params string) {
	if s.stream {
		call = 0
	}
	s.receive(jsonrpc.Message{Method: method, Params: []byte(params)}, call)
}

// acknowledge acknowledges a subscription with what the server grants.
func (s *puppet) acknowledge(id int64, granted string) {
	s.say(id, "notifications/subscriptions/acknowledged", subscribed(id, `"notifications":`+granted))
}

// subscribed is the text of the params of a notification of a subscription.
func subscribed(id int64, members string) string {
	return fmt.Sprintf(`{"_meta":{"io.modelcontextprotocol/subscriptionId":%d},%s}`, id, members)
}

func (s *puppet) notef(format string, a ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, strings.TrimSpace(fmt.Sprintf(format, a...)))
}

// heard returns what the server has been sent since it was asked last.
func (s *puppet) heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	log := s.log
	s.log = nil
	return log
}

// open connects to the puppet. What nobody else wants is noted.
func (s *puppet) open(t *testing.T, o mcp.Options) (*mcp.Session, *told) {
	t.Helper()
	told := new(told)
	session, err := mcp.NewClient(s, o).ConnectAs(t.Context(), &mcp.Profile{Notify: told.notify})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeSession(t, session) })
	return session, told
}

// told is what a session was told, by notifications and by gaps.
type told struct {
	mu   sync.Mutex
	what []string
	// losses counts the ends of the session.
	losses int
}

func (t *told) notify(m jsonrpc.Message) bool {
	t.add(strings.TrimSpace(strings.TrimPrefix(m.Method, "notifications/") + " " + strip(m.Params)))
	return true
}

func (t *told) gap() { t.add("gap") }

func (t *told) lost() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.losses++
}

// ends returns how often the end of the session was told.
func (t *told) ends() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.losses
}

func (t *told) add(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.what = append(t.what, what)
}

// news returns what came since it was asked last.
func (t *told) news() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	what := t.what
	t.what = nil
	return what
}
