package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/gateway"
)

// witness writes down what a service is called with, and by way of what.
type witness struct{ seen []string }

// desc describes a service whose CallTool w stands around.
func (w *witness) desc() *grpc.ServiceDesc {
	desc := mcpbridgev1.McpService_ServiceDesc
	desc.Methods = slices.Clone(desc.Methods)
	for i := range desc.Methods {
		m := &desc.Methods[i]
		handler := m.Handler
		m.Handler = func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
			w.seen = append(w.seen, "begin "+m.MethodName)
			out, err := handler(srv, ctx, decode, interceptor)
			w.seen = append(w.seen, fmt.Sprint("end ", status.Code(err)))
			return out, err
		}
	}
	return &desc
}

// intercept is an interceptor.
func (w *witness) intercept(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	w.seen = append(w.seen, fmt.Sprintf("%s of %T with %T", info.FullMethod, info.Server, request))
	return handler(ctx, request)
}

// callTool fails for tools called "fail". Otherwise it answers with fields left
// as wire bytes, as the real service does.
func (w *witness) callTool(ctx context.Context, in *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	outgoing, _ := metadata.FromOutgoingContext(ctx)
	from, _ := peer.FromContext(ctx)
	method, _ := grpc.Method(ctx)
	_, limited := ctx.Deadline()
	request, err := protojson.Marshal(in)
	w.seen = append(w.seen, fmt.Sprint(strings.ReplaceAll(string(request), " ", ""), err, md, outgoing, from, method, limited))

	_ = grpc.SendHeader(ctx, metadata.Pairs("mcpbridge-sent", "1", "x-hidden", "2")) // the response shows it
	_ = grpc.SetTrailer(ctx, metadata.Pairs("mcpbridge-late", "3"))
	if in.GetName() == "fail" {
		return nil, status.Error(codes.Unavailable, "no such luck")
	}
	wire, err := proto.Marshal(result())
	if err != nil {
		return nil, err
	}
	out := &mcpbridgev1.CallToolResponse{MetaJson: proto.String(`{"a": 1.0}`)}
	out.ProtoReflect().SetUnknown(wire)
	return out, nil
}

type newFunc func(gateway.Options) (*gateway.Gateway, error)

// answer has a gateway answer r, and returns all that is to be seen of it but
// the route that r is named after.
func answer(t *testing.T, create newFunc, r *http.Request) string {
	t.Helper()
	w := &witness{}
	g, err := create(gateway.Options{
		Service: &stub{callTool: w.callTool}, Desc: w.desc(), MaxBodyBytes: 1 << 10,
		UnaryInterceptors: []grpc.UnaryServerInterceptor{w.intercept},
	})
	if err != nil {
		t.Fatal(err)
	}
	response := httptest.NewRecorder()
	g.ServeHTTP(response, r)
	return fmt.Sprint(response.Code, response.Header(), response.Body, "\n", strings.Join(w.seen, "\n"))
}

// FuzzCallTool compares the gateway's own way of calling a tool with that of the
// generated code.
func FuzzCallTool(f *testing.F) {
	for _, path := range []string{
		"servers/demo/tools/add:call", "sessions/s/tools/fail:call", "groups/g/tools/a:b:call", "servers/demo/tools/:call",
		"servers//tools/x:call", "servers/a%2Fb/tools/c%2Fd:call", "servers/a/tools/b/c:call", "servers/a/tools/b:call?x=1", "servers/a/tools/ä%20:call",
		"others/a/tools/b:call", "servers/a/tools/tools:call", "servers/a/tools:call", "servers/a/tools/b:call?%zz", "servers/a/tools/b:call?z&b&y", "servers/a/tools/b:call#c:call",
		"servers/a/tools/b:call/", "servers/a/tool/b:call", "servers/%zz/tools/b:call", "servers/%252F/tools/%3Acall:call",
	} {
		f.Add(path, `{"arguments":{"a":1.0}}`, "Accept", "*/*", "127.0.0.1:80", "[::1]:9")
	}
	const path = "servers/demo/tools/add:call"
	for _, body := range []string{"", " ", "{", `{"name":"x","timeout":"1s","jsonFormat":"JSON_FORMAT_STRUCT"}`, `{"nope":1}`, strings.Repeat(" ", 1<<11)} {
		f.Add(path, body, "Accept", "text/event-stream", "localhost", "127.0.0.1:9")
	}
	for _, header := range []string{
		"Authorization: Bearer x", "Authorization: \x01", "X-Forwarded-Host: a", "X-Forwarded-Host: \x7f", "X-Forwarded-Host: ", "X-Forwarded-For: 1, 2",
		"X-Forwarded-For: ", "X-Forwarded-For: ü", "Grpc-Timeout: 1S", "Grpc-Timeout: x", "Grpc-Metadata-X: y", "Grpc-Metadata-X-Bin: ?",
		"Grpc-Metadata-X-Forwarded-For: 1", "Request-Timeout: 5", "Request-Timeout: x", "Origin: null", "Content-Type: text/plain", "X-Http-Method-Override: GET",
	} {
		name, value, _ := strings.Cut(header, ": ")
		f.Add(path, `{}`, name, value, "localhost", "127.0.0.1:9")
		f.Add(path, `{}`, name, value, "localhost", "")
	}
	f.Fuzz(func(t *testing.T, path, body, name, value, host, from string) {
		u, err := url.ParseRequestURI("/v1/" + path)
		if name = http.CanonicalHeaderKey(name); err != nil || name == "Te" { // of trailers the own way says nothing
			return
		}
		request := func() *http.Request {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
			r.URL, r.Host, r.RemoteAddr, r.Header = u, host, from, http.Header{name: {value}}
			return r
		}
		own, generated := request(), request()
		got, want := answer(t, gateway.New, own), answer(t, gateway.NewGenerated, generated)
		if got != want {
			t.Errorf("own:\n%s\n\ngenerated:\n%s", got, want)
		}
		// The generated code does not tell the route if metadata is at fault.
		if own.Pattern != generated.Pattern && generated.Pattern != "" {
			t.Errorf("route %s, of the generated code %s", own.Pattern, generated.Pattern)
		}
	})
}
