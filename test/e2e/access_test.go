package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// TestAccess: a server that a caller may not use does not exist for it, and of a
// server's tools it sees those that it may use.
func TestAccess(t *testing.T) {
	t.Parallel()
	url := peers.GoSDK(t, peers.GoSDKOptions{PageSize: 2})
	b := start(t, setup{
		env: []string{"MCPBRIDGE_AUTH_PRESHARED_TOKENS=ann " + tokenAnn + " groups=admins,eu; bob " + tokenBob},
		config: fmt.Sprintf(`
auth: {methods: preshared}
servers:
  everybody: {url: %[1]q, type: http}
  admins: {url: %[1]q, type: http, allow: ["claim:groups=admins"]}
  some:
    url: %[1]q
    type: http
    allow_tools: ["e*", "slow for preshared:ann"]
    deny_tools: ["e?ho for claim:groups=admins"]
`, url),
	})
	wantNoCanary(t, b)
	for name, tt := range map[string]struct {
		token   string
		servers []string
		admins  codes.Code
		echo    codes.Code // of some
		tools   []string   // of some
	}{
		"ann": {tokenAnn, []string{"servers/admins", "servers/everybody", "servers/some"}, codes.OK, codes.PermissionDenied, []string{"slow"}},
		"bob": {tokenBob, []string{"servers/everybody", "servers/some"}, codes.NotFound, codes.OK, []string{"echo"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, web := b.client(t, as(tt.token)), newWeb(t)
			list, err := client.ListServers(bounded(t), &mcpbridgev1.ListServersRequest{})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, server := range list.GetServers() {
				names = append(names, server.GetName())
			}
			if !slices.Equal(names, tt.servers) {
				t.Errorf("the servers are %v, want %v", names, tt.servers)
			}
			wantCalls(t, b.call(t, "everybody", "echo", tt.token), codes.OK)
			wantCalls(t, b.call(t, "admins", "echo", tt.token), tt.admins)
			wantCalls(t, b.call(t, "some", "echo", tt.token), tt.echo)
			_, err = client.Connect(bounded(t), &mcpbridgev1.ConnectRequest{Peer: &mcpbridgev1.ConnectRequest_Server{Server: "servers/admins"}})
			if status.Code(err) != tt.admins {
				t.Errorf("connect: %v", err)
			}
			_, err = healthv1.NewHealthClient(b.dial(t, as(tt.token))).Check(bounded(t), &healthv1.HealthCheckRequest{Service: "servers/admins"})
			if status.Code(err) != tt.admins {
				t.Errorf("health: %v", err)
			}

			all, err := client.ListTools(bounded(t), &mcpbridgev1.ListToolsRequest{Target: "servers/some", All: true})
			if err != nil {
				t.Fatal(err)
			}
			var tools []string
			for _, tool := range all.GetTools() {
				tools = append(tools, tool.GetName())
			}
			if !slices.Equal(tools, tt.tools) {
				t.Errorf("the tools are %v, want %v", tools, tt.tools)
			}
			web.do(t, http.MethodGet, b.restURL+"/v1/servers/some/tools?all=true", "", header(tt.token)).sameAs(t, all)
			// Page by page nothing else comes out.
			tools = nil
			request := &mcpbridgev1.ListToolsRequest{Target: "servers/some"}
			for {
				page, err := client.ListTools(bounded(t), request)
				if err != nil {
					t.Fatal(err)
				}
				for _, tool := range page.GetTools() {
					tools = append(tools, tool.GetName())
				}
				if request.Cursor = page.NextCursor; request.Cursor == nil {
					break
				}
			}
			if !slices.Equal(tools, tt.tools) {
				t.Errorf("the tools of all pages are %v, want %v", tools, tt.tools)
			}
		})
	}
}

// TestForbiddenServerIsUnknown compares, to the byte, a server that one may not
// use with one that does not exist.
func TestForbiddenServerIsUnknown(t *testing.T) {
	t.Parallel()
	b := start(t, setup{
		env: []string{"MCPBRIDGE_AUTH_PRESHARED_TOKENS=ann " + tokenAnn + ";bob " + tokenBob},
		config: fmt.Sprintf("auth: {methods: preshared}\nservers: {hidden: {url: %q, type: http, allow: ['preshared:ann'], stateful: true}}\n",
			peers.GoSDK(t, peers.GoSDKOptions{})),
	})
	web := newWeb(t)
	for _, request := range []struct{ method, path, body string }{
		{"GET", "/v1/servers/NAME", ""},
		{"GET", "/v1/servers/NAME/tools", ""},
		{"GET", "/v1/servers/NAME/prompts", ""},
		{"POST", "/v1/servers/NAME/tools/echo:call", "{}"},
		{"POST", "/v1/servers/NAME/tools/echo:stream", "{}"},
		{"POST", "/v1/servers/NAME:ping", "{}"},
		{"POST", "/v1/sessions", `{"server":"servers/NAME"}`},
		{"POST", "/v1/sessions", `{"server":"NAME"}`},
	} {
		ask := func(name, token string) string {
			r := web.do(t, request.method, b.restURL+strings.ReplaceAll(request.path, "NAME", name), strings.ReplaceAll(request.body, "NAME", name), header(token))
			r.header.Del("Date")
			return strings.ReplaceAll(fmt.Sprint(r.status, r.header, string(r.body)), name, "NAME")
		}
		hidden, absent := ask("hidden", tokenBob), ask("absent", tokenBob)
		if hidden != absent {
			t.Errorf("%s %s: the hidden server gives\n%s\nan absent one\n%s", request.method, request.path, hidden, absent)
		}
		if !strings.HasPrefix(absent, "404 ") || ask("hidden", tokenAnn) == absent {
			t.Errorf("%s %s tells nothing: %s", request.method, request.path, absent)
		}
	}
}
