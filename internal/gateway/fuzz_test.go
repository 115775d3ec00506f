package gateway_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"google.golang.org/grpc"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/gateway"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// FuzzGateway sends requests that are anything. Whatever comes back is JSON,
// errors are statuses, and what the service gets as free-form JSON is JSON.
func FuzzGateway(f *testing.F) {
	for _, path := range []string{
		callPath, streamPath, "/v1/servers", "/v1/sessions/%40a%2Fb", "/v1/servers/demo/tools?all=true&meta={}", "/", "/openapi.json",
		"/v1/servers/demo/resources:read?uri=a:1&answers.roots=true", "/v1/groups/g/members", "/v1/servers/a:b:ping", "//", "/v1/servers//tools",
	} {
		for _, method := range []string{"GET", "POST"} {
			f.Add(method, path, `{"arguments":{"a":1.0},"metaJson":"{}"}`, "Accept", "text/event-stream")
		}
	}
	f.Add("POST", callPath, `{}`, "Grpc-Timeout", "1S")
	f.Add("OPTIONS", callPath, ``, "Origin", "null")
	check := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		if in, ok := req.(*mcpbridgev1.CallToolRequest); ok && in.ArgumentsJson != nil && rawjson.Check([]byte(in.GetArgumentsJson()), 64) != nil {
			panic("no JSON: " + in.GetArgumentsJson())
		}
		return handler(ctx, req)
	}
	g, err := gateway.New(gateway.Options{
		Service: &stub{
			stream: func(_ *mcpbridgev1.CallToolStreamRequest, out callStream) error { return sendAll(out, nil) },
			watch:  func(*mcpbridgev1.WatchEventsRequest, watchStream) error { return nil },
		},
		OpenAPI: []byte(`{}`), UnaryInterceptors: []grpc.UnaryServerInterceptor{check}, MaxBodyBytes: 1 << 16,
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, target, body, header, value string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		r.Method, r.URL, r.Host, r.Header = method, u, "localhost", http.Header{http.CanonicalHeaderKey(header): {value}}
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		switch w.Header().Get("Content-Type") {
		case "application/json":
			if !json.Valid(w.Body.Bytes()) {
				t.Errorf("HTTP %d %q", w.Code, w.Body)
			}
			if w.Code >= http.StatusBadRequest {
				readStatus(t, w.Body.Bytes())
			}
		case "application/x-ndjson", "text/event-stream", "":
			if w.Code >= http.StatusBadRequest {
				t.Errorf("HTTP %d %q", w.Code, w.Body)
			}
		default:
			t.Errorf("HTTP %d of type %s", w.Code, w.Header().Get("Content-Type"))
		}
	})
}
