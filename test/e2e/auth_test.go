package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/hostile"
	"github.com/mcpbridge/mcpbridge/test/issuer"
)

// The tokens are canaries: nothing that the bridge says may have one in it.
const (
	tokenAnn = "canary-ann-0123456789abcdef0123456789"
	tokenBob = "canary-bob-0123456789abcdef0123456789"
	unknown  = "canary-unknown-0123456789abcdef012345"
)

// bearer shows a token with each RPC.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return false }

// as makes the calls of a connection those of a token's bearer.
func as(token string) grpc.DialOption { return grpc.WithPerRPCCredentials(bearer(token)) }

// header is the same by REST.
func header(token string) string { return "Authorization: Bearer " + token }

// wantNoCanary checks that the bridge has told no token to anybody.
func wantNoCanary(t *testing.T, b *bridge) {
	t.Helper()
	t.Cleanup(func() {
		if strings.Contains(b.log.text(), "canary") {
			t.Error("a token is in the log")
		}
	})
}

// TestUnauthenticated tries every way in without credentials that are good, and
// wants to be refused before the server hears of it.
func TestUnauthenticated(t *testing.T) {
	t.Parallel()
	server := hostile.HTTP(t, hostile.Options{})
	idp := issuer.New(t)
	b := start(t, setup{
		servers: servers{"server": overHTTP(server.URL)},
		env:     []string{"MCPBRIDGE_AUTH_PRESHARED_TOKENS=ann " + tokenAnn},
		config: fmt.Sprintf("auth: {methods: [preshared, oidc], oidc: {issuer: %q, audiences: [%s]}}\nlog: {level: debug}\n",
			idp.URL, issuer.Audience),
	})
	wantNoCanary(t, b)
	expired := idp.Token(t, map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})
	for name, authorization := range map[string][]string{
		"none": nil, "empty": {""}, "unknown": {"Bearer " + unknown}, "no scheme": {tokenAnn}, "basic": {"Basic " + tokenAnn},
		"two": {"Bearer " + tokenAnn, "Bearer " + unknown}, "expired": {"Bearer " + expired},
		"huge": {"Bearer " + strings.Repeat("canary", 1500)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b.refusesRPCs(t, authorization)
			b.refusesREST(t, authorization)
		})
	}
	t.Cleanup(func() {
		if n := len(server.Requests()); n > 0 {
			t.Errorf("the server has had %d requests", n)
		}
	})
}

// refusesRPCs calls every method there is, and some that there are not.
func (b *bridge) refusesRPCs(t *testing.T, authorization []string) {
	t.Helper()
	conn := b.dial(t)
	methods := []string{
		healthv1.Health_Watch_FullMethodName, healthv1.Health_List_FullMethodName,
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
		"/mcpbridge.v1.McpService/callTool", "/mcpbridge.v1.McpService/NoSuchMethod", "/no.such.Service/Method", "//",
	}
	service := mcpbridgev1.File_mcpbridge_v1_mcp_service_proto.Services().ByName("McpService")
	for i := range service.Methods().Len() {
		methods = append(methods, "/"+string(service.FullName())+"/"+string(service.Methods().Get(i).Name()))
	}
	for _, method := range methods {
		trailer, err := invokeAny(t, conn, method, authorization)
		wantStatus(t, err, trailer, codes.Unauthenticated, "UNAUTHENTICATED", "not_sent")
		if strings.Contains(fmt.Sprint(err, trailer), "canary") {
			t.Errorf("%s says the token: %v", method, err)
		}
		if t.Failed() {
			t.Fatalf("that was %s", method)
		}
	}
	ctx := metadata.NewOutgoingContext(bounded(t), metadata.MD{"authorization": authorization})
	health := healthv1.NewHealthClient(conn)
	if r, err := health.Check(ctx, &healthv1.HealthCheckRequest{}); err != nil || r.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("a probe gets %v, %v", r, err)
	}
	if _, err := health.Check(ctx, &healthv1.HealthCheckRequest{Service: "servers/server"}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("the health of a server: %v", err)
	}
}

// invokeAny calls any method with an empty request.
func invokeAny(t *testing.T, conn *grpc.ClientConn, method string, authorization []string) (metadata.MD, error) {
	t.Helper()
	ctx := metadata.NewOutgoingContext(bounded(t), metadata.MD{"authorization": authorization})
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		t.Fatal(err)
	}
	_ = stream.SendMsg(&emptypb.Empty{}) // its failure is that of the stream
	_ = stream.CloseSend()
	err = stream.RecvMsg(new(emptypb.Empty))
	return stream.Trailer(), err
}

