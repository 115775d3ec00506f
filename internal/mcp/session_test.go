package mcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
	"github.com/mcpbridge/mcpbridge/internal/transport"
	"github.com/mcpbridge/mcpbridge/test/hostile"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

func TestMain(m *testing.M) {
	peers.ServeIfChild()
	hostile.ServeIfChild()
	goleak.VerifyTestMain(m)
	os.Exit(0)
}

// stdio and http make dialers of the peers' addresses.
func stdio(c peers.Command) transport.Dialer {
	return transport.NewStdio(transport.StdioConfig{Command: c.Path, Args: c.Args, Env: c.Env})
}

func http(t *testing.T, url string) transport.Dialer {
	t.Helper()
	client := transport.NewHTTPClient(nil, nil)
	t.Cleanup(client.CloseIdleConnections)
	d, err := transport.NewHTTP(transport.HTTPConfig{URL: url, Client: client})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// connect opens a session that the end of the test closes.
func connect(t *testing.T, d transport.Dialer, o mcp.Options) *mcp.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s, err := mcp.NewClient(d, o).Connect(ctx)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { closeSession(t, s) })
	return s
}

func closeSession(t *testing.T, s *mcp.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

// text returns the text of a result's first content block.
func text(t *testing.T, r *mcp.Result) string {
	t.Helper()
	var v struct{ Content []struct{ Text string } }
	if err := json.Unmarshal(r.JSON, &v); err != nil || len(v.Content) == 0 {
		t.Fatalf("result %s: %v", r.JSON, err)
	}
	return v.Content[0].Text
}

// The official SDK's server, in both eras and over all transports.
func TestSession(t *testing.T) {
	t.Parallel()
	servers := map[string]struct {
		dial func(t *testing.T) transport.Dialer
		era  mcp.Era
		json bool // answers leave no room for notifications
		js   bool // what is in between rounds numbers
	}{
		"stdio, modern": {era: mcp.EraModern, dial: func(t *testing.T) transport.Dialer { return stdio(peers.GoSDKCommand(t, peers.GoSDKOptions{})) }},
		"stdio, legacy": {era: mcp.EraLegacy, dial: func(t *testing.T) transport.Dialer {
			return stdio(peers.GoSDKCommand(t, peers.GoSDKOptions{Versions: []string{mcp.Version20250618}}))
		}},
		"HTTP, modern":       {era: mcp.EraModern, dial: func(t *testing.T) transport.Dialer { return http(t, peers.GoSDK(t, peers.GoSDKOptions{})) }},
		"HTTP, modern, JSON": {era: mcp.EraModern, json: true, dial: func(t *testing.T) transport.Dialer { return http(t, peers.GoSDK(t, peers.GoSDKOptions{JSON: true})) }},
		"HTTP, legacy": {era: mcp.EraLegacy, dial: func(t *testing.T) transport.Dialer {
			return http(t, peers.GoSDK(t, peers.GoSDKOptions{Stateful: true}))
		}},
		"HTTP, legacy, JSON": {era: mcp.EraLegacy, json: true, dial: func(t *testing.T) transport.Dialer {
			return http(t, peers.GoSDK(t, peers.GoSDKOptions{Stateful: true, JSON: true}))
		}},
		"HTTP, legacy, resumable": {era: mcp.EraLegacy, dial: func(t *testing.T) transport.Dialer {
			return http(t, peers.GoSDK(t, peers.GoSDKOptions{Stateful: true, Resumable: true}))
		}},
		"HTTP+SSE": {era: mcp.EraLegacy, dial: func(t *testing.T) transport.Dialer {
			return sse(t, peers.GoSDKSSE(t, peers.GoSDKOptions{}))
		}},
		"HTTP+SSE, found out": {era: mcp.EraLegacy, dial: func(t *testing.T) transport.Dialer {
			return httpOrSSE(t, peers.GoSDKSSE(t, peers.GoSDKOptions{}))
		}},
		"WebSocket, modern": {era: mcp.EraModern, dial: func(t *testing.T) transport.Dialer {
			return socket(t, peers.GoSDKWebSocket(t, peers.GoSDKOptions{}))
		}},
		"WebSocket, legacy": {era: mcp.EraLegacy, dial: func(t *testing.T) transport.Dialer {
			return socket(t, peers.GoSDKWebSocket(t, peers.GoSDKOptions{Versions: []string{mcp.Version20250326}}))
		}},
		"WebSocket, supergateway": {era: mcp.EraModern, js: true, dial: func(t *testing.T) transport.Dialer {
			return socket(t, peers.WebSocket(t, peers.GoSDKCommand(t, peers.GoSDKOptions{})))
		}},
	}
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := connect(t, server.dial(t), mcp.Options{})
			if got := s.Info(); got.Era != server.era || !strings.Contains(string(got.ServerInfo), "gosdk-peer") {
				t.Fatalf("era %v, info %s", got.Era, got.Result)
			}
			t.Run("64 callers", func(t *testing.T) { manyCallers(t, s) })
			if !server.js {
				t.Run("exact JSON", func(t *testing.T) { exactJSON(t, s) })
			}
			if !server.json {
				t.Run("progress", func(t *testing.T) { progress(t, s) })
			}
			t.Run("cancel", func(t *testing.T) { cancelled(t, s) })
			t.Run("errors", func(t *testing.T) { answeredErrors(t, s) })
			if _, err := s.Ping(t.Context(), nil); err != nil {
				t.Errorf("ping: %v", err)
			}
		})
	}
}

