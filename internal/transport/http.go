package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// DefaultDeleteTimeout is the default of [HTTPConfig.DeleteTimeout].
const DefaultDeleteTimeout = 2 * time.Second

// An HTTPConfig says how to reach one server over Streamable HTTP.
type HTTPConfig struct {
	// URL is the server's MCP endpoint. [CheckURL] says which are accepted.
	URL string
	// Header is sent with every request. It may hold secrets: its values are
	// never logged. The headers that MCP and HTTP define for themselves cannot
	// be set; they are left out with a warning.
	Header http.Header
	// Client carries the requests: what [NewHTTPClient] returned, perhaps
	// wrapped by whatever adds spans or credentials. It is shared by any number
	// of dialers and must not follow redirects. Whoever made it closes it.
	// Required.
	Client http.RoundTripper
	// Limits bound what is read.
	Limits Limits
	// DeleteTimeout bounds the request that ends a session when a transport is
	// closed. Default 2 s.
	DeleteTimeout time.Duration
	// Reconnect says how event streams that broke off are taken up again.
	Reconnect Reconnect
	// Logger takes what is worth a line. Nil discards.
	Logger *slog.Logger
}

// HTTP dials Streamable HTTP: one POST per message, answered by one JSON body
// or one event stream (spec 2025-03-26 and later, basic/transports), which may
// come in parts if the server gives its events ids. Of its own it makes no
// request.
type HTTP struct {
	cfg    HTTPConfig
	url    *url.URL
	header http.Header
	post   *http.Request // what every request is copied from
}

var _ Dialer = (*HTTP)(nil)

// NewHTTP checks cfg and returns its dialer. The error names everything that
// is wrong, and no secret.
func NewHTTP(cfg HTTPConfig) (*HTTP, error) {
	u, errURL := CheckURL(cfg.URL)
	if errURL != nil {
		errURL = fmt.Errorf("url: %w", errURL)
	}
	var errClient error
	if cfg.Client == nil {
		errClient = errors.New("client: missing")
	}
	if err := errors.Join(errURL, errClient, checkHeader(cfg.Header)); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.DeleteTimeout <= 0 {
		cfg.DeleteTimeout = DefaultDeleteTimeout
	}
	cfg.Limits = cfg.Limits.WithDefaults()
	cfg.Reconnect = cfg.Reconnect.withDefaults()
	header, dropped := baseHeader(cfg.Header)
	for _, name := range dropped {
		cfg.Logger.Warn("configured header is not sent", "header", name, "server_address", u.Hostname())
	}
	post := &http.Request{
		Method: http.MethodPost, URL: u, Host: u.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	return &HTTP{cfg: cfg, url: u, header: header, post: post}, nil
}

// Dial returns a transport without touching the network: the first request
// makes the connection.
func (d *HTTP) Dial(_ context.Context, r Receiver) (Transport, error) {
	return newHTTPTransport(d, r), nil
}

// Peer describes the server by its URL.
func (d *HTTP) Peer() Peer {
	p := peerAt(d.url)
	p.Transport, p.Protocol = "http", "http"
	return p
}
