package gateway

import (
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"
)

// instrument puts the server span and the metrics of HTTP around handler. If
// nobody records them it costs no more than finding the trace of the caller,
// which the service passes on to MCP servers all the same.
func instrument(opts Options, handler http.Handler) http.Handler {
	if !recordsTraces(opts.TracerProvider) && !recordsMetrics(opts.MeterProvider) {
		return extract(opts.Propagator, handler)
	}
	tracers, meters := opts.TracerProvider, opts.MeterProvider
	if tracers == nil {
		tracers = nooptrace.NewTracerProvider()
	}
	if meters == nil {
		meters = noopmetric.NewMeterProvider()
	}
	return otelhttp.NewHandler(handler, "",
		otelhttp.WithTracerProvider(tracers), otelhttp.WithMeterProvider(meters), otelhttp.WithPropagators(opts.Propagator))
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
