package transport

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"time"
)

// An SSEConfig says how to reach one server over HTTP+SSE, the transport of
// revision 2024-11-05. Zero fields take the default.
type SSEConfig struct {
	// URL is that of the server's event stream. [CheckURL] says which are
	// accepted.
	URL string
	// Header is sent with every request; see [HTTPConfig]. The server says where
	// messages go, but they go to the origin of URL or nowhere.
	Header http.Header
	// Client carries the requests; see [HTTPConfig]. Required.
	Client http.RoundTripper

	// Limits bound what is read. On a shared stream only the answer itself can
	// be told to belong to a call, so an event is bounded by the smaller of
	// MessageBytes and CallBytes; one that is larger ends the transport.
	Limits Limits
	// Logger gets what the server says beside MCP. Nil: nobody does.
	Logger *slog.Logger

	// EndpointTimeout bounds how long the server may take to say where messages
	// go, counted from the request for its stream. Default 10 s.
	EndpointTimeout time.Duration
	// NoisePerMinute is how many messages that are not MCP are skipped within a
	// minute; one more ends the transport. Default 100.
	NoisePerMinute int
}

// DefaultEndpointTimeout is the default of [SSEConfig.EndpointTimeout].
const DefaultEndpointTimeout = 10 * time.Second

// SSE dials HTTP+SSE: the answers to all messages, each of which is a POST of
// its own, come on one event stream, and the session is over when that is (spec
// 2024-11-05, basic/transports#http-with-sse).
type SSE struct {
	cfg SSEConfig
	// http is what the POSTs are made like, and judges what is replied to them and
	// to the GET.
	http *HTTP
}

var _ Dialer = (*SSE)(nil)

// NewSSE checks cfg and returns its dialer. The error names everything that is
// wrong, and no secret.
func NewSSE(cfg SSEConfig) (*SSE, error) {
	h, err := NewHTTP(HTTPConfig{
		URL: cfg.URL, Header: cfg.Header, Client: cfg.Client, Limits: cfg.Limits, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	return newSSE(cfg, h), nil
}

// newSSE is NewSSE for a server that h may also be the dialer of.
func newSSE(cfg SSEConfig, h *HTTP) *SSE {
	cfg.Limits, cfg.Logger = h.cfg.Limits, h.cfg.Logger
	orDefault(&cfg.EndpointTimeout, DefaultEndpointTimeout)
	orDefault(&cfg.NoisePerMinute, DefaultNoisePerMinute)
	return &SSE{cfg: cfg, http: h}
}

// posts returns what makes the POSTs of a session. Of the replies to them only the
// status counts: "MCP" is not their type.
func (d *SSE) posts() *HTTP {
	posts := *d.http
	posts.header = maps.Clone(posts.header)
	posts.header.Del("Accept")
	return &posts
}

// get returns the headers of the GET.
func (d *SSE) get() http.Header {
	h := maps.Clone(d.http.header)
	h.Del("Content-Type")
	h.Set("Accept", "text/event-stream")
	return h
}

// Peer describes the server by its URL.
func (d *SSE) Peer() Peer {
	p := d.http.Peer()
	p.Transport, p.Stream = "sse", true
	return p
}

var errNoEndpoint = errors.New("server does not say in time where messages go")

// Dial opens the event stream and learns where messages go. The transport uses
// one goroutine until it has ended, and another for each POST.
func (d *SSE) Dial(ctx context.Context, r Receiver) (Transport, error) {
	if ctx.Err() != nil {
		return nil, canceled(ctx, NotSent)
	}
	c := newSSEConn(d, r)
	opening, cancel := context.WithTimeoutCause(ctx, d.cfg.EndpointTimeout, errNoEndpoint)
	defer cancel()
	stop := context.AfterFunc(opening, c.hangUp)
	err := c.open()
	if inTime := stop(); err == nil && inTime {
		c.workers.Go(c.read)
		return c, nil
	}
	c.abort()
	if ctx.Err() != nil {
		return nil, canceled(ctx, NotSent)
	}
	return nil, openError(opening, err)
}
