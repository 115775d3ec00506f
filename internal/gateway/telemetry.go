package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"
)

const scopeName = "github.com/mcpbridge/mcpbridge/internal/gateway"

// durationBuckets are those that the conventions give for HTTP, in seconds.
func durationBuckets() []float64 {
	return []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
}

// An instrumented makes the server span and the measurements of each request,
// by OpenTelemetry's semantic conventions for HTTP.
type instrumented struct {
	next       http.Handler
	propagator propagation.TextMapPropagator
	tracer     trace.Tracer // nil: no spans
	kind       []trace.SpanStartOption

	duration          metric.Float64Histogram
	received, written metric.Int64Histogram
	sets              measureSets
}

// instrument puts the server span and the metrics of HTTP around handler. If
// nobody records them it costs no more than finding the trace of the caller,
// which the service passes on to MCP servers all the same.
func instrument(opts Options, handler http.Handler) (http.Handler, error) {
	if !recordsTraces(opts.TracerProvider) && !recordsMetrics(opts.MeterProvider) {
		return extract(opts.Propagator, handler), nil
	}
	meters := opts.MeterProvider
	if meters == nil {
		meters = noopmetric.NewMeterProvider()
	}
	i := &instrumented{next: handler, propagator: opts.Propagator, kind: []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}}
	if recordsTraces(opts.TracerProvider) {
		i.tracer = opts.TracerProvider.Tracer(scopeName)
	}
	if err := i.measure(meters.Meter(scopeName)); err != nil {
		return nil, fmt.Errorf("metrics of HTTP: %w", err)
	}
	return i, nil
}

func (i *instrumented) measure(meter metric.Meter) error {
	var errs [3]error
	i.duration, errs[0] = meter.Float64Histogram("http.server.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of HTTP server requests."), metric.WithExplicitBucketBoundaries(durationBuckets()...))
	i.received, errs[1] = meter.Int64Histogram("http.server.request.body.size", metric.WithUnit("By"),
		metric.WithDescription("Size of HTTP server request bodies."))
	i.written, errs[2] = meter.Int64Histogram("http.server.response.body.size", metric.WithUnit("By"),
		metric.WithDescription("Size of HTTP server response bodies."))
	return errors.Join(errs[:]...)
}

// ServeHTTP implements [http.Handler].
func (i *instrumented) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	ctx := i.propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	var span trace.Span
	if i.tracer != nil {
		ctx, span = i.tracer.Start(ctx, spanName(r), i.kind...)
		defer span.End()
	}
	if ctx != r.Context() {
		r = r.WithContext(ctx)
	}
	in := &countedBody{ReadCloser: r.Body}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = in
	}
	out := &countedWriter{ResponseWriter: w}
	i.next.ServeHTTP(out, r)
	code := out.code()
	if span != nil && span.IsRecording() {
		span.SetName(spanName(r))
		span.SetAttributes(spanAttributes(r, code, in.n, out.n)...)
		if code >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
	}
	set := i.sets.of(r, code)
	i.duration.Record(ctx, time.Since(began).Seconds(), set...)
	i.received.Record(ctx, in.n, set...)
	i.written.Record(ctx, out.n, set...)
}

func recordsTraces(p trace.TracerProvider) bool {
	_, noop := p.(nooptrace.TracerProvider)
	return p != nil && !noop
}

func recordsMetrics(p metric.MeterProvider) bool {
	_, noop := p.(noopmetric.MeterProvider)
	return p != nil && !noop
}

func extract(propagator propagation.TextMapPropagator, handler http.Handler) http.Handler {
	if len(propagator.Fields()) == 0 {
		return handler
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		if ctx != r.Context() {
			r = r.WithContext(ctx)
		}
		handler.ServeHTTP(w, r)
	})
}
