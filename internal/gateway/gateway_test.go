package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newGateway makes a gateway to service.
func newGateway(t testing.TB, service *stub, change ...func(*gateway.Options)) *gateway.Gateway {
	t.Helper()
	opts := gateway.Options{Service: service, Version: "1.2.3", OpenAPI: []byte(`{"swagger":"2.0"}`)}
	for _, c := range change {
		c(&opts)
	}
	g, err := gateway.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// newRequest makes a request as a script on the same machine would. Headers are
// given as "Name: value".
func newRequest(t testing.TB, method, url, body string, headers ...string) *http.Request {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, url, reader)
	r.Host = "localhost:8080"
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	return r
}

// serve answers a request without a network.
func serve(g *gateway.Gateway, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
}

const callPath = "/v1/servers/demo/tools/add:call"

func TestCallTool(t *testing.T) {
	t.Parallel()
	var got *mcpbridgev1.CallToolRequest
	g := newGateway(t, &stub{callTool: func(_ context.Context, in *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error) {
		got = in
		return &mcpbridgev1.CallToolResponse{
			Content:               []*mcpbridgev1.ContentBlock{{Block: &mcpbridgev1.ContentBlock_Text{Text: &mcpbridgev1.TextContent{Text: "3"}}}},
			StructuredContentJson: proto.String(`{"sum": 9007199254740993}`),
		}, nil
	}})
	w := serve(g, newRequest(t, "POST", callPath, `{"arguments":{"b": 9007199254740993, "a":1.0}}`, "Content-Type: application/x-www-form-urlencoded"))

	want := &mcpbridgev1.CallToolRequest{
		Target: "servers/demo", Name: "add", ArgumentsJson: proto.String(`{"b": 9007199254740993, "a":1.0}`),
		JsonFormat: mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT,
	}
	if !proto.Equal(got, want) {
		t.Errorf("the service got %v, want %v", got, want)
	}
	body := `{"content":[{"text":{"text":"3"}}],"structuredContent":{"sum": 9007199254740993},"isError":false}`
	if w.Code != http.StatusOK || w.Body.String() != body {
		t.Errorf("status %d, body %s, want %s", w.Code, w.Body, body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Content-Length": fmt.Sprint(len(body)), "Vary": "", "Access-Control-Allow-Origin": "",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body    string
		headers []string
		want    *mcpbridgev1.CallToolRequest
	}{
		"none":                   {"", nil, &mcpbridgev1.CallToolRequest{}},
		"white space":            {" \n", nil, &mcpbridgev1.CallToolRequest{}},
		"no type":                {`{"requestState":"s"}`, nil, &mcpbridgev1.CallToolRequest{RequestState: proto.String("s")}},
		"strange type":           {`{}`, []string{"Content-Type: ;;;"}, &mcpbridgev1.CallToolRequest{}},
		"type of a stream":       {`{}`, []string{"Content-Type: text/event-stream"}, &mcpbridgev1.CallToolRequest{}},
		"asks for a stream":      {`{}`, []string{"Accept: text/event-stream"}, &mcpbridgev1.CallToolRequest{}},
		"asks for something":     {`{}`, []string{"Accept: image/png"}, &mcpbridgev1.CallToolRequest{}},
		"method override":        {`{}`, []string{"X-HTTP-Method-Override: GET"}, &mcpbridgev1.CallToolRequest{}},
		"path wins":              {`{"target":"servers/other","name":"other"}`, nil, &mcpbridgev1.CallToolRequest{}},
		"json_format is ignored": {`{"jsonFormat":"JSON_FORMAT_STRUCT"}`, nil, &mcpbridgev1.CallToolRequest{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got *mcpbridgev1.CallToolRequest
			g := newGateway(t, &stub{callTool: func(_ context.Context, in *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error) {
				got = in
				return &mcpbridgev1.CallToolResponse{}, nil
			}})
			w := serve(g, newRequest(t, "POST", callPath, tt.body, tt.headers...))
			tt.want.Target, tt.want.Name, tt.want.JsonFormat = "servers/demo", "add", mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT
			if w.Code != http.StatusOK || !proto.Equal(got, tt.want) {
				t.Errorf("status %d %s, the service got %v, want %v", w.Code, w.Body, got, tt.want)
			}
			if got := w.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type: %s", got)
			}
		})
	}
}

