package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

// A pipeListener hands out the other ends of pipes that are dialled.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
}

func (l *pipeListener) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	if c, ok := <-l.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.conns) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// inBubble runs test with a transport over a pipe, whose other end is served by
// serve, on a clock that jumps.
func inBubble(t *testing.T, serve func(*websocket.Conn), test func(*testing.T, *webSocketConn)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &pipeListener{conns: make(chan net.Conn)}
		upgrader := websocket.Upgrader{}
		var served sync.WaitGroup
		srv := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			served.Add(1) // the server forgets about the connection
			defer served.Done()
			conn, err := upgrader.Upgrade(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			serve(conn)
		})}
		served.Go(func() { _ = srv.Serve(l) })
		tr, err := newWebSocket(t, WebSocketConfig{URL: "ws://pipe", DialContext: l.DialContext}).Dial(t.Context(), ignore)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if err := tr.Close(ctx); err != nil {
				t.Error(err)
			}
			_ = l.Close()
			_ = srv.Close()
			served.Wait()
		}()
		test(t, tr.(*webSocketConn))
	})
}

func TestWebSocketKeepalive(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		serve func(*websocket.Conn)
		after time.Duration // 0: stays
	}{
		"pongs": {serve: answerWebSocket},
		"no pong": {after: 40 * time.Second, serve: func(conn *websocket.Conn) {
			conn.SetPingHandler(func(string) error { return nil })
			answerWebSocket(conn)
		}},
		"no pong, but messages": {serve: func(conn *websocket.Conn) {
			conn.SetPingHandler(func(string) error {
				return conn.WriteMessage(websocket.TextMessage, []byte(`{"method":"notifications/x"}`))
			})
			answerWebSocket(conn)
		}},
		"reads nothing": {after: 40 * time.Second, serve: func(*websocket.Conn) {
			time.Sleep(time.Hour)
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, tt.serve, func(t *testing.T, c *webSocketConn) {
				began := time.Now()
				select {
				case <-c.Done():
					wantError(t, c.Err(), KindLost, NotSent)
				case <-time.After(time.Hour):
				}
				switch took := time.Since(began); {
				case tt.after != 0 && took != tt.after:
					t.Errorf("lost after %v, want %v", took, tt.after)
				case tt.after == 0 && took != time.Hour:
					t.Errorf("lost after %v: %v", took, c.Err())
				}
			})
		})
	}
}

// A caller leaves when it wants to, however stuck the connection is; what was
// not written yet was not sent.
func TestWebSocketStuck(t *testing.T) {
	serve := func(conn *websocket.Conn) {
		time.Sleep(time.Second)
		_, _, _ = conn.ReadMessage()
		time.Sleep(time.Hour)
	}
	inBubble(t, serve, func(t *testing.T, c *webSocketConn) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		var callers sync.WaitGroup
		trip := func(ctx context.Context, id int64, kind Kind, delivery Delivery, after time.Duration) {
			callers.Go(func() {
				_, err := c.RoundTrip(ctx, &Request{ID: id, Method: "echo", Params: []byte(`1`)})
				wantError(t, err, kind, delivery)
				if took := time.Since(began); took != after {
					t.Errorf("call %d took %v, want %v", id, took, after)
				}
			})
			synctest.Wait()
		}
		trip(ctx, 1, KindCanceled, Unknown, 2*time.Second) // read
		trip(ctx, 2, KindCanceled, Unknown, 2*time.Second) // being written
		trip(ctx, 3, KindCanceled, NotSent, 2*time.Second)
		trip(t.Context(), 4, KindLost, NotSent, 11*time.Second)
		callers.Wait()
	})
}

// A message that was begun may have been sent, one that was not was not.
func TestWebSocketBrokenWrite(t *testing.T) {
	for name, read := range map[string]int{"nothing": 0, "a part": 100, "all but a byte": 1007} {
		t.Run(name, func(t *testing.T) {
			taken := make(chan struct{})
			serve := func(conn *websocket.Conn) {
				_, _ = io.ReadFull(conn.NetConn(), make([]byte, read))
				close(taken)
				time.Sleep(time.Minute)
			}
			inBubble(t, serve, func(t *testing.T, c *webSocketConn) {
				ended := make(chan error, 1)
				go func() {
					ended <- c.Send(t.Context(), &Message{Body: []byte(strings.Repeat("x", 1000))})
				}()
				<-taken
				synctest.Wait()
				want := NotSent
				if read > 0 {
					want = Unknown
				}
				wantError(t, <-ended, KindLost, want)
			})
		})
	}
}