func manyCallers(t *testing.T, s *mcp.Session) {
	var wg sync.WaitGroup
	for caller := range 64 {
		wg.Go(func() {
			for n := range 5 {
				want := fmt.Sprintf("caller %d, call %d", caller, n)
				arguments, _ := json.Marshal(map[string]string{"message": want})
				r, err := s.Call(t.Context(), mcp.CallTool("echo", arguments))
				if err != nil {
					t.Errorf("%s: %v", want, err)
				} else if got := text(t, r); got != want {
					t.Errorf("%s got the answer %q", want, got)
				}
			}
		})
	}
	wg.Wait()
}

func exactJSON(t *testing.T, s *mcp.Session) {
	const arguments = `{"z":9007199254740993,"a":1.0,"n":null}`
	r, err := s.Call(t.Context(), mcp.CallTool("mirror", []byte(arguments)))
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, r); !strings.Contains(got, "9007199254740993") || !strings.Contains(got, "1.0") {
		t.Errorf("the server got %s", got)
	}
}

func progress(t *testing.T, s *mcp.Session) {
	var mu sync.Mutex
	var seen []string
	c := mcp.CallTool("slow", []byte(`{"steps":3,"interval_ms":5}`))
	c.LogLevel = "debug"
	c.Notify = func(m jsonrpc.Message) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, m.Method+" "+string(rawjson.Get(m.Params, "progress")))
	}
	if _, err := s.Call(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for step := 1; step <= 3; step++ {
		if !slices.Contains(seen, fmt.Sprintf("notifications/progress %d", step)) {
			t.Errorf("step %d is missing in %q", step, seen)
		}
	}
}

func cancelled(t *testing.T, s *mcp.Session) {
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	c := mcp.CallTool("sleep", []byte(`{"ms":60000}`))
	c.OnSend = func() { time.AfterFunc(20*time.Millisecond, func() { cancel(gone) }) }
	_, err := s.Call(ctx, c)
	var te *transport.Error
	if !errors.As(err, &te) || te.Kind != transport.KindCanceled || te.Delivery != transport.Unknown || !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Call(t.Context(), mcp.CallTool("echo", []byte(`{"message":"after"}`))); err != nil {
		t.Errorf("the session did not survive: %v", err)
	}
}

func answeredErrors(t *testing.T, s *mcp.Session) {
	_, err := s.Call(t.Context(), mcp.CallTool("no such tool", nil))
	var je *jsonrpc.Error
	if !errors.As(err, &je) || je.Code != jsonrpc.CodeInvalidParams || mcp.DeliveryOf(err) != transport.Answered {
		t.Errorf("unknown tool: %v", err)
	}
	r, err := s.Call(t.Context(), mcp.CallTool("fail", []byte(`{"message":"no"}`)))
	if err != nil || string(rawjson.Get(r.JSON, "isError")) != "true" {
		t.Errorf("a tool's own failure: %v, %+v", err, r)
	}
}

