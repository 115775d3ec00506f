package transport

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func TestWebSocketPeer(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]Peer{
		"ws://example.com/mcp":  {"websocket", "tcp", "websocket", "example.com", 80, true},
		"wss://example.com":     {"websocket", "tcp", "websocket", "example.com", 443, true},
		"wss://[::1]:8443/mcp?": {"websocket", "tcp", "websocket", "::1", 8443, true},
	} {
		if got := newWebSocket(t, WebSocketConfig{URL: url}).Peer(); got != want {
			t.Errorf("%s: got %+v, want %+v", url, got, want)
		}
	}
}

func TestWebSocketConfig(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		cfg  WebSocketConfig
		want string
	}{
		"http":      {cfg: WebSocketConfig{URL: "http://secret.example.com"}, want: "neither ws nor wss"},
		"user info": {cfg: WebSocketConfig{URL: "ws://u:secret@example.com"}, want: "user info"},
		"no dialler": {
			cfg:  WebSocketConfig{URL: "ws://example.com", Header: http.Header{"A b": {"secret"}}},
			want: "dial: missing\nheader \"A b\"",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := NewWebSocket(tt.cfg)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// accept upgrades by hand, with what else is to stand in the reply.
func accept(w http.ResponseWriter, r *http.Request, header string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	key := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\n%s\r\n", base64.StdEncoding.EncodeToString(key[:]), header)
	_, _ = conn.Read(make([]byte, 1)) // until the client is gone
}

func TestWebSocketUpgrade(t *testing.T) {
	t.Parallel()
	status := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Add(header[i], header[i+1])
			}
			w.WriteHeader(code)
			_, _ = w.Write([]byte(strings.Repeat("because ", 1000)))
		}
	}
	tests := map[string]struct {
		serve http.HandlerFunc
		kind  Kind
		want  Error // what else is looked at
		ok    bool
	}{
		"no subprotocol":    {serve: func(w http.ResponseWriter, r *http.Request) { accept(w, r, "") }, ok: true},
		"subprotocol mcp":   {serve: func(w http.ResponseWriter, r *http.Request) { accept(w, r, "Sec-WebSocket-Protocol: mcp\r\n") }, ok: true},
		"other subprotocol": {serve: func(w http.ResponseWriter, r *http.Request) { accept(w, r, "Sec-WebSocket-Protocol: graphql-ws\r\n") }, kind: KindProtocol, want: Error{Status: 101}},
		"two subprotocols":  {serve: func(w http.ResponseWriter, r *http.Request) { accept(w, r, "Sec-WebSocket-Protocol: mcp, x\r\n") }, kind: KindProtocol, want: Error{Status: 101}},
		"two headers": {serve: func(w http.ResponseWriter, r *http.Request) {
			accept(w, r, strings.Repeat("Sec-WebSocket-Protocol: mcp\r\n", 2))
		}, kind: KindProtocol, want: Error{Status: 101}},
		"compression": {serve: func(w http.ResponseWriter, r *http.Request) {
			accept(w, r, "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n")
		}, kind: KindProtocol, want: Error{Status: 101}},
		"wrong key": {serve: func(w http.ResponseWriter, r *http.Request) { r.Header.Set("Sec-WebSocket-Key", "x"); accept(w, r, "") }, kind: KindProtocol, want: Error{Status: 101}},
		"endless headers": {serve: func(w http.ResponseWriter, r *http.Request) {
			accept(w, r, strings.Repeat("Set-Cookie: "+strings.Repeat("c", 1000)+"\r\n", 1000))
		}, kind: KindLimit},
		"401":                {serve: status(401, "WWW-Authenticate", "Bearer a", "WWW-Authenticate", "Basic"), kind: KindStatus, want: Error{Status: 401, Challenge: []string{"Bearer a", "Basic"}}},
		"403":                {serve: status(403, "WWW-Authenticate", "Bearer b"), kind: KindStatus, want: Error{Status: 403, Challenge: []string{"Bearer b"}}},
		"301":                {serve: status(301, "Location", "ws://127.0.0.1:1/"), kind: KindRedirect, want: Error{Status: 301}},
		"307":                {serve: status(307, "Location", "ws://127.0.0.1:1/"), kind: KindRedirect, want: Error{Status: 307}},
		"404":                {serve: status(404), kind: KindStatus, want: Error{Status: 404}},
		"426":                {serve: status(426), kind: KindStatus, want: Error{Status: 426}},
		"429":                {serve: status(429, "Retry-After", "7"), kind: KindStatus, want: Error{Status: 429, RetryAfter: 7 * time.Second}},
		"503":                {serve: status(503, "Retry-After", "7"), kind: KindStatus, want: Error{Status: 503, RetryAfter: 7 * time.Second}},
		"200, a web page":    {serve: status(200), kind: KindProtocol, want: Error{Status: 200}},
		"hangs up":           {serve: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, kind: KindUnreachable},
		"something not HTTP": {serve: func(w http.ResponseWriter, _ *http.Request) { speak(w, "SSH-2.0-OpenSSH_9.6\r\n") }, kind: KindProtocol},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := make(chan http.Header, 1)
			url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
				seen <- r.Header.Clone()
				tt.serve(w, r)
			})
			d := newWebSocket(t, WebSocketConfig{URL: "ws" + strings.TrimPrefix(url, "http") + "/ws", Header: secretHeader()})
			tr, err := d.Dial(short(t), ignore)
			if h := <-seen; h.Get("Sec-Websocket-Protocol") != "mcp" || h.Get("Authorization") != "Bearer secret" || h.Get("Sec-Websocket-Extensions") != "" {
				t.Errorf("asked for the upgrade with %v", h)
			}
			if tt.ok {
				if err != nil {
					t.Fatal(err)
				}
				closeTransport(t, tr)
				return
			}
			wantError(t, err, tt.kind, NotSent)
			e := asError(t, err)
			if e.Status != tt.want.Status || fmt.Sprint(e.Challenge) != fmt.Sprint(tt.want.Challenge) || e.RetryAfter != tt.want.RetryAfter {
				t.Errorf("got %+v, want %+v", e, tt.want)
			}
			if e.Kind == KindStatus && !strings.HasPrefix(e.Detail, "because") || len(e.Detail) > shownBytes || strings.Contains(e.Error(), "secret") {
				t.Errorf("got %v", e)
			}
		})
	}
}