func TestWebSocketSlowReader(t *testing.T) {
	serve := func(conn *websocket.Conn) {
		_, r, err := conn.NextReader()
		var text bytes.Buffer
		for err == nil {
			time.Sleep(9 * time.Second)
			_, err = io.CopyN(&text, r, writeBytes)
		}
		answer(text.Bytes(), func(line []byte) { _ = conn.WriteMessage(websocket.TextMessage, line) })
		answerWebSocket(conn)
	}
	inBubble(t, serve, func(t *testing.T, c *webSocketConn) {
		params := `"` + strings.Repeat("0", 4*writeBytes) + `"`
		resp, err := c.RoundTrip(t.Context(), &Request{ID: 1, Method: "echo", Params: []byte(params)})
		if err != nil || string(resp.Result) != params {
			t.Errorf("a message that takes 40 s to write: %v", err)
		}
	})
}

func TestWebSocketPingFlood(t *testing.T) {
	serve := func(conn *websocket.Conn) {
		go func() {
			for range 10_000 {
				_ = conn.WriteControl(websocket.PingMessage, []byte("p"), time.Time{})
			}
		}()
		answerWebSocket(conn)
	}
	inBubble(t, serve, func(t *testing.T, c *webSocketConn) {
		for id := range int64(100) {
			if _, err := c.RoundTrip(t.Context(), &Request{ID: id + 1, Method: "echo", Params: []byte(`1`)}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestWebSocketClose(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		deaf   bool          // the server does not read
		mute   bool          // the server does not agree to the end
		within time.Duration // of the context; 0: no end, -1: it has ended
		after  time.Duration
		code   int
	}{
		"agreed":            {code: 1000},
		"not agreed":        {mute: true, code: 1000, after: 2 * time.Second},
		"not agreed, hurry": {mute: true, code: 1000, within: time.Second, after: time.Second},
		"not read":          {deaf: true, after: 2 * time.Second},
		"not read, hurry":   {deaf: true, within: time.Millisecond, after: time.Millisecond},
		"not read, at once": {deaf: true, within: -1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var code atomic.Int64
			serve := func(conn *websocket.Conn) {
				if tt.deaf {
					time.Sleep(time.Hour)
					return
				}
				if tt.mute {
					conn.SetCloseHandler(func(int, string) error { return nil })
				}
				_, _, err := conn.ReadMessage()
				var closed *websocket.CloseError
				if errors.As(err, &closed) {
					code.Store(int64(closed.Code))
				}
				if tt.mute {
					time.Sleep(time.Minute)
				}
			}
			inBubble(t, serve, func(t *testing.T, c *webSocketConn) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				switch {
				case tt.within < 0:
					cancel()
				case tt.within > 0:
					ctx, cancel = context.WithTimeout(ctx, tt.within)
					defer cancel()
				}
				began := time.Now()
				var closers sync.WaitGroup
				for range 2 {
					closers.Go(func() {
						if err := c.Close(ctx); err != nil {
							t.Error(err)
						}
					})
				}
				closers.Wait()
				took := time.Since(began)
				synctest.Wait() // the server answers the goodbye before it tells us of it
				if took != tt.after || int(code.Load()) != tt.code {
					t.Errorf("closed with %d after %v, want %d after %v", code.Load(), took, tt.code, tt.after)
				}
				if err := c.Err(); err != nil {
					t.Errorf("ended with %v", err)
				}
			})
		})
	}
}

// One message that is no text must not end the connection for everybody.
func TestWebSocketNotUTF8(t *testing.T) {
	inBubble(t, answerWebSocket, func(t *testing.T, c *webSocketConn) {
		_, err := c.RoundTrip(t.Context(), &Request{ID: 1, Method: "echo", Params: []byte("\"\xff\"")})
		wantError(t, err, KindProtocol, NotSent)
		if got, err := c.RoundTrip(t.Context(), &Request{ID: 2, Method: "echo", Params: []byte(`1`)}); err != nil || string(got.Result) != "1" {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

// A server that says nothing but nonsense is given up.
func TestWebSocketNoise(t *testing.T) {
	serve := func(conn *websocket.Conn) {
		for n := range 101 {
			_ = conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, "INFO %d", n))
		}
		answerWebSocket(conn)
	}
	inBubble(t, serve, func(t *testing.T, c *webSocketConn) {
		<-c.Done()
		wantError(t, c.Err(), KindProtocol, NotSent)
	})
}
