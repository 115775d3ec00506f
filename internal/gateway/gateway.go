// Package gateway is REST over the same service and the same interceptors as
// gRPC.
//
// The paths are those of grpc-gateway's generated code. The way to the service
// is a channel within the process (package inproc), the JSON is package
// restjson's, and what a browser may do is settled before anything else.
package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/gateway/inproc"
	"github.com/mcpbridge/mcpbridge/internal/gateway/restjson"
)

const (
	defaultMaxBodyBytes = 4 << 20
	defaultHeartbeat    = 15 * time.Second
	defaultWriteTimeout = 30 * time.Second
)

// Options say what a [Gateway] serves and to whom. Service is required.
type Options struct {
	// Service is called as Desc describes it, through UnaryInterceptors and
	// StreamInterceptors, the outermost first: give it those of the gRPC server. It
	// must not modify messages that it has sent or received. Desc may be nil: the
	// plain description.
	Service            mcpbridgev1.McpServiceServer
	Desc               *grpc.ServiceDesc
	UnaryInterceptors  []grpc.UnaryServerInterceptor
	StreamInterceptors []grpc.StreamServerInterceptor

	// Authenticate returns a context that says who has sent the request, or why
	// nobody is believed to have: a status. It is asked before anything else of
	// a request to the API is looked at; the pages and preflights of browsers
	// are for everybody. Nil: the interceptors see to it.
	Authenticate func(ctx context.Context, r *http.Request) (context.Context, error)

	// Authorizations take browsers that come back to [CallbackPath]. Nil: there is no
	// such page.
	Authorizations Authorizations

	// OpenAPI is served at /openapi.json. Nil: there is no such page.
	OpenAPI []byte
	// Version of the program, shown on the page at /.
	Version string

	// AllowedHosts are values of the Host header to answer, with or without a
	// port, besides localhost, 127.0.0.1 and [::1].
	AllowedHosts []string
	// AllowedOrigins are the origins, e.g. "https://app.example.com", whose
	// pages may use the API. Empty: no page may.
	AllowedOrigins []string

	// MaxBodyBytes bounds the body of a request. Zero: 4 MiB.
	MaxBodyBytes int64
	// MaxJSONDepth bounds how deep free-form JSON in a request may be nested.
	// Zero: 64.
	MaxJSONDepth int
	// Heartbeat is how often a comment is sent on an event stream that is idle,
	// lest something on the way take it for dead. Zero: 15 s.
	Heartbeat time.Duration
	// WriteTimeout is how long a client may take to accept a piece of a
	// response, an event or 256 KiB. Then the connection is closed and the call
	// cancelled. Zero: 30 s.
	WriteTimeout time.Duration

	// TracerProvider and MeterProvider record requests; nil, or the no-op one:
	// none. Propagator finds the trace that a request belongs to; nil: none.
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	Propagator     propagation.TextMapPropagator

	// Logger is told of responses that could not be written as JSON. Nil: no
	// one is.
	Logger *slog.Logger
}

// A Gateway answers REST requests. It may be used concurrently and holds
// nothing that needs closing: its streams end with their requests.
type Gateway struct {
	opts    Options
	codec   *restjson.Codec
	mux     *runtime.ServeMux
	calls   *toolCalls
	browser *browserPolicy
	index   []byte
	handler http.Handler // all of it
}

var _ http.Handler = (*Gateway)(nil)

