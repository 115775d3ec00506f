package transport

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
)

// serveWebSocket starts a server, of the shape of the Python SDK's, that serves
// each of its connections with serve, and returns its URL.
func serveWebSocket(t testing.TB, serve func(*websocket.Conn)) string {
	t.Helper()
	var conns sync.WaitGroup
	upgrader := websocket.Upgrader{Subprotocols: []string{"mcp"}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conns.Add(1) // before the server forgets about the connection
		defer conns.Done()
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		serve(conn)
	}))
	t.Cleanup(func() {
		srv.Close()
		conns.Wait() // their clients are closed by now
	})
	return "ws" + strings.TrimPrefix(srv.URL, "http")
}

// answerWebSocket reads and answers until there is nothing more.
func answerWebSocket(conn *websocket.Conn) {
	var mu sync.Mutex // a connection has one writer at a time
	for {
		_, text, err := conn.ReadMessage()
		if err != nil || bytes.Contains(text, []byte(`"method":"die"`)) {
			return
		}
		answer(text, func(line []byte) {
			mu.Lock()
			defer mu.Unlock()
			_ = conn.WriteMessage(websocket.TextMessage, line)
		})
	}
}

// newWebSocket returns a dialer; the connection pool need not be given.
func newWebSocket(t testing.TB, cfg WebSocketConfig) *WebSocket {
	t.Helper()
	if cfg.DialContext == nil {
		cfg.DialContext = newPool(t, nil, nil).DialContext
	}
	d, err := NewWebSocket(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// dialWebSocket opens a transport that is closed when the test ends.
func dialWebSocket(t testing.TB, cfg WebSocketConfig, r Receiver) *webSocketConn {
	t.Helper()
	return dialFor(t, newWebSocket(t, cfg), r).(*webSocketConn)
}
