package transport

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

func TestTraced(t *testing.T) {
	t.Parallel()
	var rec recorder
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		rec.record(t, r)
		writeResult(t, w, r, `{}`)
	})
	remote := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, Remote: true})
	tests := map[string]struct {
		sampler sdktrace.Sampler // nil: no span is started
		parent  trace.SpanContext
		header  bool
		spans   []string
	}{
		"no trace":     {},
		"remote only":  {parent: remote, header: true},
		"not recorded": {sampler: sdktrace.NeverSample(), parent: remote, header: true},
		"recorded":     {sampler: sdktrace.AlwaysSample(), header: true, spans: []string{"POST", "caller"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			spans := tracetest.NewSpanRecorder()
			ctx := trace.ContextWithRemoteSpanContext(t.Context(), tt.parent)
			end := func() {}
			if tt.sampler != nil {
				provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(tt.sampler), sdktrace.WithSpanProcessor(spans))
				var span trace.Span
				ctx, span = provider.Tracer("test").Start(ctx, "caller")
				end = func() { span.End() }
			}
			tr := dialHTTP(t, HTTPConfig{URL: url + "/mcp?key=hunter2", Client: Traced(newPool(t, nil, nil), propagation.TraceContext{})}, ignore)
			if _, err := tr.RoundTrip(ctx, &Request{ID: 1, Method: "m", Envelope: legacy()}); err != nil {
				t.Fatal(err)
			}
			end()
			r, _ := rec.last()
			checkTraceHeader(ctx, t, r, tt.header)
			if r.URL.RawQuery != "key=hunter2" {
				t.Errorf("query %q", r.URL.RawQuery)
			}
			var names []string
			for _, s := range spans.Ended() {
				names = append(names, s.Name())
				checkNoSecret(t, s.Attributes())
				if s.Name() == "POST" {
					checkHTTPSpan(t, s, url)
				}
			}
			if !slices.Equal(names, tt.spans) {
				t.Errorf("spans %q, want %q", names, tt.spans)
			}
			if shared := tr.headers.get(tr.dialer, tr.headers.version(), tr.session.Load()); shared.Get("Traceparent") != "" {
				t.Error("the trace went into headers that all requests share")
			}
		})
	}
}

func checkTraceHeader(ctx context.Context, t *testing.T, r *http.Request, want bool) {
	t.Helper()
	parent := r.Header.Get("Traceparent")
	if (parent != "") != want || want && !strings.Contains(parent, trace.SpanContextFromContext(ctx).TraceID().String()) {
		t.Errorf("traceparent %q", parent)
	}
}

func checkHTTPSpan(t *testing.T, s sdktrace.ReadOnlySpan, url string) {
	t.Helper()
	_, port, _ := strings.Cut(url, "127.0.0.1:")
	want := map[attribute.Key]string{
		"http.request.method": "POST", "url.full": url + "/mcp", "server.address": "127.0.0.1", "server.port": port,
		"http.response.status_code": "200",
	}
	got := make(map[attribute.Key]string)
	for _, kv := range s.Attributes() {
		got[kv.Key] = kv.Value.String()
	}
	if !maps.Equal(got, want) || s.SpanKind() != trace.SpanKindClient || s.Status().Code != codes.Unset {
		t.Errorf("%v span with %v and %v, want %v", s.SpanKind(), got, s.Status(), want)
	}
}

// TestTracedFailures: the span of a request that got no answer, or a bad one, is
// an error.
func TestTracedFailures(t *testing.T) {
	t.Parallel()
	url := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	for name, tt := range map[string]struct{ url, code string }{"status": {url, "404"}, "no connection": {"http://127.0.0.1:1", "_OTHER"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spans := tracetest.NewSpanRecorder()
			ctx, span := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test").Start(t.Context(), "caller")
			defer span.End()
			tr := dialHTTP(t, HTTPConfig{URL: tt.url, Client: Traced(newPool(t, nil, nil), propagation.TraceContext{})}, ignore)
			if _, err := tr.RoundTrip(ctx, &Request{ID: 1, Method: "m", Envelope: legacy()}); err == nil {
				t.Fatal("no error")
			}
			ended := spans.Ended()
			if len(ended) != 1 || ended[0].Status().Code != codes.Error {
				t.Fatalf("spans %v", ended)
			}
			failure := ""
			for _, kv := range ended[0].Attributes() {
				if kv.Key == "error.type" {
					failure = kv.Value.AsString()
				}
			}
			if failure != tt.code {
				t.Errorf("error.type %q", failure)
			}
		})
	}
}

func checkNoSecret(t *testing.T, attrs []attribute.KeyValue) {
	t.Helper()
	for _, a := range attrs {
		if strings.Contains(a.Value.AsString(), "hunter2") {
			t.Errorf("%s is %q", a.Key, a.Value.AsString())
		}
	}
}

// TestTracedLeavesFailuresAsTheyAre: what a call ends with must not depend on
// whether it is traced.
func TestTracedLeavesFailuresAsTheyAre(t *testing.T) {
	t.Parallel()
	provider := sdktrace.NewTracerProvider()
	ctx, span := provider.Tracer("test").Start(t.Context(), "caller")
	defer span.End()
	tr := dialHTTP(t, HTTPConfig{URL: "http://127.0.0.1:1", Client: Traced(newPool(t, &Guard{}, nil), propagation.TraceContext{})}, ignore)
	sent := false
	_, err := tr.RoundTrip(ctx, &Request{ID: 1, Method: "m", OnSend: func() { sent = true }})
	wantError(t, err, KindForbidden, NotSent)
	if sent {
		t.Error("OnSend was called")
	}
}

func BenchmarkTraced(b *testing.B) {
	url := benchServer(b, "application/json", []byte(`{}`))
	recording, span := sdktrace.NewTracerProvider().Tracer("bench").Start(b.Context(), "caller")
	defer span.End()
	remote := trace.ContextWithRemoteSpanContext(b.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}))
	for name, bm := range map[string]struct {
		ctx    context.Context
		traced bool
	}{"bare": {b.Context(), false}, "no trace": {b.Context(), true}, "header only": {remote, true}, "recorded": {recording, true}} {
		b.Run(name, func(b *testing.B) {
			var client http.RoundTripper = benchPool(b)
			if bm.traced {
				client = Traced(client, propagation.TraceContext{})
			}
			call := ourPOST(b, url, legacy(), client)
			b.ReportAllocs()
			for id := int64(1); b.Loop(); id++ {
				if err := call(bm.ctx, id, []byte(`{}`)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