// TestNames calls tools of names that a path is not made for.
func TestNames(t *testing.T) {
	t.Parallel()
	for path, want := range map[string][2]string{
		"/v1/servers/demo/tools/ns%2Ftool:call":       {"servers/demo", "ns/tool"},
		"/v1/servers/%40a%2Fb/tools/c%2Fd:call":       {"servers/@a/b", "c/d"},
		"/v1/sessions/s/tools/ns:tool:call":           {"sessions/s", "ns:tool"},
		"/v1/groups/g/tools/x:stream:call":            {"groups/g", "x:stream"},
		"/v1/groups/g/tools/100%25%20%C3%A4.v2:call":  {"groups/g", "100% ä.v2"},
		"/v1/servers/demo/tools/tools:call:call":      {"servers/demo", "tools:call"},
		"/v1/servers/demo/tools/a+b:call":             {"servers/demo", "a+b"},
		"/v1/servers/demo/tools/%252F:call":           {"servers/demo", "%2F"},
		"/v1/servers/demo/tools:call?":                {"servers/demo", "in the body"},
		"/v1/servers/demo/tools/%3Aping%3Fa%3Db:call": {"servers/demo", ":ping?a=b"},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			var got [2]string
			g := newGateway(t, &stub{callTool: func(_ context.Context, in *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error) {
				got = [2]string{in.GetTarget(), in.GetName()}
				return &mcpbridgev1.CallToolResponse{}, nil
			}})
			if w := serve(g, newRequest(t, "POST", path, `{"name":"in the body"}`)); got != want {
				t.Errorf("HTTP %d %s, called %q, want %q", w.Code, w.Body, got, want)
			}
		})
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	var got *mcpbridgev1.ReadResourceRequest
	g := newGateway(t, &stub{readResource: func(_ context.Context, in *mcpbridgev1.ReadResourceRequest) (*mcpbridgev1.ReadResourceResponse, error) {
		got = in
		return &mcpbridgev1.ReadResourceResponse{}, nil
	}})
	w := serve(g, newRequest(t, "GET", `/v1/servers/demo/resources:read?uri=file:///a%20b&meta={"n":1.0}&answers.roots=true`, ""))
	want := &mcpbridgev1.ReadResourceRequest{
		Target: "servers/demo", Uri: "file:///a b", MetaJson: proto.String(`{"n":1.0}`),
		Answers: &mcpbridgev1.Answers{Roots: true}, JsonFormat: mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT,
	}
	if w.Code != http.StatusOK || !proto.Equal(got, want) {
		t.Errorf("status %d %s, the service got %v, want %v", w.Code, w.Body, got, want)
	}
}

