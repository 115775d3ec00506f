package gateway

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// What is recorded of a request, and what of that is measured: nothing that
// callers make up.
func TestInstrumented(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		method, host, forwarded string
		pattern                 string
		code                    int
		name                    string
		measured, recorded      map[attribute.Key]string
	}{
		"routed": {
			method: "POST", host: "a.example:8080", pattern: "POST /v1/{name}:call", name: "POST /v1/{name}:call",
			measured: map[attribute.Key]string{"http.request.method": "POST", "http.response.status_code": "200", "http.route": "/v1/{name}:call"},
			recorded: map[attribute.Key]string{"server.address": "a.example", "server.port": "8080", "client.address": "192.0.2.1"},
		},
		"failed": {
			method: "GET", host: "a.example", forwarded: "192.0.2.7, 192.0.2.8", code: 503, name: "GET",
			measured: map[attribute.Key]string{"http.request.method": "GET", "http.response.status_code": "503", "error.type": "503"},
			recorded: map[attribute.Key]string{"server.address": "a.example", "client.address": "192.0.2.7"},
		},
		"caller's fault": {
			method: "GET", host: "a.example", code: 404, name: "GET",
			measured: map[attribute.Key]string{"http.request.method": "GET", "http.response.status_code": "404"},
			recorded: map[attribute.Key]string{"server.address": "a.example", "client.address": "192.0.2.1"},
		},
		"made up": {
			method: "BREW", host: "a.example", name: "HTTP",
			measured: map[attribute.Key]string{"http.request.method": "_OTHER", "http.response.status_code": "200"},
			recorded: map[attribute.Key]string{"http.request.method_original": "BREW", "server.address": "a.example", "client.address": "192.0.2.1"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spans, reader := tracetest.NewSpanRecorder(), sdkmetric.NewManualReader()
			h, err := instrument(Options{
				TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)),
				MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
				Propagator:     propagation.TraceContext{},
			}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Pattern = test.pattern
				_, _ = io.Copy(io.Discard, r.Body)
				if test.code != 0 {
					w.WriteHeader(test.code)
				}
				_, _ = io.WriteString(w, "four")
				w.(http.Flusher).Flush()
			}))
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequestWithContext(t.Context(), test.method, "http://"+test.host+"/v1/x:call?key=hunter2", strings.NewReader("sixsix"))
			r.Header.Set("X-Forwarded-For", test.forwarded)
			r.Header.Set("User-Agent", "me")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Body.String() != "four" || !w.Flushed || test.code != 0 && w.Code != test.code {
				t.Errorf("answer %d %q, flushed: %v", w.Code, w.Body, w.Flushed)
			}
			shared := map[attribute.Key]string{"url.scheme": "http", "network.protocol.name": "http", "network.protocol.version": "1.1"}
			maps.Copy(shared, test.measured)
			checkMeasured(t, reader, shared)
			maps.Copy(shared, test.recorded)
			maps.Copy(shared, map[attribute.Key]string{
				"url.path": "/v1/x:call", "network.peer.address": "192.0.2.1", "network.peer.port": "1234", "user_agent.original": "me",
				"http.request.body.size": "6", "http.response.body.size": "4",
			})
			span := spans.Ended()[0]
			if got := words(span.Attributes()); span.Name() != test.name || !maps.Equal(got, shared) {
				t.Errorf("span %q with %v, want %q with %v", span.Name(), got, test.name, shared)
			}
			if failed := span.Status().Code == codes.Error; failed != (test.code >= 500) {
				t.Errorf("status %v", span.Status())
			}
		})
	}
}

func words(list []attribute.KeyValue) map[attribute.Key]string {
	m := make(map[attribute.Key]string, len(list))
	for _, kv := range list {
		m[kv.Key] = kv.Value.String()
	}
	return m
}

func checkMeasured(t *testing.T, reader sdkmetric.Reader, want map[attribute.Key]string) {
	t.Helper()
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &collected); err != nil {
		t.Fatal(err)
	}
	sums := make(map[string]int64)
	for _, m := range collected.ScopeMetrics[0].Metrics {
		var got attribute.Set
		switch data := m.Data.(type) {
		case metricdata.Histogram[float64]:
			got, sums[m.Name] = data.DataPoints[0].Attributes, int64(data.DataPoints[0].Count)
		case metricdata.Histogram[int64]:
			got, sums[m.Name] = data.DataPoints[0].Attributes, data.DataPoints[0].Sum
		}
		if !maps.Equal(words(got.ToSlice()), want) {
			t.Errorf("%s has %v, want %v", m.Name, words(got.ToSlice()), want)
		}
	}
	if len(sums) != 3 || sums["http.server.request.duration"] != 1 || sums["http.server.request.body.size"] != 6 || sums["http.server.response.body.size"] != 4 {
		t.Errorf("measured %v", sums)
	}
}
