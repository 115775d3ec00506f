package transport

import (
	"context"
	"net/http"
	"net/url"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Traced returns a RoundTripper that carries the trace of the request's context
// on: if its span is being recorded, by a client span of its own, named after
// the HTTP method, whose context goes out in the headers; if there is only a
// valid span context, by the headers alone. Requests outside of any trace go to
// base directly and pay nothing. No metrics are recorded.
//
// Spans come from the provider of the span in the context. propagator writes
// the headers and must not be nil; use [propagation.TraceContext] alone for servers of others, as
// baggage tells more than they need to know.
func Traced(base http.RoundTripper, propagator propagation.TextMapPropagator) http.RoundTripper {
	return &traced{
		base:       base,
		propagator: propagator,
		spanned: otelhttp.NewTransport(fullURL{base},
			otelhttp.WithPropagators(propagator),
			otelhttp.WithMeterProvider(noop.NewMeterProvider()),
			otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method })),
	}
}

type traced struct {
	base, spanned http.RoundTripper
	propagator    propagation.TextMapPropagator
}

func (t *traced) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	span := trace.SpanFromContext(ctx)
	switch {
	case span.IsRecording():
		return t.spanned.RoundTrip(withoutQuery(req))
	case span.SpanContext().IsValid():
		req = req.WithContext(ctx)
		req.Header = req.Header.Clone()
		t.propagator.Inject(ctx, propagation.HeaderCarrier(req.Header))
	}
	return t.base.RoundTrip(req)
}

// queryKey is where a context keeps the URL that withoutQuery took away.
type queryKey struct{}

// withoutQuery hides the query from the span's url.full: servers take keys there.
func withoutQuery(req *http.Request) *http.Request {
	if req.URL.RawQuery == "" {
		return req
	}
	bare := *req.URL
	bare.RawQuery = ""
	req = req.WithContext(context.WithValue(req.Context(), queryKey{}, req.URL))
	req.URL = &bare
	return req
}

// A fullURL gives requests their query back.
type fullURL struct{ base http.RoundTripper }

func (f fullURL) RoundTrip(req *http.Request) (*http.Response, error) {
	if u, ok := req.Context().Value(queryKey{}).(*url.URL); ok {
		req = req.WithContext(req.Context())
		req.URL = u
	}
	return f.base.RoundTrip(req)
}