// refusesREST sends requests to all kinds of paths.
func (b *bridge) refusesREST(t *testing.T, authorization []string) {
	t.Helper()
	web := newWeb(t)
	var headers []string
	for _, value := range authorization {
		headers = append(headers, "Authorization: "+value)
	}
	for _, request := range []struct{ method, path, body string }{
		{"GET", "/v1/servers", ""},
		{"GET", "/v1/servers/server", ""},
		{"GET", "/v1/servers/server/tools", ""},
		{"POST", "/v1/servers/server/tools/run:call", `{"arguments":{"nonce":"1"}}`},
		{"POST", "/v1/servers/server/tools/run:stream", `{"arguments":{"nonce":"1"}}`},
		{"POST", "/v1/servers/server/tools/run:call", `{`},
		{"POST", "/v1/sessions", `{"server":"server"}`},
		{"GET", "/v1/sessions/1", ""},
		{"DELETE", "/v1/sessions/1", ""},
		{"GET", "/v1/servers/server/events", ""},
		{"GET", "/v1/nothing", ""},
		{"PUT", "/v1/servers", ""},
		{"GET", "/V1/servers", ""},
		{"GET", "/v1//servers", ""},
		{"GET", "/v1/servers?x=y", ""},
	} {
		r := web.do(t, request.method, b.restURL+request.path, request.body, headers...)
		r.wantFailure(t, http.StatusUnauthorized, codes.Unauthenticated, "UNAUTHENTICATED", "not_sent")
		if got := r.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") {
			t.Errorf("WWW-Authenticate is %q", got)
		}
		if strings.Contains(fmt.Sprint(r.header, string(r.body)), "canary") {
			t.Errorf("%s says the token: %s", request.path, r.body)
		}
		if t.Failed() {
			t.Fatalf("that was %s %s", request.method, request.path)
		}
	}
	for _, page := range []string{"/", "/openapi.json"} {
		if r := web.do(t, "GET", b.restURL+page, ""); r.status != http.StatusOK {
			t.Errorf("GET %s: HTTP status %d", page, r.status)
		}
	}
	// What authentication is named must not come by a way round it.
	r := web.do(t, "GET", b.restURL+"/v1/servers", "", "Grpc-Metadata-Authorization: Bearer "+tokenAnn)
	r.wantFailure(t, http.StatusUnauthorized, codes.Unauthenticated, "UNAUTHENTICATED", "not_sent")
}

// callers calls a tool in each way, and returns what became of it.
func (b *bridge) call(t *testing.T, server, tool, token string) map[string]codes.Code {
	t.Helper()
	client := b.client(t, as(token))
	outcomes := make(map[string]codes.Code)
	args := arguments(t, `{"nonce":"1","message":"1"}`)
	_, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{Target: "servers/" + server, Name: tool, Arguments: args})
	outcomes["gRPC"] = status.Code(err)
	stream, err := client.CallToolStream(bounded(t), &mcpbridgev1.CallToolStreamRequest{Target: "servers/" + server, Name: tool, Arguments: args})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = stream.Recv(); err == nil {
		for err == nil {
			_, err = stream.Recv()
		}
		if err.Error() == "EOF" {
			err = nil
		}
	}
	outcomes["gRPC stream"] = status.Code(err)
	path := fmt.Sprintf("%s/v1/servers/%s/tools/%s", b.restURL, server, tool)
	for way, verb := range map[string]string{"REST": ":call", "REST stream": ":stream"} {
		r := newWeb(t).do(t, "POST", path+verb, `{"arguments":{"nonce":"1","message":"1"}}`, header(token))
		outcomes[way] = codes.OK
		if r.status != http.StatusOK {
			outcomes[way] = r.failure(t).Code()
		}
	}
	return outcomes
}

// wantCalls wants calls to have the same outcome in every way.
func wantCalls(t *testing.T, got map[string]codes.Code, want codes.Code) {
	t.Helper()
	ways := map[string]codes.Code{"gRPC": want, "gRPC stream": want, "REST": want, "REST stream": want}
	if !maps.Equal(got, ways) {
		t.Errorf("the outcomes are %v, want %v", got, want)
	}
}

// TestAuthenticated calls with every kind of credentials.
func TestAuthenticated(t *testing.T) {
	t.Parallel()
	server := hostile.HTTP(t, hostile.Options{})
	idp := issuer.New(t)
	b := start(t, setup{
		servers: servers{"server": overHTTP(server.URL)},
		env:     []string{"MCPBRIDGE_AUTH_PRESHARED_TOKENS=ann " + tokenAnn + " ; bob " + tokenBob},
		config: fmt.Sprintf("auth: {methods: [preshared, oidc], oidc: {issuer: %q, audiences: [%s]}}\n",
			idp.URL, issuer.Audience),
	})
	wantNoCanary(t, b)
	wantCalls(t, b.call(t, "server", "run", tokenAnn), codes.OK)
	wantCalls(t, b.call(t, "server", "run", tokenBob), codes.OK)
	wantCalls(t, b.call(t, "server", "run", idp.Token(t, nil)), codes.OK)
	if _, err := healthv1.NewHealthClient(b.dial(t, as(tokenAnn))).Check(bounded(t), &healthv1.HealthCheckRequest{Service: "servers/server"}); err != nil {
		t.Errorf("the health of a server: %v", err)
	}
	reflected(t, b.dial(t, as(tokenAnn)), "mcpbridge.v1.McpService")
	_, err := invokeAny(t, b.dial(t), "/no.such.Service/Method", []string{"Bearer " + tokenAnn})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("an unknown method: %v", err)
	}
}