// speak writes text instead of a reply.
func speak(w http.ResponseWriter, text string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = conn.Write([]byte(text))
	_ = conn.Close()
}

// silentListener accepts and says nothing.
func silentListener(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func TestWebSocketUnreachable(t *testing.T) {
	t.Parallel()
	silent := silentListener(t)
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = discardLog()
	t.Cleanup(secure.Close)
	guarded := newPool(t, &Guard{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}}, nil)
	tests := map[string]struct {
		cfg  WebSocketConfig
		kind Kind
	}{
		"nobody listens":    {cfg: WebSocketConfig{URL: "ws://127.0.0.1:1"}, kind: KindUnreachable},
		"no reply":          {cfg: WebSocketConfig{URL: "ws://" + silent, HandshakeTimeout: 50 * time.Millisecond}, kind: KindUnreachable},
		"no TLS handshake":  {cfg: WebSocketConfig{URL: "wss://" + silent, HandshakeTimeout: 50 * time.Millisecond}, kind: KindUnreachable},
		"forbidden address": {cfg: WebSocketConfig{URL: "ws://" + silent, DialContext: guarded.DialContext}, kind: KindForbidden},
		"unknown authority": {cfg: WebSocketConfig{URL: "wss" + strings.TrimPrefix(secure.URL, "https")}, kind: KindIdentity},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newWebSocket(t, tt.cfg).Dial(short(t), ignore)
			wantError(t, err, tt.kind, NotSent)
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("gone")
		d := newWebSocket(t, WebSocketConfig{URL: "ws://" + silent, HandshakeTimeout: time.Hour})
		dial := d.cfg.DialContext
		d.cfg.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			defer cancel(gone)
			return dial(ctx, network, address)
		}
		_, err := d.Dial(ctx, ignore)
		if wantError(t, err, KindCanceled, NotSent); !errors.Is(err, gone) {
			t.Errorf("the cause is missing in %v", err)
		}
		_, err = d.Dial(ctx, ignore)
		wantError(t, err, KindCanceled, NotSent)
	})
}

func TestWebSocketTLS(t *testing.T) {
	t.Parallel()
	upgrader := websocket.Upgrader{}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, err := upgrader.Upgrade(w, r, nil); err == nil {
			defer conn.Close()
			answerWebSocket(conn)
		}
	}))
	srv.EnableHTTP2 = true // which must not be chosen
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	cfg := WebSocketConfig{URL: "wss" + strings.TrimPrefix(srv.URL, "https"), TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10}}
	tr := dialWebSocket(t, cfg, ignore)
	if got := call(t, tr, 1, "echo", `"x"`); got != `"x"` {
		t.Errorf("got %s", got)
	}
	if cfg.TLS.MinVersion != tls.VersionTLS10 || newWebSocket(t, cfg).dialer.TLSClientConfig.MinVersion != tls.VersionTLS12 {
		t.Error("the minimum version is not ours")
	}
}

// What configuration may not set is left out, and said so, without its value.
func TestWebSocketReservedHeaders(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	d := newWebSocket(t, WebSocketConfig{
		URL:    "ws://example.com",
		Header: http.Header{"Sec-Websocket-Protocol": {"secret"}, "Upgrade": {"secret"}, "Host": {"secret"}, "X-Api-Key": {"secret"}},
		Logger: slog.New(slog.NewJSONHandler(&log, nil)),
	})
	if len(d.header) != 2 || d.header.Get("X-Api-Key") == "" {
		t.Errorf("the header is %v", d.header)
	}
	if bytes.Count(log.Bytes(), []byte("configured header is not sent")) != 3 || bytes.Contains(log.Bytes(), []byte("secret")) {
		t.Errorf("the log says %s", &log)
	}
}
