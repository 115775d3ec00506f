package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// A guardedServer is an MCP server that wants a token, with its authorization
// server at the same address.
type guardedServer struct {
	*httptest.Server

	mcp http.Handler

	mu      sync.Mutex
	token   string
	grants  []string
	headers []http.Header // of requests with a good token
}

func newGuardedServer(t *testing.T, sse bool) *guardedServer {
	t.Helper()
	server := mcpsdk.NewServer(&mcpsdk.Implementation{Name: "guarded", Version: "1"}, nil)
	mcpsdk.AddTool(server, &mcpsdk.Tool{Name: "hello"},
		func(context.Context, *mcpsdk.CallToolRequest, struct{}) (*mcpsdk.CallToolResult, any, error) {
			return &mcpsdk.CallToolResult{}, nil, nil
		})
	pick := func(*http.Request) *mcpsdk.Server { return server }
	g := &guardedServer{token: "the-secret-token", mcp: mcpsdk.NewStreamableHTTPHandler(pick, nil)}
	if sse {
		g.mcp = mcpsdk.NewSSEHandler(pick, nil)
	}
	g.Server = httptest.NewServer(g)
	t.Cleanup(func() {
		g.Close()
		for session := range server.Sessions() { // whose token was revoked before they were ended
			_ = session.Close()
		}
	})
	return g
}

func (g *guardedServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/oauth-protected-resource/mcp":
		answer(w, http.StatusOK, map[string]any{"resource": g.URL + "/mcp", "authorization_servers": []string{g.URL}})
	case "/.well-known/oauth-authorization-server":
		answer(w, http.StatusOK, map[string]any{
			"issuer": g.URL, "authorization_endpoint": g.URL + "/authorize", "token_endpoint": g.URL + "/token",
			"registration_endpoint": g.URL + "/register", "code_challenge_methods_supported": []string{"S256"},
		})
	case "/register":
		answer(w, http.StatusCreated, map[string]any{"client_id": "registered", "token_endpoint_auth_method": "none"})
	case "/authorize":
		q := r.URL.Query()
		back := url.Values{"code": {"the code"}, "state": {q.Get("state")}}
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
	case "/token":
		_ = r.ParseForm()
		g.mu.Lock()
		g.grants = append(g.grants, r.PostForm.Get("grant_type"))
		token := g.token
		g.mu.Unlock()
		answer(w, http.StatusOK, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 3600})
	default:
		g.guard(w, r)
	}
}

func (g *guardedServer) guard(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+g.valid() {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer resource_metadata=%q", g.URL+"/.well-known/oauth-protected-resource/mcp"))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	g.mu.Lock()
	g.headers = append(g.headers, r.Header.Clone())
	g.mu.Unlock()
	g.mcp.ServeHTTP(w, r)
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

// valid is the token that the server takes.
func (g *guardedServer) valid() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.token
}

// revoke has the server take none of the tokens that it has granted.
func (g *guardedServer) revoke() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.token += "+"
}

// count returns how many tokens were granted.
func (g *guardedServer) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.grants)
}

// sent returns what a header was in all requests with a good token.
func (g *guardedServer) sent(name string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []string
	for _, h := range g.headers {
		all = append(all, h.Get(name))
	}
	return all
}