// New returns a Gateway. It does no I/O.
func New(opts Options) (*Gateway, error) {
	if opts.Service == nil {
		return nil, errors.New("gateway without a service")
	}
	opts = withDefaults(opts)
	browser, err := newBrowserPolicy(opts.AllowedHosts, opts.AllowedOrigins)
	if err != nil {
		return nil, err
	}
	g := &Gateway{
		opts:    opts,
		codec:   &restjson.Codec{MaxDepth: opts.MaxJSONDepth},
		browser: browser,
		index:   indexPage(opts),
	}
	g.mux = g.newMux()
	channel := inproc.New(cmp.Or(opts.Desc, &mcpbridgev1.McpService_ServiceDesc), opts.Service, inproc.Options{
		UnaryInterceptors:  opts.UnaryInterceptors,
		StreamInterceptors: opts.StreamInterceptors,
	})
	conn := &conn{channel: channel, codec: g.codec}
	if err := mcpbridgev1.RegisterMcpServiceHandlerClient(context.Background(), g.mux, mcpbridgev1.NewMcpServiceClient(conn)); err != nil {
		return nil, fmt.Errorf("register REST paths: %w", err)
	}
	if g.calls, err = newToolCalls(g, conn); err != nil {
		return nil, err
	}
	handler, err := instrument(opts, http.HandlerFunc(g.serve))
	if err != nil {
		return nil, err
	}
	g.handler = handler
	return g, nil
}

func withDefaults(opts Options) Options {
	if opts.MaxBodyBytes == 0 {
		opts.MaxBodyBytes = defaultMaxBodyBytes
	}
	if opts.Heartbeat == 0 {
		opts.Heartbeat = defaultHeartbeat
	}
	if opts.WriteTimeout == 0 {
		opts.WriteTimeout = defaultWriteTimeout
	}
	if opts.Propagator == nil {
		opts.Propagator = propagation.NewCompositeTextMapPropagator()
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return opts
}

func (g *Gateway) newMux() *runtime.ServeMux {
	lines, events := &marshaler{codec: g.codec}, &marshaler{codec: g.codec, events: true}
	return runtime.NewServeMux(
		runtime.WithUnescapingMode(runtime.UnescapingModeAllExceptReserved),
		// Else what `curl -d` sends without a content type counts as a form, and
		// a form sent to the path of a GET as a GET.
		runtime.WithDisablePathLengthFallback(),
		runtime.WithWriteContentLength(),
		runtime.WithDisableChunkedEncoding(), // net/http sees to it
		runtime.WithMarshalerOption(runtime.MIMEWildcard, lines),
		runtime.WithMarshalerOption(typeEvents, events),
		runtime.WithIncomingHeaderMatcher(incomingHeaders(g.opts.Propagator)),
		runtime.WithOutgoingHeaderMatcher(outgoingHeader),
		runtime.WithOutgoingTrailerMatcher(func(string) (string, bool) { return "", false }), // see complete
		runtime.WithForwardResponseOption(complete),
		runtime.WithErrorHandler(g.writeError),
		runtime.WithStreamErrorHandler(g.streamError),
		runtime.WithRoutingErrorHandler(g.routingError),
		runtime.WithMiddlewares(g.prepare),
	)
}

// ServeHTTP answers one request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.handler.ServeHTTP(w, r) }

// serve answers one request, about which the telemetry knows.
func (g *Gateway) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if err := g.browser.check(r); err != nil {
		g.fail(w, err)
		return
	}
	if g.browser.answer(h, r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	switch {
	case r.URL.Path == pathIndex:
		g.page(w, r, g.index)
	case r.URL.Path == pathOpenAPI && g.opts.OpenAPI != nil:
		g.page(w, r, g.opts.OpenAPI)
	case r.URL.Path == CallbackPath && g.opts.Authorizations != nil:
		g.callback(w, r)
	default:
		g.serveAPI(w, r)
	}
}

// serveAPI answers a request with an RPC.
func (g *Gateway) serveAPI(w http.ResponseWriter, r *http.Request) {
	x := &exchange{request: r}
	ctx := x.context(r.Context())
	if g.opts.Authenticate != nil {
		var err error
		if ctx, err = g.opts.Authenticate(ctx, r); err != nil {
			g.fail(w, err)
			return
		}
	}
	ctx, cancel, err := withRequestTimeout(ctx, r)
	if err != nil {
		g.fail(w, err)
		return
	}
	defer cancel()
	defer x.wait()
	r = r.WithContext(ctx)
	if handler, bound := g.calls.find(r); handler != nil {
		handler(w, r, bound)
		return
	}
	g.mux.ServeHTTP(w, r)
}