// TestTokensFileChanges gives out a token, and takes one back, while the bridge
// runs.
func TestTokensFileChanges(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# who may call\nann " + tokenAnn + "\n")
	b := start(t, setup{config: fmt.Sprintf("auth: {methods: preshared, preshared: {tokens_file: %q}}\n", path)})
	wantNoCanary(t, b)
	wantCalls(t, b.call(t, "demo", "echo", tokenAnn), codes.OK)
	wantCalls(t, b.call(t, "demo", "echo", tokenBob), codes.Unauthenticated)
	write("bob " + tokenBob + "\n")
	client := b.client(t, as(tokenBob))
	eventually(t, settleBound, func() error {
		_, err := client.ListServers(bounded(t), &mcpbridgev1.ListServersRequest{})
		return err
	})
	wantCalls(t, b.call(t, "demo", "echo", tokenAnn), codes.Unauthenticated)
	wantCalls(t, b.call(t, "demo", "echo", tokenBob), codes.OK)
	write("carol too-short\n")
	eventually(t, settleBound, func() error {
		if len(b.log.records("changed files cannot be used; the former ones stay in use")) == 0 {
			return fmt.Errorf("the bridge has not noticed")
		}
		return nil
	})
	wantCalls(t, b.call(t, "demo", "echo", tokenBob), codes.OK)
}

// TestAuthMistakes: what is wrong with credentials keeps the bridge from
// starting, and is not said.
func TestAuthMistakes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ config, says string }{
		"short token":                  {"auth: {methods: preshared, preshared: {tokens: [ann canary]}}\n", "auth.preshared.tokens: item 1 has a token of less than 32 bytes"},
		"no file":                      {"auth: {methods: preshared, preshared: {tokens_file: /nowhere/tokens}}\n", "/nowhere/tokens"},
		"no certificate":               {"tls: {cert_file: /nowhere/c.pem, key_file: /nowhere/k.pem}\n", "/nowhere/c.pem"},
		"rules without authentication": {"servers: {s: {command: x, allow: ['preshared:ann']}}\n", "set auth.methods"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, word := range []string{"serve", "check"} {
				code, stderr := runToEnd(t, setup{config: tt.config}, word)
				if code != 1 || !strings.Contains(stderr, tt.says) || strings.Contains(stderr, "canary") {
					t.Errorf("%s: exit status %d, and: %s", word, code, stderr)
				}
			}
		})
	}
}

// TestAuthenticationAndPages: a browser asks first whether a page may send a
// token, without one; and the page may read why it was refused.
func TestAuthenticationAndPages(t *testing.T) {
	t.Parallel()
	b := start(t, setup{
		env:    []string{"MCPBRIDGE_AUTH_PRESHARED_TOKENS=ann " + tokenAnn},
		config: "auth: {methods: preshared}\nhttp: {allowed_origins: [\"https://app.example.com\"]}\n",
	})
	const app, evil, typeJSON = "Origin: https://app.example.com", "Origin: https://evil.example.com", "Content-Type: application/json"
	preflight := []string{"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization,content-type"}
	for name, tt := range map[string]struct {
		method  string
		headers []string
		status  int
		allowed bool // the page may read the answer
	}{
		"preflight":                   {http.MethodOptions, append([]string{app}, preflight...), 204, true},
		"preflight of another origin": {http.MethodOptions, append([]string{evil}, preflight...), 403, false},
		"options, not of a browser":   {http.MethodOptions, nil, 401, false},
		"with a token":                {http.MethodPost, []string{app, typeJSON, header(tokenAnn)}, 200, true},
		"without a token":             {http.MethodPost, []string{app, typeJSON}, 401, true},
		"another origin with a token": {http.MethodPost, []string{evil, typeJSON, header(tokenAnn)}, 403, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newWeb(t).do(t, tt.method, b.restURL+"/v1/servers/demo/tools/echo:call", `{"arguments":{"message":"hi"}}`, tt.headers...)
			if r.status != tt.status {
				t.Errorf("HTTP status %d, want %d: %s", r.status, tt.status, r.body)
			}
			if got := r.header.Get("Access-Control-Allow-Origin") != ""; got != tt.allowed {
				t.Errorf("the page may read the answer: %t", got)
			}
			if r.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Error("a browser may send credentials of its own")
			}
			if tt.status == 204 && !strings.Contains(r.header.Get("Access-Control-Allow-Headers"), "authorization") {
				t.Errorf("the page may send %q", r.header.Get("Access-Control-Allow-Headers"))
			}
		})
	}
}
