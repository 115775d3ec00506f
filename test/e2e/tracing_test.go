package e2e

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc/metadata"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

const (
	serverKind = tracev1.Span_SPAN_KIND_SERVER
	clientKind = tracev1.Span_SPAN_KIND_CLIENT
)

// A caller is the span of a caller that traces its calls.
type caller struct{ trace, span string }

func newCaller() caller {
	id := make([]byte, 24)
	_, _ = rand.Read(id) // never fails
	return caller{trace: hex.EncodeToString(id[:16]), span: hex.EncodeToString(id[16:])}
}

// traceparent is the context of a span of this trace, on the wire.
func (c caller) traceparent(span string) string { return "00-" + c.trace + "-" + span + "-01" }

// headers are what the caller sends along.
func (c caller) headers() map[string]string {
	return map[string]string{
		"traceparent": c.traceparent(c.span), "tracestate": "vendor=opaque", "baggage": "secret=1",
	}
}

// A route is a way to a server that is traced hop by hop.
type route struct {
	name string
	rest bool // by REST, else by gRPC
	// entry is the server's, whose tool meta tells what it received.
	entry     entry
	handshake string // the operation that opens the session
	version   string
}

func (r route) overHTTP() bool { return r.entry.URL != "" }

// TestTracing follows calls by their spans from the caller to the server, and
// asks the server which of them it was told of.
func TestTracing(t *testing.T) {
	t.Parallel()
	collector := newCollector(t)
	child := stdio(peers.GoSDKCommand(t, peers.GoSDKOptions{}))
	stateless := overHTTP(peers.GoSDK(t, peers.GoSDKOptions{}))
	stateful := overHTTP(peers.GoSDK(t, peers.GoSDKOptions{Stateful: true}))
	routes := []route{
		{name: "rest-stdio", rest: true, entry: child, handshake: "server/discover", version: modernVersion},
		{name: "grpc-stdio", entry: child, handshake: "server/discover", version: modernVersion},
		{name: "rest-http", rest: true, entry: stateless, handshake: "server/discover", version: modernVersion},
		{name: "grpc-http", entry: stateless, handshake: "server/discover", version: modernVersion},
		{name: "rest-stateful", rest: true, entry: stateful, handshake: "initialize", version: legacyVersion},
		{name: "grpc-stateful", entry: stateful, handshake: "initialize", version: legacyVersion},
	}
	// A server for each route, so that each opens a session.
	s := setup{servers: servers{}, env: collector.env(), args: []string{"--log-level", "debug"}}
	for _, r := range routes {
		s.servers[r.name] = r.entry
	}
	s.servers["failing"] = stateless
	b := start(t, s)
	for _, r := range routes {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			testRoute(t, b, collector, r)
		})
	}
	t.Run("failures", func(t *testing.T) {
		t.Parallel()
		testTraceOfFailures(t, b, collector)
	})
}

func testRoute(t *testing.T, b *bridge, collector *collector, r route) {
	caller := newCaller()
	received := callMeta(t, b, r, caller)

	const restName = "POST /v1/{target=servers/*}/tools/{name}:call"
	const grpcName = "mcpbridge.v1.McpService/CallTool"
	parent := caller.span
	child := func(parent, name string) span { return collector.child(t, caller.trace, parent, name) }
	if r.rest {
		rest := child(parent, restName)
		rest.wants(t, serverKind, restAttributes(t, b, r))
		parent = rest.id
	}
	grpc := child(parent, grpcName)
	grpc.wants(t, serverKind, map[string]string{
		"rpc.system.name": "grpc", "rpc.method": "mcpbridge.v1.McpService/CallTool", "rpc.response.status_code": "OK",
	})
	child(grpc.id, r.handshake).wants(t, clientKind, map[string]string{
		"mcp.method.name": r.handshake, "jsonrpc.request.id": "*",
	})
	call := child(grpc.id, "tools/call meta")
	call.wants(t, clientKind, callAttributes(t, r))
	if got, want := received.Meta["traceparent"], caller.traceparent(call.id); got != want {
		t.Errorf("_meta.traceparent is %v, want that of the MCP span, %s", got, want)
	}
	if r.overHTTP() {
		post := child(call.id, "POST")
		post.wants(t, clientKind, postAttributes(t, r))
		if got, want := received.Header.Get("Traceparent"), caller.traceparent(post.id); got != want {
			t.Errorf("the header traceparent is %v, want that of the HTTP span, %s", got, want)
		}
		if got := received.Header.Get("Tracestate"); got != "vendor=opaque" {
			t.Errorf("the header tracestate is %q", got)
		}
	}
	if got := received.Meta["tracestate"]; got != "vendor=opaque" {
		t.Errorf("_meta.tracestate is %v", got)
	}
	if got := received.Meta["baggage"]; got != nil || received.Header.Get("Baggage") != "" {
		t.Errorf("the server was sent the caller's baggage: %v, %s", got, received.Header.Get("Baggage"))
	}
}