// Every revision that a server may answer with is accepted.
func TestNegotiation(t *testing.T) {
	t.Parallel()
	for _, version := range []string{mcp.Version20241105, mcp.Version20250326, mcp.Version20250618, mcp.Version20251125} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := connect(t, stdio(peers.GoSDKCommand(t, peers.GoSDKOptions{Versions: []string{version}})), mcp.Options{})
			if got := s.Info().ProtocolVersion; got != version {
				t.Errorf("negotiated %s", got)
			}
			if _, err := s.Call(t.Context(), mcp.CallTool("echo", []byte(`{"message":"x"}`))); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPinnedProtocol(t *testing.T) {
	t.Parallel()
	both := func(t *testing.T) transport.Dialer { return http(t, peers.GoSDK(t, peers.GoSDKOptions{})) }
	if got := connect(t, both(t), mcp.Options{Protocol: mcp.Version20250326}).Info(); got.ProtocolVersion != mcp.Version20250326 {
		t.Errorf("pinned to a legacy revision, got %s", got.ProtocolVersion)
	}
	for name, d := range map[string]transport.Dialer{
		"unknown":     both(t),
		"legacy only": http(t, peers.GoSDK(t, peers.GoSDKOptions{Stateful: true})),
	} {
		pin := map[string]string{"unknown": "1999-01-01", "legacy only": mcp.Version20260728}[name]
		_, err := mcp.NewClient(d, mcp.Options{Protocol: pin}).Connect(t.Context())
		var mismatch *mcp.IncompatibleError
		if !errors.As(err, &mismatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// However a server ends a call that has been cancelled, the call has run out of
// time. The server of this test ends the answer without a word.
func TestDeadline(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"stdio", "HTTP"} {
		for _, era := range []hostile.Era{hostile.Legacy, hostile.Modern} {
			t.Run(kind+"/"+string(era), func(t *testing.T) {
				t.Parallel()
				s := connect(t, hostileDialer(t, kind, hostile.Options{Mode: "silent-call", Era: era}), mcp.Options{})
				for range 20 {
					ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
					_, err := s.Call(ctx, mcp.CallTool("run", nil))
					cancel()
					var te *transport.Error
					if !errors.As(err, &te) || te.Kind != transport.KindCanceled || !errors.Is(err, context.DeadlineExceeded) {
						t.Fatalf("the call ended with %v", err)
					}
				}
			})
		}
	}
}

// dialers dial one after the other, the last of them again and again.
type dialers struct {
	transport.Dialer
	before []transport.Dialer
}

func (d *dialers) Dial(ctx context.Context, receive transport.Receiver) (transport.Transport, error) {
	next := d.Dialer
	if len(d.before) > 0 {
		next, d.before = d.before[0], d.before[1:]
	}
	return next.Dial(ctx, receive)
}

// A server that dies while it is probed is taken for a legacy one, unless there
// is better knowledge: it may have been killed.
func TestDeathDuringProbe(t *testing.T) {
	t.Parallel()
	dying := stdio(hostile.Command(t, hostile.Options{Mode: "exit-discover"}))
	modern := stdio(hostile.Command(t, hostile.Options{Era: hostile.Modern}))
	for name, tt := range map[string]struct {
		dialer transport.Dialer
		era    mcp.Era
	}{
		"legacy":       {dialer: dying, era: mcp.EraLegacy},
		"modern, once": {dialer: &dialers{Dialer: modern, before: []transport.Dialer{dying}}, era: mcp.EraModern},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := connect(t, tt.dialer, mcp.Options{}).Info(); got.Era != tt.era {
				t.Errorf("era %v, want %v", got.Era, tt.era)
			}
		})
	}
	t.Run("pinned", func(t *testing.T) {
		t.Parallel()
		_, err := mcp.NewClient(dying, mcp.Options{Protocol: mcp.Version20260728}).Connect(t.Context())
		var te *transport.Error
		if !errors.As(err, &te) || te.Kind != transport.KindExited {
			t.Errorf("got %v, want the end of the process", err)
		}
	})
}

func TestListAll(t *testing.T) {
	t.Parallel()
	s := connect(t, http(t, peers.GoSDK(t, peers.GoSDKOptions{PageSize: 2})), mcp.Options{})
	all, err := s.ListAll(t.Context(), mcp.ListTools(), nil, mcp.ListLimits{})
	if err != nil {
		t.Fatal(err)
	}
	items := 0
	if err := rawjson.Array(rawjson.Get(all.JSON, "tools"), func([]byte) error { items++; return nil }); err != nil || items < 5 {
		t.Errorf("%d items: %v", items, err)
	}
	if rawjson.Get(all.JSON, "nextCursor") != nil || !json.Valid(all.JSON) {
		t.Errorf("got %s", all.JSON)
	}
	var limit *mcp.LimitError
	if _, err := s.ListAll(t.Context(), mcp.ListTools(), nil, mcp.ListLimits{Pages: 2}); !errors.As(err, &limit) || limit.Limit != "limits.list_pages" {
		t.Errorf("more pages than allowed: %v", err)
	}
	if _, err := s.ListAll(t.Context(), mcp.ListTools(), nil, mcp.ListLimits{Items: 3}); !errors.As(err, &limit) {
		t.Errorf("more items than allowed: %v", err)
	}
}