func TestBodyOfOneField(t *testing.T) {
	t.Parallel()
	var got *mcpbridgev1.AddGroupMemberRequest
	g := newGateway(t, &stub{addMember: func(_ context.Context, in *mcpbridgev1.AddGroupMemberRequest) (*mcpbridgev1.AddGroupMemberResponse, error) {
		got = in
		return &mcpbridgev1.AddGroupMemberResponse{}, nil
	}})
	w := serve(g, newRequest(t, "POST", "/v1/groups/g/members", `{"target":"servers/demo"}`, "Content-Type: application/x-www-form-urlencoded"))
	want := &mcpbridgev1.AddGroupMemberRequest{Name: "groups/g", Member: &mcpbridgev1.GroupMember{Target: "servers/demo"}}
	if w.Code != http.StatusOK || !proto.Equal(got, want) {
		t.Errorf("status %d %s, the service got %v, want %v", w.Code, w.Body, got, want)
	}
	if w := serve(g, newRequest(t, "POST", "/v1/groups/g/members", `{"x":1}`)); w.Code != http.StatusBadRequest {
		t.Errorf("unknown field: status %d %s", w.Code, w.Body)
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	var got metadata.MD
	g := newGateway(t, &stub{callTool: func(ctx context.Context, _ *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error) {
		got, _ = metadata.FromIncomingContext(ctx)
		return &mcpbridgev1.CallToolResponse{}, nil
	}})
	serve(g, newRequest(t, "POST", callPath, "",
		"Authorization: Bearer t", "Grpc-Metadata-X-Tenant: a", "Grpc-Metadata-X-Bytes-Bin: AAE=", "Cookie: secret=1",
		"Grpc-Metadata-Authorization: Bearer other", "Grpc-Metadata-Traceparent: 00-1-1-01", "Grpc-Metadata-Grpc-Timeout: 1n",
		"Grpc-Metadata-Grpcgateway-Host: evil", "Grpc-Metadata-Cookie: secret=1", "Grpc-Metadata-Mcpbridge-Principal: root",
		"Grpc-Metadata-: x", "X-Tenant: b", "Referer: http://secret"))
	want := metadata.MD{
		"authorization": {"Bearer t"}, "x-tenant": {"a"}, "x-bytes-bin": {"\x00\x01"},
		"x-forwarded-host": {"localhost:8080"}, "x-forwarded-for": {"192.0.2.1"},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestPeer(t *testing.T) {
	t.Parallel()
	var got *peer.Peer
	g := newGateway(t, &stub{callTool: func(ctx context.Context, _ *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error) {
		got, _ = peer.FromContext(ctx)
		return &mcpbridgev1.CallToolResponse{}, nil
	}})
	server := httptest.NewTLSServer(g)
	t.Cleanup(server.Close)
	response, err := server.Client().Post(server.URL+callPath, "", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if got == nil || got.Addr.Network() != "tcp" || !strings.HasPrefix(got.Addr.String(), "127.0.0.1:") ||
		got.LocalAddr.String() != server.Listener.Addr().String() || got.AuthInfo.AuthType() != "tls" {
		t.Errorf("peer %v", got)
	}
	r := newRequest(t, "POST", callPath, "")
	r.RemoteAddr = "@"
	serve(g, r)
	if got.Addr.Network() != "unix" || got.AuthInfo != nil {
		t.Errorf("peer over a Unix socket: %v", got)
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		headers  []string
		min, max time.Duration // of what is left
		field    string        // of the error
	}{
		"none":           {nil, 0, 0, ""},
		"seconds":        {[]string{"Request-Timeout: 90"}, 80 * time.Second, 90 * time.Second, ""},
		"fraction":       {[]string{"Request-Timeout: 59.5"}, 50 * time.Second, 60 * time.Second, ""},
		"as gRPC has it": {[]string{"Grpc-Timeout: 2M"}, 100 * time.Second, 120 * time.Second, ""},
		"shorter wins":   {[]string{"Grpc-Timeout: 2M", "Request-Timeout: 30"}, 20 * time.Second, 30 * time.Second, ""},
		"unit":           {[]string{"Request-Timeout: 5s"}, 0, 0, "Request-Timeout"},
		"zero":           {[]string{"Request-Timeout: 0"}, 0, 0, "Request-Timeout"},
		"NaN":            {[]string{"Request-Timeout: NaN"}, 0, 0, "Request-Timeout"},
		"infinite":       {[]string{"Request-Timeout: Inf"}, 0, 0, "Request-Timeout"},
		"no gRPC unit":   {[]string{"Grpc-Timeout: 5x"}, 0, 0, "grpc-timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var left time.Duration
			called := false
			g := newGateway(t, &stub{callTool: func(ctx context.Context, _ *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error) {
				called = true
				if deadline, ok := ctx.Deadline(); ok {
					left = time.Until(deadline)
				}
				return &mcpbridgev1.CallToolResponse{}, nil
			}})
			w := serve(g, newRequest(t, "POST", callPath, "", tt.headers...))
			if tt.field != "" {
				if called || w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), tt.field) {
					t.Errorf("called %v, status %d %s", called, w.Code, w.Body)
				}
				return
			}
			if !called || left < tt.min || left > tt.max {
				t.Errorf("called %v, %v are left, want %v to %v", called, left, tt.min, tt.max)
			}
		})
	}
}

func TestInterceptorsAreTheSame(t *testing.T) {
	t.Parallel()
	g := newGateway(t, &stub{}, func(o *gateway.Options) {
		o.UnaryInterceptors = []grpc.UnaryServerInterceptor{
			func(_ context.Context, _ any, info *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
				return nil, status.Error(codes.Unauthenticated, info.FullMethod)
			},
		}
		o.StreamInterceptors = []grpc.StreamServerInterceptor{
			func(_ any, _ grpc.ServerStream, info *grpc.StreamServerInfo, _ grpc.StreamHandler) error {
				return status.Error(codes.Unauthenticated, info.FullMethod)
			},
		}
	})
	for path, method := range map[string]string{
		"/v1/servers/demo/tools/add:call":   mcpbridgev1.McpService_CallTool_FullMethodName,
		"/v1/servers/demo/tools/add:stream": mcpbridgev1.McpService_CallToolStream_FullMethodName,
	} {
		w := serve(g, newRequest(t, "POST", path, ""))
		if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), method) ||
			w.Header().Get("WWW-Authenticate") != `Bearer realm="mcpbridge"` {
			t.Errorf("%s: status %d %s %v", path, w.Code, w.Body, w.Header())
		}
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	g := newGateway(t, &stub{})
	for path, want := range map[string]string{
		"/":             `{"name":"mcpbridge","version":"1.2.3","docs":"https://github.com/mcpbridge/mcpbridge/blob/main/docs/rest.md","servers":"/v1/servers","openapi":"/openapi.json"}` + "\n",
		"/openapi.json": `{"swagger":"2.0"}`,
	} {
		w := serve(g, newRequest(t, "GET", path, ""))
		if w.Code != http.StatusOK || w.Body.String() != want || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: status %d %s", path, w.Code, w.Body)
		}
		if w := serve(g, newRequest(t, "POST", path, "{}")); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s: status %d %v", path, w.Code, w.Header())
		}
	}
	bare := newGateway(t, &stub{}, func(o *gateway.Options) { o.OpenAPI = nil })
	if w := serve(bare, newRequest(t, "GET", "/openapi.json", "")); w.Code != http.StatusNotFound {
		t.Errorf("without a document: status %d", w.Code)
	}
}

func TestNewErrors(t *testing.T) {
	t.Parallel()
	if _, err := gateway.New(gateway.Options{}); err == nil {
		t.Error("no service, no error")
	}
	for _, origin := range []string{"null", "*", "app.example.com", "https://app.example.com/", "https://*.example.com", ""} {
		if _, err := gateway.New(gateway.Options{Service: &stub{}, AllowedOrigins: []string{origin}}); err == nil {
			t.Errorf("origin %q, no error", origin)
		}
	}
}

func ExampleNew() {
	g, err := gateway.New(gateway.Options{Service: &stub{}, Version: "1.2.3"})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(g)
	defer server.Close()

	response, err := http.Post(server.URL+"/v1/servers/demo/tools/echo:call", "application/json", strings.NewReader(`{"arguments":{}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	fmt.Println(response.Status, string(text), err)
	// Output: 200 OK {"content":[],"isError":false} <nil>
}
