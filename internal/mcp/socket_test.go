package mcp_test

import (
	"encoding/json"
	"fmt"
	nethttp "net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// sse, httpOrSSE and socket make dialers of the peers' addresses.
func sse(t *testing.T, url string) transport.Dialer {
	return dialSSE(t, transport.SSEConfig{URL: url})
}

func httpOrSSE(t *testing.T, url string) transport.Dialer {
	t.Helper()
	d, err := transport.NewHTTPWithFallback(transport.HTTPConfig{URL: url, Client: httpClient(t)})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func socket(t *testing.T, url string) transport.Dialer {
	return dialSocket(t, transport.WebSocketConfig{URL: url})
}

func dialSSE(t *testing.T, cfg transport.SSEConfig) transport.Dialer {
	t.Helper()
	cfg.Client = httpClient(t)
	d, err := transport.NewSSE(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func dialSocket(t *testing.T, cfg transport.WebSocketConfig) transport.Dialer {
	t.Helper()
	cfg.DialContext = httpClient(t).DialContext
	d, err := transport.NewWebSocket(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func httpClient(t *testing.T) *transport.HTTPClient {
	t.Helper()
	client := transport.NewHTTPClient(nil, nil)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// A server on a socket that ends it when it is probed is connected to once more,
// and taken for a legacy one; one that is silent is, on the same connection.
func TestSocketProbe(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		probed func(*websocket.Conn) (goOn bool)
		conns  int64
	}{
		"closes":                 {probed: func(*websocket.Conn) bool { return false }, conns: 2},
		"closes with a goodbye":  {probed: func(c *websocket.Conn) bool { _ = c.WriteMessage(websocket.CloseMessage, nil); return false }, conns: 2},
		"is silent":              {probed: func(*websocket.Conn) bool { return true }, conns: 1},
		"answers with no id":     {probed: func(c *websocket.Conn) bool { return say(c, `{"id":null,"error":{"code":-32600}}`) }, conns: 1},
		"answers with something": {probed: func(c *websocket.Conn) bool { return say(c, `{"id":null,"result":{}}`) }, conns: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var conns atomic.Int64
			url := serveSocket(t, func(conn *websocket.Conn) {
				conns.Add(1)
				for {
					m, err := hear(conn)
					switch {
					case err != nil:
						return
					case m.Method == "server/discover":
						if !tt.probed(conn) {
							return
						}
					case m.Method == "initialize":
						say(conn, fmt.Sprintf(`{"id":%s,"result":{"protocolVersion":"2025-03-26"}}`, m.ID))
					}
				}
			})
			d := dialSocket(t, transport.WebSocketConfig{URL: url, CloseTimeout: time.Second})
			if got := connect(t, d, mcp.Options{ProbeTimeout: 50 * time.Millisecond}).Info(); got.Era != mcp.EraLegacy || got.ProtocolVersion != mcp.Version20250326 {
				t.Errorf("got %+v", got)
			}
			if got := conns.Load(); got != tt.conns {
				t.Errorf("%d connections, want %d", got, tt.conns)
			}
		})
	}
}

// Some gateways run one server for all of their clients and send all that it
// says to each of them. Nobody may get another's answer, nor hear of another's
// progress.
func TestSocketBroadcast(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var everybody []*websocket.Conn
	broadcast := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		for _, conn := range everybody {
			say(conn, text)
		}
	}
	url := serveSocket(t, func(conn *websocket.Conn) {
		mu.Lock()
		everybody = append(everybody, conn)
		mu.Unlock()
		for {
			m, err := hear(conn)
			if err != nil {
				return
			}
			switch m.Method {
			case "initialize":
				broadcast(fmt.Sprintf(`{"id":%s,"result":{"protocolVersion":"2025-03-26"}}`, m.ID))
			case "tools/call":
				broadcast(fmt.Sprintf(`{"method":"notifications/progress","params":{"progressToken":%s,"message":%s}}`, m.ID, m.Params.Arguments))
				broadcast(fmt.Sprintf(`{"id":%s,"result":{"content":[{"text":%s}]}}`, m.ID, m.Params.Arguments))
			}
		}
	})
	const sessions, calls = 4, 50
	var callers sync.WaitGroup
	for n := range sessions {
		s := connect(t, socket(t, url), mcp.Options{Protocol: mcp.Version20250326})
		callers.Go(func() {
			for i := range calls {
				want := fmt.Sprintf(`"session %d, call %d"`, n, i)
				c := mcp.CallTool("echo", []byte(want))
				c.Notify = func(m jsonrpc.Message) {
					if got := rawjson.Get(m.Params, "message"); string(got) != want {
						t.Errorf("%s heard of %s", want, got)
					}
				}
				r, err := s.Call(t.Context(), c)
				if err != nil || strconv.Quote(text(t, r)) != want {
					t.Errorf("%s got %+v, %v", want, r, err)
				}
			}
		})
	}
	callers.Wait()
}

// heard is a message as the servers of these tests read it.
type heard struct {
	ID     json.RawMessage
	Method string
	Params struct{ Arguments json.RawMessage }
}

func hear(conn *websocket.Conn) (m heard, err error) {
	_, text, err := conn.ReadMessage()
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	return m, err
}

func say(conn *websocket.Conn, text string) bool {
	return conn.WriteMessage(websocket.TextMessage, []byte(text)) == nil
}

// serveSocket serves each connection with serve until the test ends and returns
// the URL.
func serveSocket(t *testing.T, serve func(*websocket.Conn)) string {
	t.Helper()
	g := &gateway{t: t}
	return "ws" + strings.TrimPrefix(g.listen(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		conn, err := new(websocket.Upgrader).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		serve(conn)
	}), "http")
}
