package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/hostile"
)

// TestPolicy lets callers bring transports to Connect, under policies that
// allow them and under some that do not.
func TestPolicy(t *testing.T) {
	t.Parallel()
	server := hostile.HTTP(t, hostile.Options{})
	demo := []string{binary(t), "demo"}
	urls := fmt.Sprintf("policy: {allow_urls: [%q]", server.URL)
	commands := fmt.Sprintf("policy: {allow_commands: [[%q, %q]]}\n", demo[0], demo[1])
	tests := map[string]struct {
		policy    string
		transport *mcpbridgev1.TransportConfig
		reason    string // empty: it is allowed
	}{
		"URL by default":                 {transport: byURL(server.URL), reason: "DESTINATION_FORBIDDEN"},
		"command by default":             {transport: byCommand(demo...), reason: "STDIO_FORBIDDEN"},
		"URL on loopback":                {policy: urls + "}\n", transport: byURL(server.URL), reason: "DESTINATION_FORBIDDEN"},
		"URL on loopback, allowed":       {policy: urls + ", allow_private_addresses: true}\n", transport: byURL(server.URL)},
		"another URL":                    {policy: urls + ", allow_private_addresses: true}\n", transport: byURL(server.URL + "/more"), reason: "DESTINATION_FORBIDDEN"},
		"a URL with a user":              {policy: urls + ", allow_private_addresses: true}\n", transport: byURL(strings.Replace(server.URL, "://", "://user@", 1)), reason: "DESTINATION_FORBIDDEN"},
		"loopback in disguise":           {policy: "policy: {allow_urls: [\"http://localhost:" + port(t, server.URL) + "\"]}\n", transport: byURL("http://localhost:" + port(t, server.URL) + "/mcp"), reason: "DESTINATION_FORBIDDEN"},
		"command, allowed":               {policy: commands, transport: byCommand(demo...)},
		"command with one more argument": {policy: commands, transport: byCommand(append(demo, "more")...), reason: "STDIO_FORBIDDEN"},
		"command with one less":          {policy: commands, transport: byCommand(demo[0]), reason: "STDIO_FORBIDDEN"},
		"command with a variable":        {policy: commands, transport: withEnv(byCommand(demo...)), reason: "STDIO_FORBIDDEN"},
		"command in a directory":         {policy: commands, transport: inDir(byCommand(demo...)), reason: "STDIO_FORBIDDEN"},
		"command where URLs are allowed": {policy: urls + "}\n", transport: byCommand(demo...), reason: "STDIO_FORBIDDEN"},
	}
	bridges := make(map[string]*bridge)
	for _, tt := range tests {
		if bridges[tt.policy] == nil {
			bridges[tt.policy] = start(t, setup{config: tt.policy})
		}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := bridges[tt.policy]
			if tt.reason == "" {
				testAllowed(t, b, tt.transport)
				return
			}
			testForbidden(t, b, tt.transport, tt.reason)
		})
	}
}

// TestForbiddenDestination checks that a server which a caller may not reach
// hears nothing, not even a greeting.
func TestForbiddenDestination(t *testing.T) {
	t.Parallel()
	server := hostile.HTTP(t, hostile.Options{})
	b := start(t, setup{config: fmt.Sprintf("policy: {allow_urls: [%q]}\n", server.URL)})
	testForbidden(t, b, byURL(server.URL), "DESTINATION_FORBIDDEN")
	if got := server.Requests(); len(got) > 0 {
		t.Errorf("the server got %v", got)
	}
}

func byURL(url string) *mcpbridgev1.TransportConfig {
	return &mcpbridgev1.TransportConfig{Transport: &mcpbridgev1.TransportConfig_Http{Http: &mcpbridgev1.HttpTransport{Url: url}}}
}

func byCommand(argv ...string) *mcpbridgev1.TransportConfig {
	return &mcpbridgev1.TransportConfig{Transport: &mcpbridgev1.TransportConfig_Stdio{
		Stdio: &mcpbridgev1.StdioTransport{Command: argv[0], Args: argv[1:]},
	}}
}

func withEnv(t *mcpbridgev1.TransportConfig) *mcpbridgev1.TransportConfig {
	t.GetStdio().Env = map[string]string{"LD_PRELOAD": "evil.so"}
	return t
}

func inDir(t *mcpbridgev1.TransportConfig) *mcpbridgev1.TransportConfig {
	t.GetStdio().Cwd = "/"
	return t
}

func port(t *testing.T, text string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

// connectBody is a REST request to connect by a transport.
func connectBody(t *testing.T, transport *mcpbridgev1.TransportConfig) string {
	t.Helper()
	body, err := protojson.Marshal(&mcpbridgev1.ConnectRequest{Peer: &mcpbridgev1.ConnectRequest_Transport{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func testAllowed(t *testing.T, b *bridge, transport *mcpbridgev1.TransportConfig) {
	client, web := b.client(t), newWeb(t)
	byGRPC, err := client.Connect(bounded(t), &mcpbridgev1.ConnectRequest{Peer: &mcpbridgev1.ConnectRequest_Transport{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	byREST := new(mcpbridgev1.ConnectResponse)
	web.do(t, http.MethodPost, b.restURL+"/v1/sessions", connectBody(t, transport)).into(t, byREST)
	for _, session := range []*mcpbridgev1.Session{byGRPC.GetSession(), byREST.GetSession()} {
		if session.GetServer() != "" || session.GetState() != mcpbridgev1.State_STATE_READY {
			t.Errorf("the session is %v", session)
		}
		tools, err := client.ListTools(bounded(t), &mcpbridgev1.ListToolsRequest{Target: session.GetName()})
		if err != nil || len(tools.GetTools()) == 0 {
			t.Errorf("tools of the session: %v, %v", tools, err)
		}
		if _, err := client.Disconnect(bounded(t), &mcpbridgev1.DisconnectRequest{Name: session.GetName()}); err != nil {
			t.Error(err)
		}
	}
}

func testForbidden(t *testing.T, b *bridge, transport *mcpbridgev1.TransportConfig, reason string) {
	t.Helper()
	var trailer metadata.MD
	_, err := b.client(t).Connect(bounded(t), &mcpbridgev1.ConnectRequest{
		Peer: &mcpbridgev1.ConnectRequest_Transport{Transport: transport},
	}, grpc.Trailer(&trailer))
	wantStatus(t, err, trailer, codes.PermissionDenied, reason, "not_sent")
	if message := status.Convert(err).Message(); strings.Contains(message, "127.0.0.1") {
		t.Errorf("the message tells of an address: %s", message)
	}
	r := newWeb(t).do(t, http.MethodPost, b.restURL+"/v1/sessions", connectBody(t, transport))
	r.wantFailure(t, http.StatusForbidden, codes.PermissionDenied, reason, "not_sent")
}
