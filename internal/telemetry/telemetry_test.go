package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Without a word in the environment nothing is exported, but metrics can be
// scraped.
func TestStartQuietly(t *testing.T) {
	for _, name := range []string{"OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT"} {
		t.Setenv(name, "")
	}
	tel, err := Start(t.Context(), "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tel.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	if _, silent := tel.TracerProvider.(tracenoop.TracerProvider); !silent {
		t.Errorf("traces are exported by %T", tel.TracerProvider)
	}
	counter, err := tel.MeterProvider.Meter("test").Int64Counter("answers")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 42)
	w := httptest.NewRecorder()
	tel.Metrics.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	body, _ := io.ReadAll(w.Body)
	for _, want := range []string{"answers_total", "} 42", `service_version="1.2.3"`, "go_goroutines"} {
		if !strings.Contains(string(body), want) {
			t.Errorf("/metrics lacks %q", want)
		}
	}
}

func TestWanted(t *testing.T) {
	tests := map[string]struct {
		env  map[string]string
		want bool
	}{
		"nothing":          {},
		"endpoint":         {env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, want: true},
		"its own endpoint": {env: map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318"}, want: true},
		"exporter":         {env: map[string]string{"OTEL_TRACES_EXPORTER": "console"}, want: true},
		"none":             {env: map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}},
		"disabled":         {env: map[string]string{"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, name := range []string{"OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SDK_DISABLED"} {
				t.Setenv(name, tt.env[name])
			}
			if got := wanted("TRACES"); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestLoggerAddsTheTrace(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := NewLogger(&out, slog.LevelInfo, true).With("a", 1)
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}))
	log.InfoContext(ctx, "x")
	log.DebugContext(ctx, "not wanted")
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if line["trace_id"] != "01000000000000000000000000000000" || line["span_id"] != "0200000000000000" || line["a"] != 1.0 {
		t.Errorf("got %s", out.Bytes())
	}
}

// What a collector gets from the whole of it. A panic passes through a span untold.
func TestStartTraces(t *testing.T) {
	got := make(chan *collectorpb.ExportTraceServiceRequest, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		all := new(collectorpb.ExportTraceServiceRequest)
		if err := proto.Unmarshal(body, all); err != nil {
			t.Error(err)
		}
		got <- all
	}))
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", server.URL)
	tel, err := Start(t.Context(), "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if recover() != "secret" {
				t.Error("no panic")
			}
		}()
		_, span := tel.TracerProvider.Tracer("test").Start(t.Context(), "one")
		defer span.End()
		panic("secret")
	}()
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := (<-got).String()
	if !strings.Contains(text, "1.2.3") || !strings.Contains(text, `"one"`) || strings.Contains(text, "secret") {
		t.Errorf("got %s", text)
	}
}
