package peers

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// GoSDKWebSocket serves the Go SDK's server over WebSocket, in the way of the
// Python SDK v1, until the test ends and returns its URL: subprotocol "mcp", one
// message per text frame, a session per connection. Of the options, Stateful,
// Resumable and JSON have no meaning for it. Unlike [WebSocket], it passes
// everything on as it is.
func GoSDKWebSocket(t testing.TB, options GoSDKOptions) (url string) {
	t.Helper()
	upgrader := websocket.Upgrader{Subprotocols: []string{"mcp"}}
	var sessions sync.WaitGroup
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sessions.Add(1) // the listener forgets about connections that are upgraded
		defer sessions.Done()
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return // and the client has been told
		}
		_ = NewGoSDKServer(options).Run(context.WithoutCancel(r.Context()), &socket{conn: conn})
	}))
	t.Cleanup(func() {
		listener.Close()
		sessions.Wait() // their clients are gone
	})
	return "ws" + strings.TrimPrefix(listener.URL, "http")
}

// A socket is a connection as a transport of the Go SDK.
type socket struct {
	conn *websocket.Conn
	mu   sync.Mutex // a connection has one writer at a time
}

func (s *socket) Connect(context.Context) (mcpsdk.Connection, error) { return s, nil }

func (s *socket) Read(context.Context) (jsonrpc.Message, error) {
	_, text, err := s.conn.ReadMessage()
	if err != nil {
		return nil, err
	}
	return jsonrpc.DecodeMessage(text)
}

func (s *socket) Write(_ context.Context, message jsonrpc.Message) error {
	text, err := jsonrpc.EncodeMessage(message)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn.WriteMessage(websocket.TextMessage, text)
}

func (s *socket) Close() error      { return s.conn.Close() }
func (s *socket) SessionID() string { return "" }
