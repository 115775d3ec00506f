package transport

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"
)

const scopeName = "github.com/mcpbridge/mcpbridge/internal/transport"

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
	return &traced{base: base, propagator: propagator}
}

type traced struct {
	base       http.RoundTripper
	propagator propagation.TextMapPropagator
	// last is what the last span was begun with. The requests to a server are
	// nearly all alike.
	last atomic.Pointer[spanStart]
}

func (t *traced) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	span := trace.SpanFromContext(ctx)
	switch {
	case span.IsRecording():
		return t.spanned(req, span.TracerProvider())
	case span.SpanContext().IsValid():
		req = req.WithContext(ctx)
		t.inject(req)
	}
	return t.base.RoundTrip(req)
}

// inject writes the trace into headers of the request's own.
func (t *traced) inject(req *http.Request) {
	req.Header = maps.Clone(req.Header)
	t.propagator.Inject(req.Context(), traceHeader{propagation.HeaderCarrier(req.Header)})
}

// A traceHeader knows how the header that each request gets is spelled in
// [http.Header].
type traceHeader struct{ propagation.HeaderCarrier }

// Set sets a header.
func (h traceHeader) Set(key, value string) {
	if key == "traceparent" {
		h.HeaderCarrier["Traceparent"] = []string{value}
		return
	}
	h.HeaderCarrier.Set(key, value)
}

// spanned sends req within a span, which ends with the body of the response.
func (t *traced) spanned(req *http.Request, provider trace.TracerProvider) (*http.Response, error) {
	start := t.start(req, provider)
	ctx, span := start.tracer.Start(req.Context(), req.Method, start.options...)
	req = req.WithContext(ctx)
	t.inject(req)
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		// What went wrong is told by the span of the operation, in the words of
		// MCP; the error itself may name what does not belong here.
		span.SetAttributes(start.with(semconv.ErrorTypeOther)...)
		span.SetStatus(codes.Error, "")
		span.End()
		return nil, err
	}
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		span.SetAttributes(start.ok...)
	case code < http.StatusBadRequest:
		span.SetAttributes(start.with(semconv.HTTPResponseStatusCode(code))...)
	default:
		span.SetAttributes(start.with(semconv.HTTPResponseStatusCode(code), semconv.ErrorTypeKey.String(strconv.Itoa(code)))...)
		span.SetStatus(codes.Error, "")
	}
	resp.Body = &spannedBody{ReadCloser: resp.Body, span: span}
	return resp, nil
}

// A spanStart is what the spans of like requests have in common. It is not
// changed once made.
//
// A span gets its attributes all at once when it is known how the request went:
// each time that it is given some it copies those that it has. Samplers do not
// see them then; those that the environment can choose do not look.
type spanStart struct {
	provider trace.TracerProvider
	method   string
	url      *url.URL

	tracer     trace.Tracer
	options    []trace.SpanStartOption
	attributes []attribute.KeyValue
	// ok are the attributes of a request with answer 200.
	ok []attribute.KeyValue
}

// with returns the attributes and more.
func (s *spanStart) with(more ...attribute.KeyValue) []attribute.KeyValue {
	return slices.Concat(s.attributes, more)
}

func (t *traced) start(req *http.Request, provider trace.TracerProvider) *spanStart {
	last := t.last.Load()
	if last != nil && last.provider == provider && last.method == req.Method && last.url == req.URL {
		return last
	}
	last = &spanStart{
		provider: provider, method: req.Method, url: req.URL,
		tracer:     provider.Tracer(scopeName),
		options:    []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient)},
		attributes: peerAttributes(req),
	}
	last.ok = last.with(semconv.HTTPResponseStatusCode(http.StatusOK))
	t.last.Store(last)
	return last
}

// peerAttributes say what is asked of whom. The query is left out: servers take
// keys there; and so are user and password.
func peerAttributes(req *http.Request) []attribute.KeyValue {
	u := req.URL
	bare := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	kv := []attribute.KeyValue{
		semconv.HTTPRequestMethodKey.String(req.Method), semconv.URLFull(bare.String()), semconv.ServerAddress(u.Hostname()),
	}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		return append(kv, semconv.ServerPort(port))
	}
	if u.Scheme == "https" {
		return append(kv, semconv.ServerPort(443))
	}
	return append(kv, semconv.ServerPort(80))
}

// A spannedBody ends the span when it is closed, which whoever makes a request
// does in any case.
type spannedBody struct {
	io.ReadCloser

	span trace.Span
}

func (b *spannedBody) Close() error {
	defer b.span.End()
	return b.ReadCloser.Close() //nolint:wrapcheck // it stands for the body
}
