// Package http1 is an HTTP/1.1 client for small requests to few servers over
// plain TCP. Where net/http hands each request from the caller's goroutine to
// two others and back, this client does all of it on the caller's: for a request
// that a server answers in some ten microseconds the hand-overs are most of the
// cost.
//
// It does what an MCP client needs and no more: no TLS, no HTTP/2, no proxy, no
// redirects, no cookies, no compression, and no body of unknown length.
package http1

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"
)

// A Transport is an [http.RoundTripper] over a pool of connections. The zero
// value is usable; its fields must not change once it is in use. It may be used
// concurrently. It has no goroutine: a request runs on the caller's.
type Transport struct {
	// DialContext makes connections. Nil: a plain [net.Dialer].
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// IdlePerHost bounds the connections that are kept for later to one host.
	// Default 256.
	IdlePerHost int
	// IdleTimeout bounds how long they are kept. Default 90 s.
	IdleTimeout time.Duration
	// HeaderBytes bounds the head of a response. Default 64 KiB.
	HeaderBytes int

	idle idle
}

// MaxBody is the largest request body that a Transport takes. Such a body fits
// into what the kernel buffers, by and large; with larger ones a server that
// answers before it has read all of it would have to be listened to meanwhile.
const MaxBody = 64 << 10

// The errors of a round trip, beside those of the connection and of the
// request's context.
var (
	// ErrHeaderTooLong says that the head of a response is over the limit.
	ErrHeaderTooLong = errors.New("head of the response is too long")
	// ErrMalformed says that what came is not HTTP/1.
	ErrMalformed = errors.New("malformed HTTP response")

	errUnsendable = errors.New("http1: not a request for this client")
)

// Takes reports whether the Transport can carry the request.
func Takes(req *http.Request) bool {
	return req.URL.Scheme == "http" && req.ContentLength >= 0 && req.ContentLength <= MaxBody &&
		(req.ContentLength > 0 || req.Body == nil || req.Body == http.NoBody)
}

// RoundTrip implements [http.RoundTripper]. Of the hooks of httptrace it calls
// WroteHeaders, before any byte of the request is written; until then the
// request has certainly not reached the server. A connection that the server
// has closed while it was idle is found out before that, and another is taken.
//
// When the request's context ends, RoundTrip and the reading of the body end
// with its cause, and the connection is closed.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := readBody(req)
	if err != nil {
		return nil, err
	}
	ctx := req.Context()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	c, err := t.send(ctx, req, body)
	if err != nil {
		return nil, err
	}
	resp, err := c.receive(req)
	if err != nil {
		return nil, c.fail(err)
	}
	return resp, nil
}

// send sends the request, on an idle connection if there is one. If that takes
// nothing, because the server has just closed it, the next is tried.
func (t *Transport) send(ctx context.Context, req *http.Request, body []byte) (*conn, error) {
	for {
		c, reused, err := t.conn(ctx, req.URL.Host)
		if err != nil {
			return nil, err
		}
		c.begin(ctx)
		n, err := c.send(req, body)
		if err == nil {
			return c, nil
		}
		err = c.fail(err)
		if !reused || n > 0 || ctx.Err() != nil || errors.Is(err, errUnsendable) {
			return nil, err
		}
	}
}

// conn returns an idle connection to the host, or a new one.
func (t *Transport) conn(ctx context.Context, host string) (c *conn, reused bool, err error) {
	address := addressOf(host)
	for c = t.idle.take(address); c != nil; c = t.idle.take(address) {
		if c.probe.Quiet() {
			return c, true, nil
		}
		c.close()
	}
	dial := t.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	nc, err := dial(ctx, "tcp", address)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, false, err
	}
	return newConn(t, address, nc), false, nil
}

// addressOf adds the port to a host that has none.
func addressOf(host string) string {
	if _, port, err := net.SplitHostPort(host); err == nil && port != "" {
		return host
	}
	return net.JoinHostPort(strings.Trim(strings.TrimSuffix(host, ":"), "[]"), "80")
}

// keep takes back a connection that can carry another request.
func (t *Transport) keep(c *conn) {
	t.idle.put(c, cmp.Or(t.IdlePerHost, 256), cmp.Or(t.IdleTimeout, 90*time.Second))
}

// CloseIdleConnections closes the connections that carry no request.
func (t *Transport) CloseIdleConnections() { t.idle.closeAll() }

func (t *Transport) headerBytes() int { return cmp.Or(t.HeaderBytes, 64<<10) }

// readBody reads the body of a request, as [http.RoundTripper] has it also
// closes it.
func readBody(req *http.Request) ([]byte, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	switch {
	case !Takes(req):
		return nil, fmt.Errorf("%w: %s of %d bytes to %s", errUnsendable, req.Method, req.ContentLength, req.URL.Scheme)
	case req.Body == nil || req.Body == http.NoBody:
		return nil, nil
	}
	body := make([]byte, req.ContentLength)
	for n := 0; n < len(body); {
		m, err := req.Body.Read(body[n:])
		if n += m; err != nil && n < len(body) {
			return nil, fmt.Errorf("read the request's body: %w", err)
		}
	}
	return body, nil
}

func wroteHeaders(ctx context.Context) {
	if trace := httptrace.ContextClientTrace(ctx); trace != nil && trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
}
