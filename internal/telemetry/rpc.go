package telemetry

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

const (
	metricRPC = "rpc.server.call.duration"
	scopeName = "github.com/mcpbridge/mcpbridge/internal/telemetry"
	// otherMethod stands for methods that the service does not have: callers
	// choose their names, and each new one on a metric costs memory for good.
	otherMethod = "_OTHER"
)

// rpcBuckets are those that the conventions give for RPCs, in seconds.
func rpcBuckets() []float64 {
	return []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
}

// RPCs makes the server span and the measurement of each RPC of one service, by
// OpenTelemetry's semantic conventions for gRPC, and finds the trace of the
// caller. What it records is made once for each method and status code: that
// work, for each call, was a tenth of what a call costs.
type RPCs struct {
	desc       *grpc.ServiceDesc
	prefix     string
	streams    map[string]*rpcMethod
	other      *rpcMethod
	tracer     trace.Tracer // nil: no spans
	kind       []trace.SpanStartOption
	propagator propagation.TextMapPropagator
	duration   metric.Float64Histogram
}

// An rpcMethod is what is known of an RPC beforehand.
type rpcMethod struct {
	name string
	// ends has what goes with each status code.
	ends [codes.Unauthenticated + 1]rpcEnd
}

// An rpcEnd is what is recorded of RPCs of one method that end with one code.
type rpcEnd struct {
	failed  bool
	options []metric.RecordOption
	// attributes are those of a span, but for where the RPC came in.
	attributes []attribute.KeyValue
	// last are all those of the last span. Nearly all RPCs come in at the same
	// address.
	last atomic.Pointer[rpcAttributes]
}

type rpcAttributes struct {
	addr *net.TCPAddr
	all  []attribute.KeyValue
}

// RPCs returns what instruments the service that desc describes.
func (t *Telemetry) RPCs(desc *grpc.ServiceDesc) (*RPCs, error) {
	duration, err := t.MeterProvider.Meter(scopeName).Float64Histogram(metricRPC,
		metric.WithUnit("s"),
		metric.WithDescription("Measures the duration of an incoming Remote Procedure Call (RPC)."),
		metric.WithExplicitBucketBoundaries(rpcBuckets()...))
	if err != nil {
		return nil, fmt.Errorf("metric %s: %w", metricRPC, err)
	}
	r := &RPCs{
		desc:       desc,
		prefix:     "/" + desc.ServiceName + "/",
		streams:    make(map[string]*rpcMethod, len(desc.Streams)),
		other:      newRPCMethod(otherMethod),
		kind:       []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)},
		propagator: t.Propagator,
		duration:   duration,
	}
	for _, s := range desc.Streams {
		r.streams[r.prefix+s.StreamName] = newRPCMethod(desc.ServiceName + "/" + s.StreamName)
	}
	if _, silent := t.TracerProvider.(tracenoop.TracerProvider); !silent {
		r.tracer = t.TracerProvider.Tracer(scopeName)
	}
	return r, nil
}

// Desc returns the description of the service with every unary method
// instrumented, to be registered in place of the plain one. What streams is
// for [RPCs.Stream], since grpc-go calls interceptors around the handler of a
// stream, and within that of a unary method.
//
// A stats handler would also see the RPCs that no handler is called for, those in
// a compression that the server does not know, and fail those whose response
// cannot be sent. But it has grpc-go copy the metadata of each RPC and tell of
// eight events that nobody is interested in.
func (r *RPCs) Desc() *grpc.ServiceDesc {
	desc := *r.desc
	desc.Methods = slices.Clone(desc.Methods)
	for i := range desc.Methods {
		m := &desc.Methods[i]
		m.Handler = r.unary(newRPCMethod(desc.ServiceName+"/"+m.MethodName), m.Handler)
	}
	return &desc
}

func (r *RPCs) unary(m *rpcMethod, handler grpc.MethodHandler) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		ctx, began := r.begin(ctx, m), time.Now()
		resp, err := handler(srv, ctx, decode, interceptor)
		r.end(ctx, m, began, err)
		return resp, err
	}
}

// Stream is a [grpc.StreamServerInterceptor], which is to be the outermost. It
// instruments what streams of the service, and calls of methods that it does not
// have. Other services pass unseen.
func (r *RPCs) Stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	m := r.streams[info.FullMethod]
	if m == nil {
		if !strings.HasPrefix(info.FullMethod, r.prefix) {
			return handler(srv, stream)
		}
		m = r.other
	}
	ctx, began := r.begin(stream.Context(), m), time.Now()
	err := handler(srv, tracedStream{stream, ctx})
	r.end(ctx, m, began, err)
	return err
}

