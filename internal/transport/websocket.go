package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// A WebSocketConfig says how to reach one server over WebSocket. Zero fields
// take the default.
type WebSocketConfig struct {
	// URL is the server's endpoint. [CheckSocketURL] says which are accepted.
	URL string
	// Header is sent with the upgrade request. It may hold secrets: its values
	// are never logged. The headers that MCP, HTTP and WebSocket define for
	// themselves cannot be set; they are left out with a warning.
	Header http.Header
	// DialContext makes the connections, as that of what [NewHTTPClient]
	// returned does: what it lets through is all that is ever connected to.
	// Required.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS holds roots and client certificates. TLS is 1.2 at least. Nil: those
	// of the system.
	TLS *tls.Config
	// Wrap, if set, goes around the upgrade request as it would around any exchange
	// of HTTP: it may add headers, and send the request again when it is refused.
	Wrap func(http.RoundTripper) http.RoundTripper

	// Limits bound what is read. On a shared stream only the answer itself can
	// be told to belong to a call, so a message is bounded by the smaller of
	// MessageBytes and CallBytes; one that is larger ends the transport.
	Limits Limits
	// Logger gets what the server says beside MCP. Nil: nobody does.
	Logger *slog.Logger

	// HandshakeTimeout bounds the opening of a connection, from the first packet
	// to the server's agreement to speak WebSocket. Default 15 s.
	HandshakeTimeout time.Duration
	// PingInterval is how often the server is asked for a sign of life. Default 30 s.
	PingInterval time.Duration
	// PongTimeout is how long it may take to give one: a connection that stays
	// silent for PingInterval and PongTimeout together is lost. Default 10 s.
	PongTimeout time.Duration
	// WriteTimeout is how long a server may take nothing while there is something
	// for it, before the connection is lost. Default 10 s.
	WriteTimeout time.Duration
	// CloseTimeout is how long Close waits for the server to agree to the end.
	// Default 2 s.
	CloseTimeout time.Duration
	// NoisePerMinute is how many messages that are not MCP are skipped within a
	// minute; one more ends the transport. Default 100.
	NoisePerMinute int
	// QueueMessages and QueueBytes bound what waits to be written. Default 1024
	// messages and 64 MiB.
	QueueMessages int
	QueueBytes    int
}

// The defaults of [WebSocketConfig] that [StdioConfig] does not have.
const (
	DefaultHandshakeTimeout = 15 * time.Second
	DefaultPingInterval     = 30 * time.Second
	DefaultPongTimeout      = 10 * time.Second
	DefaultCloseTimeout     = 2 * time.Second
)

func (c WebSocketConfig) withDefaults() WebSocketConfig {
	c.Limits = c.Limits.WithDefaults()
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	orDefault(&c.HandshakeTimeout, DefaultHandshakeTimeout)
	orDefault(&c.PingInterval, DefaultPingInterval)
	orDefault(&c.PongTimeout, DefaultPongTimeout)
	orDefault(&c.WriteTimeout, DefaultWriteTimeout)
	orDefault(&c.CloseTimeout, DefaultCloseTimeout)
	orDefault(&c.NoisePerMinute, DefaultNoisePerMinute)
	orDefault(&c.QueueMessages, DefaultQueueMessages)
	orDefault(&c.QueueBytes, DefaultQueueBytes)
	return c
}

const (
	// subprotocol is what MCP over WebSocket is called where it has a name: in
	// the Python SDK. Other servers name none.
	subprotocol = "mcp"
	// frameBytes is how much of a message goes out in one frame.
	frameBytes = 16 << 10
)

// WebSocket dials MCP over WebSocket, one message per text frame. It is in no
// revision of MCP, but widespread. Nothing is compressed and no redirect is
// followed.
type WebSocket struct {
	cfg    WebSocketConfig
	url    *url.URL
	header http.Header
	dialer websocket.Dialer
}

var _ Dialer = (*WebSocket)(nil)

// NewWebSocket checks cfg and returns its dialer. The error names everything
// that is wrong, and no secret.
func NewWebSocket(cfg WebSocketConfig) (*WebSocket, error) {
	u, errURL := CheckSocketURL(cfg.URL)
	if errURL != nil {
		errURL = fmt.Errorf("url: %w", errURL)
	}
	var errDial error
	if cfg.DialContext == nil {
		errDial = errors.New("dial: missing")
	}
	if err := errors.Join(errURL, errDial, checkHeader(cfg.Header)); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	header, dropped := configuredHeader(cfg.Header)
	for _, name := range dropped {
		cfg.Logger.Warn("configured header is not sent", "header", name, "server_address", u.Hostname())
	}
	d := &WebSocket{cfg: cfg, url: u, header: header, dialer: websocket.Dialer{
		Subprotocols:     []string{subprotocol},
		HandshakeTimeout: cfg.HandshakeTimeout,
		TLSClientConfig:  secured(cfg.TLS),
		WriteBufferSize:  frameBytes,
		WriteBufferPool:  new(sync.Pool),
	}}
	d.dialer.TLSClientConfig.NextProtos = []string{"http/1.1"} // the upgrade is of that version
	return d, nil
}

// Peer describes the server by its URL.
func (d *WebSocket) Peer() Peer {
	p := peerAt(d.url)
	p.Transport, p.Protocol, p.Stream = "websocket", "websocket", true
	return p
}

// Dial opens a connection. The transport uses three goroutines until it has
// ended.
func (d *WebSocket) Dial(ctx context.Context, r Receiver) (Transport, error) {
	if ctx.Err() != nil {
		return nil, canceled(ctx, NotSent)
	}
	conn, socket, err := d.upgrade(ctx)
	switch {
	case ctx.Err() != nil:
		if err == nil {
			_ = conn.Close()
		}
		return nil, canceled(ctx, NotSent)
	case err != nil:
		return nil, err
	}
	return newWebSocketConn(&d.cfg, conn, socket, r), nil
}
