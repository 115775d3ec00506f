//go:build unix

package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

func withTimeout(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

// An openWay opens a transport of one kind to a server that does as answer says.
type openWay struct {
	open func(t *testing.T, r Receiver) Transport
	// die is the method that ends the server's process or connection; lost is
	// what is then said.
	die  string
	lost Kind
	// stream: messages of the server's come without the call they belong to.
	stream bool
}

func openWays() map[string]openWay {
	return map[string]openWay{
		"stdio": {die: "exit", lost: KindExited, stream: true, open: func(t *testing.T, r Receiver) Transport {
			return dialStdio(t, childConfig(t, "serve"), r)
		}},
		"HTTP": {die: "die", lost: KindLost, open: func(t *testing.T, r Receiver) Transport {
			return dialHTTP(t, HTTPConfig{URL: serveHTTP(t, answerHTTP)}, r)
		}},
		"HTTP+SSE": {die: "die", lost: KindLost, stream: true, open: func(t *testing.T, r Receiver) Transport {
			return dialSSE(t, new(sseServer).start(t), r)
		}},
		"WebSocket": {die: "die", lost: KindLost, stream: true, open: func(t *testing.T, r Receiver) Transport {
			return dialWebSocket(t, WebSocketConfig{URL: serveWebSocket(t, answerWebSocket)}, r)
		}},
	}
}

// answerHTTP answers on an event stream.
func answerHTTP(w http.ResponseWriter, r *http.Request) {
	var text bytes.Buffer
	_, _ = text.ReadFrom(r.Body)
	if bytes.Contains(text.Bytes(), []byte(`"method":"die"`)) {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodGet || bytes.Contains(text.Bytes(), []byte(`"method":"nothing"`)) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return
	}
	lines := make(chan []byte, 10)
	answer(bytes.Replace(text.Bytes(), []byte(`"method":"later"`), []byte(`"method":"echo"`), 1), func(line []byte) { lines <- line })
	close(lines)
	for line := range lines {
		fmt.Fprintf(w, "data: %s\n\n", line)
	}
}

// TestContract holds every kind of transport to what [Transport] promises.
func TestContract(t *testing.T) {
	t.Parallel()
	cases := map[string]func(*testing.T, openWay){
		"64 callers":         contractManyCallers,
		"large":              contractLarge,
		"unasked":            contractUnasked,
		"error":              contractError,
		"cancelled":          contractCancelled,
		"context that ended": contractEnded,
		"notification":       contractNotification,
		"lost":               contractLost,
		"closed":             contractClosed,
		"params":             contractParams,
		"listen":             contractListen,
	}
	for kind, way := range openWays() {
		for name, run := range cases {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				run(t, way)
			})
		}
	}
}

func contractManyCallers(t *testing.T, way openWay) {
	tr := way.open(t, ignore)
	var id, sent atomic.Int64
	var callers sync.WaitGroup
	for range 64 {
		callers.Go(func() {
			for range 10 {
				n := id.Add(1)
				params := fmt.Sprintf(`{"n":%d,"pad":%q}`, n, strings.Repeat("p", int(n%500)))
				resp, err := tr.RoundTrip(short(t), &Request{
					ID: n, Method: "later", Params: []byte(params), OnSend: func() { sent.Add(1) },
				})
				if err != nil || string(resp.Result) != params {
					t.Errorf("call %d: %+v, %v", n, resp, err)
				}
			}
		})
	}
	callers.Wait()
	if sent.Load() != id.Load() {
		t.Errorf("OnSend was called %d times for %d requests", sent.Load(), id.Load())
	}
}

func contractLarge(t *testing.T, way openWay) {
	text := `"` + strings.Repeat("0123456789", 300_000) + `"`
	if got := call(t, way.open(t, ignore), 1, "echo", text); got != text {
		t.Errorf("got %d bytes, want %d", len(got), len(text))
	}
}

func contractUnasked(t *testing.T, way openWay) {
	type heard struct {
		method, id string
		call       int64
	}
	var mu sync.Mutex
	var all []heard
	tr := way.open(t, func(m jsonrpc.Message, call int64) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, heard{m.Method, string(m.ID), call})
	})
	params := rawParams(t, `{"jsonrpc":"2.0","method":"one"}`, `{"jsonrpc":"2.0","id":"x","method":"two"}`, `{"jsonrpc":"2.0","id":#,"result":3}`)
	if got := call(t, tr, 7, "raw", string(params)); got != "3" {
		t.Errorf("got %s", got)
	}
	of := int64(7)
	if way.stream {
		of = 0
	}
	mu.Lock()
	defer mu.Unlock()
	if want := []heard{{"one", "", of}, {"two", `"x"`, of}}; fmt.Sprint(all) != fmt.Sprint(want) {
		t.Errorf("heard %v, want %v", all, want)
	}
}

func contractError(t *testing.T, way openWay) {
	tr := way.open(t, ignore)
	params := rawParams(t, `{"jsonrpc":"2.0","id":#,"error":{"code":-32601,"message":"no"}}`)
	resp, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "raw", Params: params})
	if err != nil || resp.Error == nil || resp.Error.Code != -32601 || resp.Result != nil {
		t.Errorf("got %+v, %v", resp, err)
	}
}