// callMeta calls the tool meta and returns what it received.
func callMeta(t *testing.T, b *bridge, r route, caller caller) peers.Received {
	t.Helper()
	result := new(mcpbridgev1.CallToolResponse)
	if r.rest {
		var headers []string
		for name, value := range caller.headers() {
			headers = append(headers, name+": "+value)
		}
		newWeb(t).do(t, http.MethodPost, b.restURL+"/v1/servers/"+r.name+"/tools/meta:call", "{}", headers...).into(t, result)
	} else {
		ctx := metadata.NewOutgoingContext(bounded(t), metadata.New(caller.headers()))
		var err error
		result, err = b.client(t).CallTool(ctx, &mcpbridgev1.CallToolRequest{Target: "servers/" + r.name, Name: "meta"})
		if err != nil {
			t.Fatal(err)
		}
	}
	var received peers.Received
	if err := json.Unmarshal([]byte(textOf(result)), &received); err != nil {
		t.Fatal(err)
	}
	return received
}

// The attributes are those of OpenTelemetry's semantic conventions for HTTP,
// RPC and MCP.

func restAttributes(t *testing.T, b *bridge, r route) map[string]string {
	t.Helper()
	u := parseURL(t, b.restURL)
	return map[string]string{
		"http.request.method":       "POST",
		"http.route":                "/v1/{target=servers/*}/tools/{name}:call",
		"http.response.status_code": "200",
		"url.path":                  "/v1/servers/" + r.name + "/tools/meta:call",
		"url.scheme":                "http",
		"server.address":            "127.0.0.1",
		"server.port":               u.Port(),
		"client.address":            "127.0.0.1",
		"user_agent.original":       "*",
		"network.protocol.version":  "1.1",
	}
}

func callAttributes(t *testing.T, r route) map[string]string {
	t.Helper()
	attributes := map[string]string{
		"mcp.method.name":       "tools/call",
		"mcp.protocol.version":  r.version,
		"gen_ai.tool.name":      "meta",
		"gen_ai.operation.name": "execute_tool",
		"jsonrpc.request.id":    "*",
		"network.transport":     "pipe",
		"error.type":            "",
		// What callers and servers say is none of an operator's business.
		"gen_ai.tool.call.arguments": "",
		"gen_ai.tool.call.result":    "",
	}
	if r.overHTTP() {
		u := parseURL(t, r.entry.URL)
		attributes["network.transport"], attributes["network.protocol.name"] = "tcp", "http"
		attributes["server.address"], attributes["server.port"] = u.Hostname(), u.Port()
	}
	return attributes
}

func postAttributes(t *testing.T, r route) map[string]string {
	t.Helper()
	u := parseURL(t, r.entry.URL)
	return map[string]string{
		"http.request.method": "POST", "http.response.status_code": "200", "url.full": r.entry.URL,
		"server.address": u.Hostname(), "server.port": u.Port(),
	}
}

func parseURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
