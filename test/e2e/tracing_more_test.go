package e2e

import (
	"testing"

	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// testTraceOfFailures checks what spans and log say of a call that fails.
func testTraceOfFailures(t *testing.T, b *bridge, collector *collector) {
	client := b.client(t)
	caller := newCaller()
	ctx := metadata.NewOutgoingContext(bounded(t), metadata.New(caller.headers()))
	_, err := client.CallTool(ctx, &mcpbridgev1.CallToolRequest{Target: "servers/failing", Name: "unknown"})
	if status.Code(err) != codes.InvalidArgument {
		t.Fatalf("an unknown tool: %v", err)
	}
	grpc := collector.child(t, caller.trace, caller.span, "mcpbridge.v1.McpService/CallTool")
	grpc.wants(t, serverKind, map[string]string{"rpc.response.status_code": "INVALID_ARGUMENT"})
	call := collector.child(t, caller.trace, grpc.id, "tools/call unknown")
	call.wants(t, clientKind, map[string]string{"error.type": "-32602", "rpc.response.status_code": "-32602"})
	if call.status != tracev1.Status_STATUS_CODE_ERROR {
		t.Errorf("the status of the MCP span is %v", call.status)
	}
	logged := false
	for _, r := range b.log.records("call failed") {
		logged = logged || r.text("trace_id") == caller.trace && r.text("span_id") == grpc.id && r.text("code") == "InvalidArgument"
	}
	if !logged {
		t.Errorf("no record of the failed call has trace_id %s and span_id %s", caller.trace, grpc.id)
	}

	caller = newCaller()
	ctx = metadata.NewOutgoingContext(bounded(t), metadata.New(caller.headers()))
	result, err := client.CallTool(ctx, &mcpbridgev1.CallToolRequest{
		Target: "servers/failing", Name: "fail", Arguments: arguments(t, echoArgs("no")),
	})
	if err != nil || !result.GetIsError() {
		t.Fatalf("a tool that fails: %v, %v", result, err)
	}
	grpc = collector.child(t, caller.trace, caller.span, "mcpbridge.v1.McpService/CallTool")
	grpc.wants(t, serverKind, map[string]string{"rpc.response.status_code": "OK"})
	collector.child(t, caller.trace, grpc.id, "tools/call fail").wants(t, clientKind, map[string]string{"error.type": "tool_error"})
}

// TestTraceContextWithoutExporter checks that a caller's trace goes on to the
// server although nobody records the bridge's part in it.
func TestTraceContextWithoutExporter(t *testing.T) {
	t.Parallel()
	url := peers.GoSDK(t, peers.GoSDKOptions{})
	b := start(t, setup{servers: servers{"server": overHTTP(url)}})
	for _, r := range []route{{name: "server", rest: true}, {name: "server"}} {
		caller := newCaller()
		received := callMeta(t, b, r, caller)
		want := caller.traceparent(caller.span)
		if got := received.Meta["traceparent"]; got != want {
			t.Errorf("REST %t: _meta.traceparent is %v, want %s", r.rest, got, want)
		}
		if got := received.Header.Get("Traceparent"); got != want {
			t.Errorf("REST %t: the header traceparent is %v, want %s", r.rest, got, want)
		}
	}
}
