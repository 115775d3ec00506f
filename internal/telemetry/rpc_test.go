package telemetry

import (
	"context"
	"errors"
	"maps"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

const (
	rpcTraceID = "0af7651916cd43dd8448eb211c80319c"
	rpcParent  = "00-" + rpcTraceID + "-b7ad6b7169203331-01"
)

// A rehearsal is the service whose RPCs are recorded: what its handlers take
// and return, and the context that they were given.
type rehearsal struct {
	takes time.Duration
	err   error
	ctx   context.Context
}

func (h *rehearsal) run(ctx context.Context) error {
	h.ctx = ctx
	time.Sleep(h.takes)
	return h.err
}

func rpcDesc() *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: "test.v1.Test",
		Methods: []grpc.MethodDesc{{MethodName: "Call", Handler: func(srv any, ctx context.Context, _ func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			return nil, srv.(*rehearsal).run(ctx)
		}}},
		Streams: []grpc.StreamDesc{{StreamName: "Watch"}},
	}
}

// recorded is a Telemetry whose spans and metrics are kept.
func recorded() (*Telemetry, *tracetest.SpanRecorder, *sdkmetric.ManualReader) {
	spans, reader := tracetest.NewSpanRecorder(), sdkmetric.NewManualReader()
	return &Telemetry{
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)),
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
		Propagator:     propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}),
	}, spans, reader
}

func newRPCs(tb testing.TB, tel *Telemetry) *RPCs {
	tb.Helper()
	r, err := tel.RPCs(rpcDesc())
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// A quietStream is a stream that nothing goes over.
type quietStream struct {
	grpc.ServerStream

	ctx context.Context
}

func (s quietStream) Context() context.Context { return s.ctx }

// rpc makes one RPC, as a grpc.Server does, and returns the context of its
// handler.
func rpc(ctx context.Context, r *RPCs, method string, h *rehearsal) context.Context {
	ctx = peer.NewContext(ctx, &peer.Peer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9090}})
	if method == "/test.v1.Test/Call" {
		_, _ = r.Desc().Methods[0].Handler(h, ctx, nil, nil)
		return h.ctx
	}
	_ = r.Stream(h, quietStream{ctx: ctx}, &grpc.StreamServerInfo{FullMethod: method}, func(_ any, stream grpc.ServerStream) error {
		return h.run(stream.Context())
	})
	return h.ctx
}

func TestRPCs(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		method, name string
		err          error
		code         string
		failed       bool
	}{
		"unary":            {method: "/test.v1.Test/Call", name: "test.v1.Test/Call", code: "OK"},
		"stream":           {method: "/test.v1.Test/Watch", name: "test.v1.Test/Watch", code: "OK"},
		"caller's":         {method: "/test.v1.Test/Call", name: "test.v1.Test/Call", err: status.Error(codes.FailedPrecondition, "no"), code: "FAILED_PRECONDITION"},
		"cancelled":        {method: "/test.v1.Test/Call", name: "test.v1.Test/Call", err: status.Error(codes.Canceled, "no"), code: "CANCELLED"},
		"server's":         {method: "/test.v1.Test/Call", name: "test.v1.Test/Call", err: status.Error(codes.DeadlineExceeded, "no"), code: "DEADLINE_EXCEEDED", failed: true},
		"no status":        {method: "/test.v1.Test/Call", name: "test.v1.Test/Call", err: errors.New("no"), code: "UNKNOWN", failed: true},
		"its time is over": {method: "/test.v1.Test/Call", name: "test.v1.Test/Call", err: context.DeadlineExceeded, code: "DEADLINE_EXCEEDED", failed: true},
		"no code":          {method: "/test.v1.Test/Call", name: "test.v1.Test/Call", err: status.Error(99, "no"), code: "UNKNOWN", failed: true},
		"no method":        {method: "/test.v1.Test/Guess", name: "_OTHER", err: status.Error(codes.Unimplemented, "no"), code: "UNIMPLEMENTED", failed: true},
		"not our own":      {method: "/grpc.health.v1.Health/Check"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tel, spans, reader := recorded()
			synctest.Test(t, func(t *testing.T) {
				rpc(t.Context(), newRPCs(t, tel), test.method, &rehearsal{takes: time.Second, err: test.err})
			})
			ended := spans.Ended()
			if test.name == "" {
				if len(ended) != 0 || len(points(t, reader)) != 0 {
					t.Errorf("%d spans, metrics %v", len(ended), points(t, reader))
				}
				return
			}
			want := map[attribute.Key]string{"rpc.method": test.name, "rpc.system.name": "grpc", "rpc.response.status_code": test.code}
			if test.failed {
				want["error.type"] = test.code
			}
			if got := points(t, reader); len(got) != 1 || !maps.Equal(texts(got[0].Attributes.ToSlice()), want) || got[0].Sum != 1 {
				t.Errorf("metrics %+v, want one of a second with %v", got, want)
			}
			checkSpan(t, ended, test.name, want, test.failed)
		})
	}
}

