package gateway_test

import (
	"context"
	"net/http"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/gateway"
	"github.com/mcpbridge/mcpbridge/internal/telemetry"
)

const (
	callerTrace = "0af7651916cd43dd8448eb211c80319c"
	callerSpan  = "b7ad6b7169203331"
	callerTrail = "Traceparent: 00-" + callerTrace + "-" + callerSpan + "-01"
)

// instrument has the RPCs of a gateway recorded as the bridge does it.
func instrument(tb testing.TB, o *gateway.Options) {
	tb.Helper()
	tel := telemetry.Telemetry{TracerProvider: o.TracerProvider, MeterProvider: o.MeterProvider, Propagator: o.Propagator}
	rpcs, err := tel.RPCs(&mcpbridgev1.McpService_ServiceDesc)
	if err != nil {
		tb.Fatal(err)
	}
	o.Desc, o.StreamInterceptors = rpcs.Desc(), append([]grpc.StreamServerInterceptor{rpcs.Stream}, o.StreamInterceptors...)
}

// traced is a gateway whose spans and metrics are kept.
func traced(t *testing.T, service *stub) (*gateway.Gateway, *tracetest.SpanRecorder, *metric.ManualReader) {
	t.Helper()
	spans, reader := tracetest.NewSpanRecorder(), metric.NewManualReader()
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	meters := metric.NewMeterProvider(metric.WithReader(reader))
	g := newGateway(t, service, func(o *gateway.Options) {
		o.TracerProvider, o.MeterProvider, o.Propagator = tracers, meters, propagation.TraceContext{}
		instrument(t, o)
	})
	return g, spans, reader
}

func TestSpans(t *testing.T) {
	t.Parallel()
	var inService trace.SpanContext
	g, spans, _ := traced(t, &stub{
		callTool: func(ctx context.Context, _ *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error) {
			inService = trace.SpanContextFromContext(ctx)
			return &mcpbridgev1.CallToolResponse{}, nil
		},
		stream: func(_ *mcpbridgev1.CallToolStreamRequest, out callStream) error {
			inService = trace.SpanContextFromContext(out.Context())
			return sendAll(out, nil)
		},
	})
	for path, want := range map[string]struct{ route, rpc string }{
		callPath:   {"/v1/{target=servers/*}/tools/{name}:call", "mcpbridge.v1.McpService/CallTool"},
		streamPath: {"/v1/{target=servers/*}/tools/{name}:stream", "mcpbridge.v1.McpService/CallToolStream"},
	} {
		spans.Reset()
		serve(g, newRequest(t, "POST", path, "", callerTrail, "Grpc-Metadata-Traceparent: 00-11111111111111111111111111111111-1111111111111111-01"))
		ended := spans.Ended()
		if len(ended) != 2 {
			t.Fatalf("%s: %d spans", path, len(ended))
		}
		rpc, http := ended[0], ended[1] // a child ends before its parent
		if http.Name() != "POST "+want.route || rpc.Name() != want.rpc || http.SpanKind() != trace.SpanKindServer || rpc.SpanKind() != trace.SpanKindServer {
			t.Errorf("%s: spans %q and %q", path, http.Name(), rpc.Name())
		}
		if got := http.Parent(); got.TraceID().String() != callerTrace || got.SpanID().String() != callerSpan || !got.IsRemote() {
			t.Errorf("%s: parent of the HTTP span: %v", path, got)
		}
		if rpc.Parent().SpanID() != http.SpanContext().SpanID() || rpc.SpanContext().TraceID() != http.SpanContext().TraceID() {
			t.Errorf("%s: parent of the RPC span: %v", path, rpc.Parent())
		}
		if inService.SpanID() != rpc.SpanContext().SpanID() {
			t.Errorf("%s: the service ran in %v", path, inService)
		}
		if got := routes(http.Attributes()); len(got) != 1 || got[0] != want.route {
			t.Errorf("%s: http.route %q", path, got)
		}
	}
}

// routes returns the values of http.route.
func routes(attributes []attribute.KeyValue) (found []string) {
	for _, a := range attributes {
		if a.Key == "http.route" {
			found = append(found, a.Value.AsString())
		}
	}
	return found
}

// TestSpanOfABadRequest has a route too: the path was found.
func TestSpanOfABadRequest(t *testing.T) {
	t.Parallel()
	g, spans, _ := traced(t, &stub{})
	for _, r := range []*http.Request{
		newRequest(t, "POST", callPath, "{"), newRequest(t, "POST", "/v1/nope/really", ""), newRequest(t, "GET", "/", ""),
	} {
		serve(g, r)
	}
	var names []string
	for _, span := range spans.Ended() {
		names = append(names, span.Name())
	}
	if len(names) != 3 || names[0] != "POST /v1/{target=servers/*}/tools/{name}:call" || names[1] != "POST" || names[2] != "GET /" {
		t.Errorf("spans %q", names)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	g, _, reader := traced(t, &stub{})
	serve(g, newRequest(t, "POST", callPath, ""))
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &collected); err != nil {
		t.Fatal(err)
	}
	found := make(map[string][]string)
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			if h, ok := m.Data.(metricdata.Histogram[float64]); ok {
				found[m.Name] = routes(h.DataPoints[0].Attributes.ToSlice())
			}
		}
	}
	if got := found["http.server.request.duration"]; len(got) != 1 || got[0] != "/v1/{target=servers/*}/tools/{name}:call" {
		t.Errorf("http.route of http.server.request.duration: %q", got)
	}
	if _, ok := found["rpc.server.call.duration"]; !ok {
		t.Errorf("no rpc.server.call.duration among %v", found)
	}
}

// TestTraceWithoutTelemetry passes on the caller's trace though nobody records.
func TestTraceWithoutTelemetry(t *testing.T) {
	t.Parallel()
	var inService trace.SpanContext
	seen := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		inService = trace.SpanContextFromContext(ctx)
		return handler(ctx, req)
	}
	for name, change := range map[string]func(*gateway.Options){
		"nil": func(*gateway.Options) {},
		"no-op": func(o *gateway.Options) {
			o.TracerProvider, o.MeterProvider = nooptrace.NewTracerProvider(), noopmetric.NewMeterProvider()
		},
		"metrics only": func(o *gateway.Options) { o.MeterProvider = metric.NewMeterProvider() },
	} {
		t.Run(name, func(t *testing.T) {
			inService = trace.SpanContext{}
			g := newGateway(t, &stub{}, change, func(o *gateway.Options) {
				o.Propagator, o.UnaryInterceptors = propagation.TraceContext{}, []grpc.UnaryServerInterceptor{seen}
			})
			serve(g, newRequest(t, "POST", callPath, "", callerTrail))
			if inService.SpanID().String() != callerSpan {
				t.Errorf("the service ran in %v", inService)
			}
		})
	}
}
