package e2e

import (
	"bytes"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// TestQuickStart does what a stranger does: start the binary and try it.
func TestQuickStart(t *testing.T) {
	t.Parallel()
	b := start(t, setup{})
	client, web := b.client(t), newWeb(t)
	demo := b.restURL + "/v1/servers/demo"

	t.Run("tools", func(t *testing.T) {
		tools, err := client.ListTools(bounded(t), &mcpbridgev1.ListToolsRequest{Target: "servers/demo"})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, tool := range tools.GetTools() {
			names = append(names, tool.GetName())
			if tool.GetInputSchema() == nil || tool.GetDescription() == "" {
				t.Errorf("tool %s has no schema or no description", tool.GetName())
			}
		}
		want := "calculate confirm count_down echo hash now swatch text_stats"
		if got := strings.Join(names, " "); got != want {
			t.Errorf("tools are %s, want %s", got, want)
		}
		web.do(t, http.MethodGet, demo+"/tools", "").sameAs(t, tools)
	})
	t.Run("echo", func(t *testing.T) {
		// As in the README: curl sends a form's content type.
		r := web.do(t, http.MethodPost, demo+"/tools/echo:call", `{"arguments":{"message":"hi"}}`,
			"Content-Type: application/x-www-form-urlencoded")
		if !bytes.HasPrefix(r.body, []byte(`{"content":[{"text":{"text":"hi"}}],"isError":false`)) {
			t.Errorf("REST answers %s", r.body)
		}
		result, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{
			Target: "servers/demo", Name: "echo", Arguments: arguments(t, `{"message":"hi"}`),
		})
		if err != nil {
			t.Fatal(err)
		}
		r.sameAs(t, result)
	})
	t.Run("reflection", func(t *testing.T) {
		service := reflected(t, b.dial(t), "mcpbridge.v1.McpService")
		tools := service.call(t, "ListTools", `{"target":"servers/demo"}`)
		if !strings.Contains(tools, `"name":"echo"`) {
			t.Errorf("ListTools answers %s", tools)
		}
		echo := service.call(t, "CallTool", `{"target":"servers/demo","name":"echo","arguments":{"message":"hi"}}`)
		if !strings.HasPrefix(echo, `{"content":[{"text":{"text":"hi"}}]`) {
			t.Errorf("CallTool answers %s", echo)
		}
	})
	t.Run("resource", func(t *testing.T) {
		list, err := client.ListResources(bounded(t), &mcpbridgev1.ListResourcesRequest{Target: "servers/demo"})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.GetResources()) != 1 || list.GetResources()[0].GetUri() != "demo://about" {
			t.Errorf("resources are %v", list)
		}
		web.do(t, http.MethodGet, demo+"/resources", "").sameAs(t, list)
		about, err := client.ReadResource(bounded(t), &mcpbridgev1.ReadResourceRequest{Target: "servers/demo", Uri: "demo://about"})
		if err != nil {
			t.Fatal(err)
		}
		if text := about.GetContents()[0].GetText(); !strings.HasPrefix(text, "# The mcpbridge demo server") {
			t.Errorf("demo://about is %q", text)
		}
		web.do(t, http.MethodGet, demo+"/resources:read?uri="+url.QueryEscape("demo://about"), "").sameAs(t, about)
		web.do(t, http.MethodPost, demo+"/resources:read", `{"uri":"demo://about"}`).sameAs(t, about)
	})
	t.Run("template", func(t *testing.T) {
		list, err := client.ListResourceTemplates(bounded(t), &mcpbridgev1.ListResourceTemplatesRequest{Target: "servers/demo"})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.GetResourceTemplates()) != 1 || list.GetResourceTemplates()[0].GetUriTemplate() != "demo://time/{+zone}" {
			t.Errorf("templates are %v", list)
		}
		web.do(t, http.MethodGet, demo+"/resourceTemplates", "").sameAs(t, list)
		var read mcpbridgev1.ReadResourceResponse
		web.do(t, http.MethodGet, demo+"/resources:read?uri=demo://time/Asia/Tokyo", "").into(t, &read)
		if _, err := time.Parse("2006-01-02T15:04:05+09:00", read.GetContents()[0].GetText()); err != nil {
			t.Error(err)
		}
	})
	t.Run("prompt", func(t *testing.T) {
		list, err := client.ListPrompts(bounded(t), &mcpbridgev1.ListPromptsRequest{Target: "servers/demo"})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.GetPrompts()) != 1 || len(list.GetPrompts()[0].GetArguments()) != 2 {
			t.Errorf("prompts are %v", list)
		}
		web.do(t, http.MethodGet, demo+"/prompts", "").sameAs(t, list)
		prompt, err := client.GetPrompt(bounded(t), &mcpbridgev1.GetPromptRequest{
			Target: "servers/demo", Name: "summarize", Arguments: map[string]string{"text": "What a day.", "style": "one sentence"},
		})
		if err != nil {
			t.Fatal(err)
		}
		want := "Summarize the following text as one sentence.\n\nWhat a day."
		if got := prompt.GetMessages()[0].GetContent().GetText().GetText(); got != want {
			t.Errorf("the prompt is %q, want %q", got, want)
		}
		web.do(t, http.MethodPost, demo+"/prompts/summarize:get", `{"arguments":{"text":"What a day.","style":"one sentence"}}`).sameAs(t, prompt)
	})
	t.Run("ping", func(t *testing.T) {
		pong, err := client.Ping(bounded(t), &mcpbridgev1.PingRequest{Target: "servers/demo"})
		if err != nil || pong.GetRoundTrip().AsDuration() <= 0 {
			t.Errorf("Ping answers %v, %v", pong, err)
		}
		var byREST mcpbridgev1.PingResponse
		web.do(t, http.MethodPost, demo+":ping", "").into(t, &byREST)
		if byREST.GetRoundTrip().AsDuration() <= 0 {
			t.Errorf("REST's ping answers %v", &byREST)
		}
	})
	t.Run("server", func(t *testing.T) {
		server, err := client.GetServer(bounded(t), &mcpbridgev1.GetServerRequest{Name: "servers/demo"})
		if err != nil {
			t.Fatal(err)
		}
		got := server.GetServer()
		if got.GetState() != mcpbridgev1.State_STATE_READY || got.GetTransport() != mcpbridgev1.Transport_TRANSPORT_STDIO ||
			got.GetServerInfo().GetName() != "mcpbridge-demo" || got.GetUpstreams() != 1 {
			t.Errorf("the server is %s", protojson.Format(got))
		}
		web.do(t, http.MethodGet, demo, "").sameAs(t, server)
		servers, err := client.ListServers(bounded(t), &mcpbridgev1.ListServersRequest{})
		if err != nil {
			t.Fatal(err)
		}
		web.do(t, http.MethodGet, b.restURL+"/v1/servers", "").sameAs(t, servers)
	})
	t.Run("health", func(t *testing.T) { testHealth(t, b) })
	t.Run("admin", func(t *testing.T) { testAdmin(t, b) })
	t.Run("pages", func(t *testing.T) {
		if r := web.do(t, http.MethodGet, b.restURL+"/openapi.json", ""); !bytes.Contains(r.body, []byte(`"swagger"`)) {
			t.Errorf("/openapi.json: %d %.200s", r.status, r.body)
		}
		if r := web.do(t, http.MethodGet, b.restURL+"/", ""); r.status != http.StatusOK {
			t.Errorf("/: %d %.200s", r.status, r.body)
		}
	})
}

