package transport

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

type echoArgs struct {
	Text string `json:"text"`
}

// sdkServer returns a server of the official SDK whose tool echo reports
// progress and asks the client for a sign of life, if told to.
func sdkServer() *mcpsdk.Server {
	s := mcpsdk.NewServer(&mcpsdk.Implementation{Name: "test", Version: "1"}, nil)
	mcpsdk.AddTool(s, &mcpsdk.Tool{Name: "echo"}, func(ctx context.Context, req *mcpsdk.CallToolRequest, in echoArgs) (*mcpsdk.CallToolResult, any, error) {
		text := in.Text
		if token := req.Params.GetProgressToken(); token != nil {
			if err := req.Session.NotifyProgress(ctx, &mcpsdk.ProgressNotificationParams{ProgressToken: token, Progress: 1}); err != nil {
				return nil, nil, err
			}
		}
		if text == "ping" {
			if err := req.Session.Ping(ctx, nil); err != nil {
				return nil, nil, err
			}
			text = "pong"
		}
		return &mcpsdk.CallToolResult{Content: []mcpsdk.Content{&mcpsdk.TextContent{Text: text}}}, nil, nil
	})
	return s
}

// An sdkClient is as much of an MCP client as it takes to try a transport.
type sdkClient struct {
	*httpTransport
	ids      atomic.Int64
	envelope Envelope
}

func (c *sdkClient) call(t *testing.T, method, params string) string {
	t.Helper()
	e := c.envelope
	if method == "tools/call" {
		e.Name = "echo"
	}
	e.Handshake = method == "initialize"
	resp, err := c.RoundTrip(short(t), &Request{ID: c.ids.Add(1), Method: method, Params: []byte(params), Envelope: e})
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	if resp.Error != nil {
		t.Fatalf("%s: %v", method, resp.Error)
	}
	return string(resp.Result)
}

func (c *sdkClient) initialize(t *testing.T) {
	t.Helper()
	c.initializeAs(t, "2025-06-18")
}

func (c *sdkClient) initializeAs(t *testing.T, version string) {
	t.Helper()
	c.call(t, "initialize", `{"protocolVersion":"`+version+`","capabilities":{},"clientInfo":{"name":"t","version":"1"}}`)
	c.envelope = Envelope{Version: version}
	if err := c.Send(short(t), &Message{Body: []byte(`{"jsonrpc":"2.0","method":"notifications/initialized"}`), Method: "notifications/initialized", Envelope: c.envelope}); err != nil {
		t.Fatal(err)
	}
}

func dialSDK(t *testing.T, s *mcpsdk.Server, opts *mcpsdk.StreamableHTTPOptions, r Receiver) *sdkClient {
	t.Helper()
	srv := httptest.NewServer(mcpsdk.NewStreamableHTTPHandler(func(*http.Request) *mcpsdk.Server { return s }, opts))
	t.Cleanup(srv.Close)
	return &sdkClient{httpTransport: dialHTTP(t, HTTPConfig{URL: srv.URL}, r)}
}

func TestHTTPWithSDKServer(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*mcpsdk.StreamableHTTPOptions{
		"streams": {}, "JSON": {JSONResponse: true}, "with event ids": {EventStore: mcpsdk.NewMemoryEventStore(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sdkServer()
			c := dialSDK(t, s, opts, ignore)
			c.initialize(t)
			var callers sync.WaitGroup
			for i := range 16 {
				callers.Go(func() {
					for k := range 10 {
						text := fmt.Sprintf("%d/%d", i, k)
						if got := c.call(t, "tools/call", `{"name":"echo","arguments":{"text":"`+text+`"}}`); !strings.Contains(got, `"`+text+`"`) {
							t.Errorf("got %s, want %s", got, text)
						}
					}
				})
			}
			callers.Wait()
			if err := c.Close(short(t)); err != nil {
				t.Error(err)
			}
			for range s.Sessions() {
				t.Error("the server still has a session")
			}
		})
	}
}

// TestHTTPWithSDKServerAsking has the server report progress and ping us on the
// stream of a call.
func TestHTTPWithSDKServerAsking(t *testing.T) {
	t.Parallel()
	var c *sdkClient
	var progress atomic.Int64
	var answers sync.WaitGroup
	c = dialSDK(t, sdkServer(), nil, func(m jsonrpc.Message, call int64) {
		switch m.Method {
		case "notifications/progress":
			progress.Store(call)
		case "ping":
			answers.Go(func() {
				body := jsonrpc.AppendResult(nil, m.ID, []byte(`{}`))
				if err := c.Send(short(t), &Message{Body: body, Envelope: c.envelope}); err != nil {
					t.Error(err)
				}
			})
		}
	})
	c.initialize(t)
	got := c.call(t, "tools/call", `{"name":"echo","arguments":{"text":"ping"},"_meta":{"progressToken":5}}`)
	answers.Wait()
	if !strings.Contains(got, `"pong"`) {
		t.Errorf("got %s", got)
	}
	if id := progress.Load(); id != c.ids.Load() {
		t.Errorf("progress came with call %d, want %d", id, c.ids.Load())
	}
}

// TestHTTPWithSDKServerForgetting ends the session on the server's side.
func TestHTTPWithSDKServerForgetting(t *testing.T) {
	t.Parallel()
	s := sdkServer()
	c := dialSDK(t, s, nil, ignore)
	c.initialize(t)
	for session := range s.Sessions() {
		_ = session.Close()
	}
	_, err := c.RoundTrip(short(t), &Request{ID: 100, Method: "tools/list", Envelope: c.envelope})
	wantError(t, err, KindSessionLost, NotSent)
	<-c.Done()
}

// TestHTTPWithModernSDKServer speaks 2026-07-28 to a stateless server.
func TestHTTPWithModernSDKServer(t *testing.T) {
	t.Parallel()
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"}}`
	for name, opts := range map[string]*mcpsdk.StreamableHTTPOptions{"streams": {Stateless: true}, "JSON": {Stateless: true, JSONResponse: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dialSDK(t, sdkServer(), opts, ignore)
			c.envelope = Envelope{Version: "2026-07-28", Modern: true}
			var discovered struct{ SupportedVersions []string }
			if err := json.Unmarshal([]byte(c.call(t, "server/discover", `{`+meta+`}`)), &discovered); err != nil || len(discovered.SupportedVersions) == 0 {
				t.Fatalf("discovered %+v, %v", discovered, err)
			}
			if got := c.call(t, "tools/call", `{"name":"echo","arguments":{"text":"hello"},`+meta+`}`); !strings.Contains(got, `"hello"`) {
				t.Errorf("got %s", got)
			}
			resp, err := c.RoundTrip(short(t), &Request{ID: 100, Method: "no/such", Params: []byte(`{` + meta + `}`), Envelope: c.envelope})
			if err != nil || resp.Error == nil || resp.Error.Code != jsonrpc.CodeMethodNotFound {
				t.Errorf("unknown method: %+v, %v", resp, err)
			}
		})
	}
}