func checkSpan(t *testing.T, ended []sdktrace.ReadOnlySpan, name string, want map[attribute.Key]string, failed bool) {
	t.Helper()
	if len(ended) != 1 {
		t.Fatalf("%d spans", len(ended))
	}
	span := ended[0]
	delete(want, "error.type")
	want["server.address"], want["server.port"] = "127.0.0.1", "9090"
	if got := texts(span.Attributes()); span.Name() != name || span.SpanKind() != trace.SpanKindServer || !maps.Equal(got, want) {
		t.Errorf("span %q, %v, with %v, want %q with %v", span.Name(), span.SpanKind(), got, name, want)
	}
	if got := span.Status().Code == otelcodes.Error; got != failed {
		t.Errorf("status %v", span.Status())
	}
}

func texts(list []attribute.KeyValue) map[attribute.Key]string {
	m := make(map[attribute.Key]string)
	for _, kv := range list {
		m[kv.Key] = kv.Value.String()
	}
	return m
}

func points(t *testing.T, reader *sdkmetric.ManualReader) []metricdata.HistogramDataPoint[float64] {
	t.Helper()
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &collected); err != nil {
		t.Fatal(err)
	}
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			if h, ok := m.Data.(metricdata.Histogram[float64]); ok && m.Name == "rpc.server.call.duration" {
				return h.DataPoints
			}
		}
	}
	return nil
}

// The trace of the caller goes on, whether or not anything is recorded.
func TestRPCsParent(t *testing.T) {
	t.Parallel()
	md := metadata.Pairs("traceparent", rpcParent, "baggage", "who=me", "baggage", "what=this")
	for name, provider := range map[string]trace.TracerProvider{"recorded": nil, "silent": tracenoop.NewTracerProvider()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tel, spans, _ := recorded()
			if provider != nil {
				tel.TracerProvider = provider
			}
			ctx := rpc(metadata.NewIncomingContext(t.Context(), md), newRPCs(t, tel), "/test.v1.Test/Call", new(rehearsal))
			if got := trace.SpanContextFromContext(ctx).TraceID().String(); got != rpcTraceID {
				t.Errorf("trace %s", got)
			}
			out := propagation.MapCarrier{}
			tel.Propagator.Inject(ctx, out)
			if len(out["baggage"]) != len("who=me,what=this") {
				t.Errorf("baggage %q", out["baggage"])
			}
			if ended := spans.Ended(); provider == nil && ended[0].Parent().SpanID().String() != "b7ad6b7169203331" {
				t.Errorf("parent %v", ended[0].Parent())
			}
		})
	}
}

func BenchmarkRPCs(b *testing.B) {
	md := metadata.Pairs(":authority", "127.0.0.1:9090", "content-type", "application/grpc", "user-agent", "grpc-go/1.85.0")
	ctx := metadata.NewIncomingContext(b.Context(), md)
	for name, provider := range map[string]trace.TracerProvider{"silent": tracenoop.NewTracerProvider(), "recorded": sdktrace.NewTracerProvider()} {
		b.Run(name, func(b *testing.B) {
			tel, _, reader := recorded()
			tel.TracerProvider = provider
			call, h := newRPCs(b, tel).Desc().Methods[0].Handler, new(rehearsal)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				_, _ = call(h, ctx, nil, nil)
				n++
			}
			var collected metricdata.ResourceMetrics
			if err := reader.Collect(b.Context(), &collected); err != nil {
				b.Fatal(err)
			}
			got, ok := collected.ScopeMetrics[0].Metrics[0].Data.(metricdata.Histogram[float64])
			if !ok || got.DataPoints[0].Count != uint64(n) {
				b.Fatalf("%v after %d calls", got.DataPoints, n)
			}
		})
	}
}