func testHealth(t *testing.T, b *bridge) {
	client := healthv1.NewHealthClient(b.dial(t))
	for _, service := range []string{"", "mcpbridge.v1.McpService", "servers/demo"} {
		health, err := client.Check(bounded(t), &healthv1.HealthCheckRequest{Service: service})
		if err != nil || health.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("health of %q is %v, %v", service, health, err)
		}
	}
	if _, err := client.Check(bounded(t), &healthv1.HealthCheckRequest{Service: "servers/other"}); status.Code(err) != codes.NotFound {
		t.Errorf("health of an unknown server: %v", err)
	}
	// What a container asks with.
	command := exec.CommandContext(bounded(t), binary(t), "health", "--addr", b.grpcAddr)
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("mcpbridge health: %v\n%s", err, output)
	}
}

func testAdmin(t *testing.T, b *bridge) {
	web := newWeb(t)
	for path, want := range map[string]string{
		"/healthz": "alive\n",
		"/readyz":  "ready\n",
	} {
		if r := web.do(t, http.MethodGet, b.adminURL+path, ""); r.status != http.StatusOK || string(r.body) != want {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	metrics := string(web.do(t, http.MethodGet, b.adminURL+"/metrics", "").body)
	for _, want := range []string{
		`mcp_client_operation_duration_seconds_count{gen_ai_operation_name="execute_tool",gen_ai_tool_name="echo"`,
		`rpc_method="mcpbridge.v1.McpService/CallTool"`,
		`http_route="/v1/{target=servers/*}/tools/{name}:call"`,
		"go_goroutines",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("/metrics has no %s", want)
		}
	}
	if r := web.do(t, http.MethodGet, b.adminURL+"/debug/pprof/goroutine", ""); r.status != http.StatusNotFound {
		t.Errorf("profiles are served unasked: %d", r.status)
	}
}