// A tracedStream has the context that its RPC goes on with.
type tracedStream struct {
	grpc.ServerStream

	ctx context.Context //nolint:containedctx // it is the stream's
}

func (s tracedStream) Context() context.Context { return s.ctx }

// newRPCMethod prepares what is recorded of a method.
func newRPCMethod(name string) *rpcMethod {
	m := &rpcMethod{name: name}
	for code := range m.ends {
		end, word := &m.ends[code], codeName(codes.Code(code))
		end.failed = serverFailed(codes.Code(code))
		end.attributes = []attribute.KeyValue{semconv.RPCMethod(name), semconv.RPCSystemNameGRPC, semconv.RPCResponseStatusCode(word)}
		measured := slices.Clone(end.attributes)
		if end.failed {
			measured = append(measured, semconv.ErrorTypeKey.String(word))
		}
		end.options = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(measured...))}
	}
	return m
}

// end returns what goes with a code. There are no others than those of gRPC,
// unless a handler makes them up.
func (m *rpcMethod) end(code codes.Code) *rpcEnd {
	if int(code) >= len(m.ends) {
		code = codes.Unknown
	}
	return &m.ends[code]
}

// begin finds the caller's trace and begins the span of an RPC.
func (r *RPCs) begin(ctx context.Context, m *rpcMethod) context.Context {
	ctx = r.propagator.Extract(ctx, incoming{ctx})
	if r.tracer != nil {
		ctx, _ = r.tracer.Start(ctx, m.name, r.kind...) //nolint:spancheck // end ends it
	}
	return ctx
}

// end ends the span of an RPC, and measures it.
func (r *RPCs) end(ctx context.Context, m *rpcMethod, began time.Time, err error) {
	st, ok := status.FromError(err)
	if !ok {
		st = status.FromContextError(err) // as the gRPC server does
	}
	end := m.end(st.Code())
	if span := trace.SpanFromContext(ctx); r.tracer != nil && span.IsRecording() {
		// All at once: each time that a span is given attributes it copies those
		// that it has.
		span.SetAttributes(end.span(ctx)...)
		if end.failed {
			span.SetStatus(otelcodes.Error, st.Message())
		}
		span.End()
	}
	r.duration.Record(ctx, time.Since(began).Seconds(), end.options...)
}

// span returns the attributes of the span of the RPC whose context ctx is.
func (e *rpcEnd) span(ctx context.Context) []attribute.KeyValue {
	p, ok := peer.FromContext(ctx)
	if !ok || p.LocalAddr == nil {
		return e.attributes
	}
	addr, ok := p.LocalAddr.(*net.TCPAddr)
	if !ok {
		return append(slices.Clip(e.attributes), semconv.ServerAddress(p.LocalAddr.String()))
	}
	last := e.last.Load()
	if last == nil || last.addr.Port != addr.Port || !last.addr.IP.Equal(addr.IP) {
		last = &rpcAttributes{
			addr: addr,
			all:  append(slices.Clip(e.attributes), semconv.ServerAddress(addr.IP.String()), semconv.ServerPort(addr.Port)),
		}
		e.last.Store(last)
	}
	return last.all
}

// serverFailed reports whether the conventions count a code as the server's
// failure.
func serverFailed(code codes.Code) bool {
	switch code {
	case codes.Unknown, codes.DeadlineExceeded, codes.Unimplemented, codes.Internal, codes.Unavailable, codes.DataLoss:
		return true
	default:
		return false
	}
}

// codeName is a code as the gRPC specification spells it, and the conventions
// with it.
func codeName(code codes.Code) string {
	switch code { //nolint:exhaustive // the others are spelled as follows from their names
	case codes.OK:
		return "OK"
	case codes.Canceled:
		return "CANCELLED"
	}
	var b strings.Builder
	for i, c := range code.String() {
		if i > 0 && c >= 'A' && c <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(c)
	}
	return strings.ToUpper(b.String())
}

// incoming is the metadata of an RPC as a propagator reads it.
type incoming struct{ ctx context.Context } //nolint:containedctx // lives as long as the call to the propagator

var _ propagation.ValuesGetter = incoming{}

// Get returns the first value, as HTTP headers do.
func (i incoming) Get(key string) string {
	if values := i.Values(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Values returns all values.
func (i incoming) Values(key string) []string { return metadata.ValueFromIncomingContext(i.ctx, key) }

// Set does nothing: what came in is not changed.
func (incoming) Set(string, string) {}

// Keys returns nothing: no propagator of OpenTelemetry's asks for them when it
// extracts.
func (incoming) Keys() []string { return nil }
