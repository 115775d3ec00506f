package transport

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// A socketTrap is what a server does on a connection after a request, and what
// is to come of the call.
type socketTrap struct {
	do     func(conn *websocket.Conn, id string)
	result string
	kind   Kind // of an error, if there is no result
	lost   bool // the connection too
	noise  int
	detail string
}

func socketTraps() map[string]socketTrap {
	text := func(texts ...string) func(*websocket.Conn, string) {
		return func(conn *websocket.Conn, id string) {
			for _, s := range texts {
				_ = conn.WriteMessage(websocket.TextMessage, []byte(strings.ReplaceAll(s, "#", id)))
			}
		}
	}
	raw := func(head string, body string) func(*websocket.Conn, string) {
		return func(conn *websocket.Conn, id string) {
			_, _ = conn.NetConn().Write([]byte(head + strings.ReplaceAll(body, "#", id)))
		}
	}
	const ok = `{"jsonrpc":"2.0","id":#,"result":1}` // 35 bytes, like any with one digit
	long := strings.Repeat("x", 5000)
	deep := strings.Repeat("[", 65) + strings.Repeat("]", 65)
	return map[string]socketTrap{
		"text": {do: text(ok), result: "1"},
		"binary": {do: func(conn *websocket.Conn, id string) {
			_ = conn.WriteMessage(websocket.BinaryMessage, []byte(strings.ReplaceAll(ok, "#", id)))
		}, result: "1"},
		"fragments, pings between": {do: func(conn *websocket.Conn, id string) {
			message := strings.ReplaceAll(ok, "#", id)
			for i := range message {
				opcode := byte(0)
				if i == 0 {
					opcode = websocket.TextMessage
				}
				if i == len(message)-1 {
					opcode |= 0x80
				}
				_, _ = conn.NetConn().Write([]byte{opcode, 1, message[i]})
				_ = conn.WriteControl(websocket.PingMessage, []byte("p"), time.Time{})
			}
		}, result: "1"},
		"batch":                  {do: text(`[7,` + ok + `]`), result: "1", noise: 1},
		"text as id":             {do: text(`{"id":"#","result":1}`), result: "1"},
		"blank":                  {do: text("", " \r\n", ok), result: "1"},
		"line breaks":            {do: text("{\n\"id\":#,\r\n\"result\":1}\n"), result: "1"},
		"noise":                  {do: text("hello", "{}", "42", ok), result: "1", noise: 3},
		"other ids":              {do: text(`{"id":998,"result":2}`, `{"id":null,"result":2}`, ok), result: "1"},
		"answered twice":         {do: text(ok, ok), result: "1"},
		"broken JSON":            {do: text(`{"id":#,"result":{"a":}}`), kind: KindProtocol},
		"not UTF-8":              {do: text("{\"id\":#,\"result\":\"\xff\"}"), kind: KindProtocol},
		"too deep":               {do: text(`{"id":#,"result":` + deep + `}`), kind: KindLimit},
		"too long":               {do: text(`{"id":#,"result":"` + long + `"}`), kind: KindLimit, lost: true},
		"endless fragments":      {do: raw(strings.Repeat("\x00\x7e\x03\xe8"+long[:1000], 5), ""), kind: KindProtocol, lost: true},
		"too long in fragments":  {do: raw("\x01\x7e\x03\xe8"+long[:1000]+strings.Repeat("\x00\x7e\x03\xe8"+long[:1000], 5), ""), kind: KindLimit, lost: true},
		"announces an exabyte":   {do: raw("\x81\x7f\x10\x00\x00\x00\x00\x00\x00\x00", ""), kind: KindLimit, lost: true},
		"announces a negative":   {do: raw("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", ""), kind: KindLimit, lost: true},
		"masked":                 {do: raw("\x81\x81abcdx", ""), kind: KindProtocol, lost: true},
		"compressed":             {do: raw("\xc1\x01x", ""), kind: KindProtocol, lost: true},
		"unknown opcode":         {do: raw("\x83\x01x", ""), kind: KindProtocol, lost: true},
		"fragmented ping":        {do: raw("\x09\x01x", ""), kind: KindProtocol, lost: true},
		"ends within a frame":    {do: func(conn *websocket.Conn, id string) { raw("\x81\x23", ok[:20])(conn, id); _ = conn.Close() }, kind: KindLost, lost: true},
		"reset":                  {do: func(conn *websocket.Conn, _ string) { _ = conn.NetConn().(*net.TCPConn).SetLinger(0); _ = conn.Close() }, kind: KindLost, lost: true},
		"closed without goodbye": {do: func(conn *websocket.Conn, _ string) { _ = conn.Close() }, kind: KindLost, lost: true},
		"goodbye":                {do: goodbye(1000, ""), kind: KindLost, lost: true},
		"internal error":         {do: goodbye(1011, "out of cheese"), kind: KindLost, lost: true, detail: "out of cheese"},
		"answer, then goodbye":   {do: func(conn *websocket.Conn, id string) { text(ok)(conn, id); goodbye(1001, "")(conn, id) }, result: "1", lost: true},
	}
}

func goodbye(code int, why string) func(*websocket.Conn, string) {
	return func(conn *websocket.Conn, _ string) {
		_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, why), time.Time{})
	}
}

// Whatever a server does to a call, the next one succeeds, unless the connection
// is lost with it.
func TestWebSocketTraps(t *testing.T) {
	t.Parallel()
	for name, tt := range socketTraps() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serveWebSocket(t, func(conn *websocket.Conn) {
				_, message, err := conn.ReadMessage()
				var req peerRequest
				if err != nil || json.Unmarshal(message, &req) != nil {
					return
				}
				tt.do(conn, string(req.ID))
				answerWebSocket(conn)
			})
			tr := dialWebSocket(t, WebSocketConfig{URL: url, Limits: Limits{MessageBytes: 4096}}, ignore)
			resp, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "trap"})
			if tt.result == "" {
				wantError(t, err, tt.kind, Unknown)
				if e := asError(t, err); e.Detail != tt.detail {
					t.Errorf("got the detail %q, want %q", e.Detail, tt.detail)
				}
			} else if err != nil || string(resp.Result) != tt.result {
				t.Errorf("got %+v, %v; want %s", resp, err, tt.result)
			}
			if tt.lost {
				if asError(t, goneWithin(t, tr)).Kind == KindClosed {
					t.Error("lost, but said to be closed")
				}
				return
			}
			if got := call(t, tr, 2, "echo", `"next"`); got != `"next"` {
				t.Errorf("the next call got %s", got)
			}
			closeTransport(t, tr)
			if tr.noise.total != tt.noise {
				t.Errorf("%d messages of noise, want %d", tr.noise.total, tt.noise)
			}
		})
	}
}
