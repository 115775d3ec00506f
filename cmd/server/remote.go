package main

import (
	"fmt"
	"log/slog"
	"net/http"

	"go.opentelemetry.io/otel/propagation"

	"github.com/mcpbridge/mcpbridge/internal/config"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// A remote is a server that is reached by a URL.
type remote struct {
	kind   config.ServerType
	url    string
	header http.Header
	limits transport.Limits
	// connections decide where may be connected to.
	connections *transport.HTTPClient
	propagator  propagation.TextMapPropagator
	// wrap adds to requests what differs from one to the next: tokens, headers of
	// the caller's. Nil: nothing does.
	wrap func(http.RoundTripper) http.RoundTripper
	log  *slog.Logger
}

// dialer makes the dialer of the server's kind. A server whose type is http may
// turn out to be one of 2024-11-05.
func (r remote) dialer() (transport.Dialer, error) {
	client := transport.Traced(r.connections, r.propagator)
	if r.wrap != nil {
		client = r.wrap(client)
	}
	switch r.kind {
	case config.TypeHTTP:
		return transport.NewHTTPWithFallback(transport.HTTPConfig{
			URL: r.url, Header: r.header, Client: client, Limits: r.limits, Logger: r.log,
		})
	case config.TypeSSE:
		return transport.NewSSE(transport.SSEConfig{
			URL: r.url, Header: r.header, Client: client, Limits: r.limits, Logger: r.log,
		})
	case config.TypeWebSocket:
		return transport.NewWebSocket(transport.WebSocketConfig{
			URL: r.url, Header: r.header, DialContext: r.connections.DialContext, Wrap: r.wrap, Limits: r.limits, Logger: r.log,
		})
	default:
		return nil, fmt.Errorf("type: %q is none of http, sse and websocket", r.kind)
	}
}