func contractCancelled(t *testing.T, way openWay) {
	tr := way.open(t, ignore)
	gone, told := errors.New("gone"), make(chan error, 2)
	ctx, cancel := context.WithCancelCause(short(t))
	_, err := tr.RoundTrip(ctx, &Request{
		ID: 1, Method: "nothing", Params: []byte(`1`),
		OnSend: func() { cancel(gone) },
		OnCancel: func(ctx context.Context) {
			msg := []byte(`{"jsonrpc":"2.0","method":"notifications/cancelled"}`)
			told <- tr.Send(ctx, &Message{Body: msg, Method: "notifications/cancelled"})
		},
	})
	if err := <-told; err != nil || len(told) > 0 {
		t.Errorf("tell of it: %v, and %d times more", err, len(told))
	}
	if wantError(t, err, KindCanceled, Unknown); !errors.Is(err, gone) {
		t.Errorf("the cause is missing in %v", err)
	}
	ctx, cancel = context.WithCancelCause(short(t))
	_, err = tr.RoundTrip(ctx, &Request{ID: 3, Method: "nothing", Params: []byte(`1`), OnSend: func() { cancel(gone) }})
	if wantError(t, err, KindCanceled, Unknown); !errors.Is(err, gone) {
		t.Errorf("the cause is missing in %v, where nobody tells of it", err)
	}
	if got := call(t, tr, 2, "echo", `"after"`); got != `"after"` {
		t.Errorf("the next call got %s", got)
	}
}

func contractEnded(t *testing.T, way openWay) {
	tr := way.open(t, ignore)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tell := func(context.Context) { t.Error("told of what was not sent") }
	for id, onCancel := range []func(context.Context){nil, tell} {
		req := &Request{ID: int64(id + 1), Method: "echo", Params: []byte(`1`), OnSend: func() { t.Error("sent") }, OnCancel: onCancel}
		_, err := tr.RoundTrip(ctx, req)
		wantError(t, err, KindCanceled, NotSent)
	}
	wantError(t, tr.Send(ctx, &Message{Body: []byte(`{}`)}), KindCanceled, NotSent)
}

func contractNotification(t *testing.T, way openWay) {
	tr := way.open(t, ignore)
	for range 10 {
		msg := &Message{Body: []byte(`{"jsonrpc":"2.0","method":"notifications/x"}`), Method: "notifications/x"}
		if err := tr.Send(short(t), msg); err != nil {
			t.Error(err)
		}
	}
	if got := call(t, tr, 2, "echo", `1`); got != `1` {
		t.Errorf("the next call got %s", got)
	}
}

func contractLost(t *testing.T, way openWay) {
	tr := way.open(t, ignore)
	_, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: way.die})
	wantError(t, err, way.lost, Unknown)
	if !way.stream {
		return // the session does not end with a connection
	}
	if err := goneWithin(t, tr); asError(t, err).Kind != way.lost {
		t.Errorf("ended with %v", err)
	}
	_, err = tr.RoundTrip(short(t), &Request{ID: 2, Method: "echo", OnSend: func() { t.Error("sent") }})
	wantError(t, err, way.lost, NotSent)
	wantError(t, tr.Send(short(t), &Message{Body: []byte(`{}`)}), way.lost, NotSent)
}

func contractClosed(t *testing.T, way openWay) {
	tr := way.open(t, ignore)
	sent := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		_, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "nothing", Params: []byte(`1`), OnSend: func() { close(sent) }})
		ended <- err
	}()
	<-sent
	for range 2 {
		closeTransport(t, tr)
	}
	wantError(t, <-ended, KindClosed, Unknown)
	if err := goneWithin(t, tr); err != nil {
		t.Errorf("ended with %v", err)
	}
	_, err := tr.RoundTrip(short(t), &Request{ID: 2, Method: "echo"})
	wantError(t, err, KindClosed, NotSent)
	wantError(t, tr.Send(short(t), &Message{Body: []byte(`{}`)}), KindClosed, NotSent)
}

// contractParams has callers write over their params as soon as a call is over,
// also one that ends with the transport. The race detector says who reads on.
func contractParams(t *testing.T, way openWay) {
	tr := way.open(t, ignore)
	var ids atomic.Int64
	const many = 64
	over := make(chan struct{}, many)
	var callers sync.WaitGroup
	for range many {
		callers.Go(func() {
			params := []byte(`"0"`)
			for err := error(nil); err == nil; params[1] ^= 1 {
				_, err = tr.RoundTrip(short(t), &Request{ID: ids.Add(1), Method: "echo", Params: params})
				select {
				case over <- struct{}{}:
				default:
				}
			}
		})
	}
	for range many {
		<-over
	}
	closeTransport(t, tr)
	callers.Wait()
}

// contractListen has a call made while somebody listens, and then the transport
// closed.
func contractListen(t *testing.T, way openWay) {
	tr := way.open(t, ignore)
	if _, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "echo", Params: []byte(`{}`), Envelope: Envelope{Handshake: true}}); err != nil {
		t.Fatal(err)
	}
	left := errors.New("left")
	ctx, cancel := context.WithCancelCause(short(t))
	err := tr.Listen(ctx, func(resumed bool) {
		if resumed {
			t.Error("resumed at first")
		}
		if got := call(t, tr, 2, "echo", `1`); got != `1` {
			t.Errorf("the call got %s", got)
		}
		cancel(left)
	})
	if wantError(t, err, KindCanceled, NotSent); !errors.Is(err, left) {
		t.Errorf("the cause is missing in %v", err)
	}
	opened, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- tr.Listen(short(t), func(bool) { close(opened) }) }()
	<-opened
	closeTransport(t, tr)
	wantError(t, <-ended, KindClosed, NotSent)
	wantError(t, tr.Listen(short(t), func(bool) { t.Error("opened") }), KindClosed, NotSent)
}
