package transport

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/transport/http1"
)

// What NewHTTPClient sets.
const (
	dialTimeout         = 5 * time.Second
	handshakeTimeout    = 5 * time.Second
	idleTimeout         = 90 * time.Second
	idlePerHost         = 256
	responseHeaderBytes = 64 << 10
	// An HTTP/2 connection that is silent for h2Silence is asked for a sign of
	// life, and given up after h2Answer without one.
	h2Silence = 30 * time.Second
	h2Answer  = 15 * time.Second
)

// An HTTPClient is a pool of connections for any number of dialers. It may be
// used concurrently. Small requests without TLS, which are most of what goes to
// servers nearby, take a shorter way than the others: see package http1.
type HTTPClient struct {
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
	short *http1.Transport
	long  *http.Transport
}

// NewHTTPClient returns an HTTPClient. Every connection that it makes passes
// guard; nil allows all. config, which may be nil, holds roots and client
// certificates; TLS is 1.2 at least. HTTP/2 is used where a server offers it
// over TLS.
//
// It follows no redirect, keeps no cookie, asks for no compression and ignores
// the proxy settings of the environment. It sets no bound on how long a server
// takes to answer: contexts do. To close it, call CloseIdleConnections after
// its last user is gone.
func NewHTTPClient(guard *Guard, config *tls.Config) *HTTPClient {
	dialer := &net.Dialer{Timeout: dialTimeout, ControlContext: guard.Control}
	c := &HTTPClient{dial: dialer.DialContext}
	c.short = &http1.Transport{
		DialContext: c.DialContext,
		IdlePerHost: idlePerHost,
		IdleTimeout: idleTimeout,
		HeaderBytes: responseHeaderBytes,
	}
	c.long = &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := c.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return fresh(conn), nil
		},
		TLSClientConfig:        secured(config),
		TLSHandshakeTimeout:    handshakeTimeout,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: h2Silence, PingTimeout: h2Answer},
		DisableCompression:     true,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: responseHeaderBytes,
	}
	return c
}

// RoundTrip implements [http.RoundTripper].
func (c *HTTPClient) RoundTrip(req *http.Request) (*http.Response, error) {
	if http1.Takes(req) {
		return c.short.RoundTrip(req)
	}
	return c.long.RoundTrip(req)
}

// DialContext makes a connection that passes the guard, for protocols that begin
// with HTTP and go on otherwise.
func (c *HTTPClient) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return c.dial(ctx, network, address)
}

// CloseIdleConnections closes the connections that carry nothing.
func (c *HTTPClient) CloseIdleConnections() {
	c.short.CloseIdleConnections()
	c.long.CloseIdleConnections()
}

// secured returns a copy of config, which may be nil, with our minimum version.
func secured(config *tls.Config) *tls.Config {
	if config == nil {
		config = new(tls.Config)
	}
	config = config.Clone()
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	return config
}