// A person consents in a browser, and what comes of it outlives the bridge.
func TestConsentInBrowser(t *testing.T) {
	t.Parallel()
	g := newGuardedServer(t, false)
	s := setup{
		config: fmt.Sprintf("servers: {guarded: {url: %s/mcp}}\noauth: {tokens_file: %s}\n", g.URL, filepath.Join(t.TempDir(), "tokens")),
		env:    []string{"MCPBRIDGE_OAUTH_TOKENS_KEY=" + strings.Repeat("A", 43) + "="},
	}
	b := start(t, s)
	w := newWeb(t)
	list := b.restURL + "/v1/servers/guarded/tools"
	refused := w.do(t, http.MethodGet, list, "")
	refused.wantFailure(t, http.StatusBadRequest, codes.FailedPrecondition, "AUTHORIZATION_REQUIRED", "not_sent")
	wanted := detail[*mcpbridgev1.AuthorizationRequired](refused.failure(t))
	if wanted.GetTarget() != "servers/guarded" || time.Until(wanted.GetExpireTime().AsTime()) < time.Minute {
		t.Errorf("the detail is {%v}", wanted)
	}
	server := new(mcpbridgev1.GetServerResponse)
	w.do(t, http.MethodGet, b.restURL+"/v1/servers/guarded", "").into(t, server)
	if state := server.GetServer().GetState(); state != mcpbridgev1.State_STATE_NEEDS_AUTHORIZATION {
		t.Errorf("the state is %v", state)
	}
	page := w.do(t, http.MethodGet, wanted.GetAuthorizationUrl(), "", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate")
	if page.status != http.StatusOK || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") || page.header.Get("Referrer-Policy") != "no-referrer" {
		t.Fatalf("the callback answers %d %s", page.status, page.body)
	}
	if again := w.do(t, http.MethodGet, b.restURL+"/oauth/callback?code=x&state=y", ""); again.status != http.StatusBadRequest {
		t.Errorf("an unknown state gets %d", again.status)
	}
	w.do(t, http.MethodGet, list, "").into(t, new(mcpbridgev1.ListToolsResponse))

	b.stop(t)
	state, _ := url.Parse(wanted.GetAuthorizationUrl())
	for _, secret := range []string{"the-secret-token", "the code", "the+code", state.Query().Get("state")} {
		if strings.Contains(b.log.text(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	again := start(t, s)
	w.do(t, http.MethodGet, again.restURL+"/v1/servers/guarded/tools", "").into(t, new(mcpbridgev1.ListToolsResponse))
	if n := g.count(); n != 1 {
		t.Errorf("%d tokens were granted", n)
	}
}

// The bridge gets in by a secret of its own, over each transport that the SDK's
// server has.
func TestMachineCredentials(t *testing.T) {
	t.Parallel()
	for kind, sse := range map[string]bool{"http": false, "sse": true} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			g := newGuardedServer(t, sse)
			b := start(t, setup{config: fmt.Sprintf(`
servers:
  guarded:
    type: %s
    url: %s/mcp
    shared: true
    oauth: {grant: client_credentials, client_id: bridge, client_secret: "${SECRET}"}
`, kind, g.URL), env: []string{"SECRET=s-1"}})
			client := b.client(t)
			for range 2 {
				if _, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{Target: "servers/guarded", Name: "hello"}); err != nil {
					t.Fatal(err)
				}
			}
			if n := g.count(); n != 1 {
				t.Errorf("%d tokens were granted", n)
			}
		})
	}
}

// What a caller has of its own goes along: a token, headers, and of the metadata
// of a call what the configuration names.
func TestCallersOwn(t *testing.T) {
	t.Parallel()
	g := newGuardedServer(t, false)
	b := start(t, setup{config: fmt.Sprintf(`
servers:
  guarded: {url: %s/mcp, forward_headers: {x-tenant: X-Account}, oauth: {grant: none}}
  child: {command: [mcpbridge-has-none]}
`, g.URL)})
	client := b.client(t)
	connect := func(server string, headers map[string]string, bearer string) (*mcpbridgev1.ConnectResponse, error) {
		req := &mcpbridgev1.ConnectRequest{Peer: &mcpbridgev1.ConnectRequest_Server{Server: server}, Headers: headers}
		if bearer != "" {
			req.Credentials = &mcpbridgev1.Credentials{Kind: &mcpbridgev1.Credentials_BearerToken{BearerToken: bearer}}
		}
		return client.Connect(bounded(t), req)
	}
	session, err := connect("servers/guarded", map[string]string{"X-Own": "own"}, "the-secret-token")
	if err != nil {
		t.Fatal(err)
	}
	ctx := metadata.AppendToOutgoingContext(bounded(t), "x-tenant", "acme", "x-other", "other")
	if _, err := client.ListTools(ctx, &mcpbridgev1.ListToolsRequest{Target: session.GetSession().GetName()}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"X-Account": "acme", "X-Own": "own", "X-Other": ""} {
		if got := g.sent(name); got[len(got)-1] != want {
			t.Errorf("%s was sent as %q", name, got)
		}
	}
	for name, test := range map[string]struct {
		server  string
		headers map[string]string
		bearer  string
		code    codes.Code
	}{
		"a header of HTTP's":    {"servers/guarded", map[string]string{"Host": "x"}, "", codes.InvalidArgument},
		"a header of MCP's":     {"servers/guarded", map[string]string{"mcp-session-id": "x"}, "", codes.InvalidArgument},
		"a broken header":       {"servers/guarded", map[string]string{"X": "a\nb"}, "", codes.InvalidArgument},
		"two ways":              {"servers/guarded", map[string]string{"Authorization": "x"}, "y", codes.InvalidArgument},
		"a header for a child":  {"servers/child", map[string]string{"X": "x"}, "", codes.InvalidArgument},
		"a token for a child":   {"servers/child", nil, "y", codes.InvalidArgument},
		"a token that is wrong": {"servers/guarded", nil, "wrong", codes.FailedPrecondition},
	} {
		if _, err := connect(test.server, test.headers, test.bearer); status.Code(err) != test.code {
			t.Errorf("%s: %v, want %v", name, err, test.code)
		}
	}
}
