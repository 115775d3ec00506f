package transport

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

// A inbox is a Receiver that keeps what it gets.
type inbox struct {
	mu  sync.Mutex
	got []string
}

func (b *inbox) receive(m jsonrpc.Message, call int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, fmt.Sprintf("%d %s %s%s", call, m.Method, m.ID, m.Params))
}

func (b *inbox) all() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.got)
}

// An answerCase is a reply to the request with id 7.
type answerCase struct {
	kind, body string
	result     string // "" if it is an error
	rpc        int64  // the code of a JSON-RPC error
	fails      Kind   // if neither
	received   []string
}

func answerCases() map[string]answerCase {
	const js, sse = "application/json", "text/event-stream"
	return map[string]answerCase{
		"JSON":                   {kind: js, body: `{"jsonrpc":"2.0","id":7,"result":{"a":1.0}}`, result: `{"a":1.0}`},
		"JSON with parameters":   {kind: "Application/JSON ; charset=utf-8", body: `{"id":7,"result":1}`, result: `1`},
		"members in any order":   {kind: js, body: ` {"result":{"n":9007199254740993},"id":7,"jsonrpc":"2.0"} `, result: `{"n":9007199254740993}`},
		"string id":              {kind: js, body: `{"id":"7","result":1}`, result: `1`},
		"fractional id":          {kind: js, body: `{"id":7.0,"result":1}`, result: `1`},
		"null result":            {kind: js, body: `{"id":7,"result":null}`, result: `null`},
		"error":                  {kind: js, body: `{"id":7,"error":{"code":-32602,"message":"no"}}`, rpc: -32602},
		"error and result":       {kind: js, body: `{"id":7,"result":1,"error":{"code":-1,"message":"no"}}`, rpc: -1},
		"error without id":       {kind: js, body: `{"id":null,"error":{"code":-32700,"message":"no"}}`, rpc: -32700},
		"result without id":      {kind: js, body: `{"result":1}`, fails: KindProtocol},
		"wrong id":               {kind: js, body: `{"id":8,"result":1}`, fails: KindProtocol},
		"text id":                {kind: js, body: `{"id":"x","result":1}`, fails: KindProtocol},
		"id of a Send":           {kind: js, body: `{"id":-1,"result":1}`, fails: KindProtocol},
		"batch":                  {kind: js, body: `[{"method":"n","params":{}},{"id":7,"result":1},{"x":1}]`, result: `1`, received: []string{"7 n {}"}},
		"batch without it":       {kind: js, body: `[{"id":8,"result":1}]`, fails: KindProtocol},
		"request as reply":       {kind: js, body: `{"id":1,"method":"roots/list"}`, fails: KindProtocol, received: []string{"7 roots/list 1"}},
		"no JSON":                {kind: js, body: `oops`, fails: KindProtocol},
		"no message":             {kind: js, body: `{}`, fails: KindProtocol},
		"no UTF-8":               {kind: js, body: "{\"id\":7,\"result\":\"\xff\"}", fails: KindProtocol},
		"empty":                  {kind: js, fails: KindProtocol},
		"two values":             {kind: js, body: `{"id":7,"result":1}{}`, fails: KindProtocol},
		"too deep":               {kind: js, body: `{"id":7,"result":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`, fails: KindLimit},
		"HTML":                   {kind: "text/html", body: `{"id":7,"result":1}`, fails: KindProtocol},
		"almost JSON":            {kind: "application/jsonl", body: `{"id":7,"result":1}`, fails: KindProtocol},
		"stream":                 {kind: sse, body: "event: message\ndata: {\"id\":7,\"result\":1}\n\n", result: `1`},
		"stream in UTF-8":        {kind: "text/event-stream; charset=utf-8", body: "data: {\"id\":7,\ndata: \"result\":1}\n\n", result: `1`},
		"stream with others":     {kind: sse, body: ": ok\n\nid: 1\ndata: \n\ndata: {\"method\":\"n\",\"params\":{\"progress\":1}}\n\nevent: other\ndata: x\n\ndata: {\"id\":\"s\",\"method\":\"ping\"}\n\ndata: {\"id\":7,\"result\":1}\n\n", result: `1`, received: []string{`7 n {"progress":1}`, `7 ping "s"`}},
		"stream after it":        {kind: sse, body: "data: {\"id\":7,\"result\":1}\n\ndata: {\"method\":\"late\"}\n\n", result: `1`, received: []string{"7 late "}},
		"stream with batch":      {kind: sse, body: "data: [{\"method\":\"n\"},{\"id\":7,\"result\":1}]\n\n", result: `1`, received: []string{"7 n "}},
		"stream with error":      {kind: sse, body: "data: {\"error\":{\"code\":5,\"message\":\"\"}}\n\n", rpc: 5},
		"foreign response":       {kind: sse, body: "data: {\"id\":8,\"result\":2}\n\ndata: {\"id\":7,\"result\":1}\n\n", result: `1`},
		"twice":                  {kind: sse, body: "data: {\"id\":7,\"result\":1}\n\ndata: {\"id\":7,\"result\":2}\n\n", result: `1`},
		"bad notification":       {kind: sse, body: "data: {\"method\":\"n\",\"params\":\"\xff\"}\n\ndata: {\"id\":7,\"result\":1}\n\n", result: `1`},
		"noise":                  {kind: sse, body: "data: hello\n\ndata: {\"id\":7,\"result\":1}\n\n", result: `1`},
		"bad response":           {kind: sse, body: "data: {\"id\":7,\"result\":\"\xff\"}\n\n", fails: KindProtocol},
		"stream too deep":        {kind: sse, body: "data: {\"id\":7,\"result\":" + strings.Repeat("[", 70) + strings.Repeat("]", 70) + "}\n\n", fails: KindLimit},
		"only noise":             {kind: sse, body: "data: hello\n\n", fails: KindProtocol},
		"stream without it":      {kind: sse, body: "data: {\"method\":\"n\"}\n\n", fails: KindLost, received: []string{"7 n "}},
		"stream cut in it":       {kind: sse, body: "data: {\"id\":7,\"result\":1}\n", fails: KindLost},
		"empty stream":           {kind: sse, fails: KindLost},
		"response to an earlier": {kind: sse, body: "data: {\"id\":6,\"result\":1}\n\n", fails: KindProtocol},
	}
}

func TestHTTPAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range answerCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var box inbox
			url := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.kind)
				_, _ = io.WriteString(w, tt.body)
			})
			checkAnswer(t, dialHTTP(t, HTTPConfig{URL: url}, box.receive), tt)
			if got := box.all(); !slices.Equal(got, tt.received) {
				t.Errorf("received %q, want %q", got, tt.received)
			}
		})
	}
}

// TestHTTPAnswersInPieces sends every reply byte by byte.
func TestHTTPAnswersInPieces(t *testing.T) {
	t.Parallel()
	for name, tt := range answerCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var box inbox
			url := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.kind)
				for i := range len(tt.body) {
					_, _ = w.Write([]byte{tt.body[i]})
					w.(http.Flusher).Flush()
				}
			})
			checkAnswer(t, dialHTTP(t, HTTPConfig{URL: url}, box.receive), tt)
			if got := box.all(); !slices.Equal(got, tt.received) {
				t.Errorf("received %q, want %q", got, tt.received)
			}
		})
	}
}

func checkAnswer(t *testing.T, tr *httpTransport, tt answerCase) {
	t.Helper()
	resp, err := tr.RoundTrip(short(t), &Request{ID: 7, Method: "m", Envelope: legacy()})
	switch {
	case tt.result != "":
		if err != nil || resp.Error != nil || string(resp.Result) != tt.result || resp.Status != http.StatusOK {
			t.Errorf("got %+v, %v", resp, err)
		}
	case tt.rpc != 0:
		if err != nil || resp.Error == nil || resp.Error.Code != tt.rpc || resp.Result != nil {
			t.Errorf("got %+v, %v", resp, err)
		}
	default:
		wantError(t, err, tt.fails, Unknown)
	}
}

func TestHTTPAnswersOtherwise(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		reply func(w http.ResponseWriter)
		kind  Kind
		says  string
	}{
		"202":            {func(w http.ResponseWriter) { w.WriteHeader(http.StatusAccepted) }, KindProtocol, `content type ""`},
		"204":            {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }, KindProtocol, `content type ""`},
		"names the type": {func(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/html") }, KindProtocol, `"text/html"`},
		"compressed, unasked": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
		}, KindProtocol, `"gzip"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) { tt.reply(w) })
			_, err := dialHTTP(t, HTTPConfig{URL: url}, ignore).RoundTrip(short(t), &Request{ID: 7, Method: "m"})
			wantError(t, err, tt.kind, Unknown)
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v does not say %s", err, tt.says)
			}
		})
	}
}

// TestHTTPRoutesResponses has the response to one call come on the stream of
// another, while its own stream stays open.
func TestHTTPRoutesResponses(t *testing.T) {
	t.Parallel()
	waiting := make(chan struct{})
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		id := callID(t, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		if id == 2 {
			close(waiting)
			<-r.Context().Done()
			return
		}
		select {
		case <-waiting:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "data: {\"id\":2,\"result\":\"two\"}\n\ndata: {\"id\":1,\"result\":\"one\"}\n\n")
	})
	tr := dialHTTP(t, HTTPConfig{URL: url}, ignore)
	var calls sync.WaitGroup
	for id, want := range map[int64]string{1: `"one"`, 2: `"two"`} {
		calls.Go(func() {
			ctx := short(t)
			resp, err := tr.RoundTrip(ctx, &Request{ID: id, Method: "m"})
			if err != nil || string(resp.Result) != want || ctx.Err() != nil {
				t.Errorf("call %d: %v, %v, %v", id, resp, err, ctx.Err())
			}
		})
	}
	calls.Wait()
}

// TestHTTPBadResponseEndsTheCall at once, even if the stream stays open.
func TestHTTPBadResponseEndsTheCall(t *testing.T) {
	t.Parallel()
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		id := callID(t, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"id\":%d,\"result\":\"\xff\"}\n\n", id)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	_, err := dialHTTP(t, HTTPConfig{URL: url}, ignore).RoundTrip(short(t), &Request{ID: 1, Method: "m"})
	wantError(t, err, KindProtocol, Unknown)
}

// TestHTTPSendHasNoResponse: what passes for the response to a notification, by
// the number that we know it by, is none.
func TestHTTPSendHasNoResponse(t *testing.T) {
	t.Parallel()
	arrived, answered := make(chan struct{}), make(chan struct{})
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if callID(t, r.Body) == 0 {
			close(arrived)
			<-answered
			w.WriteHeader(http.StatusAccepted)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: {\"id\":-1,\"result\":1}\n\ndata: {\"id\":1,\"result\":1}\n\n")
	})
	tr := dialHTTP(t, HTTPConfig{URL: url}, ignore)
	var send sync.WaitGroup
	send.Go(func() {
		if err := tr.Send(short(t), &Message{Body: []byte(`{"method":"n"}`)}); err != nil {
			t.Error(err)
		}
	})
	<-arrived
	if _, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "m"}); err != nil {
		t.Error(err)
	}
	close(answered)
	send.Wait()
}

// TestHTTPStreamIsReused counts connections: a stream that ends right after its
// response must not cost one.
func TestHTTPStreamIsReused(t *testing.T) {
	t.Parallel()
	var conns sync.Map
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		conns.Store(r.RemoteAddr, true)
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"id\":%d,\"result\":1}\n\n", callID(t, r.Body))
		_ = http.NewResponseController(w).Flush()
	})
	tr := dialHTTP(t, HTTPConfig{URL: url}, ignore)
	const calls = 100
	for i := range calls {
		if _, err := tr.RoundTrip(short(t), &Request{ID: int64(i + 1), Method: "m"}); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	conns.Range(func(any, any) bool { n++; return true })
	if n > calls/2 {
		t.Errorf("%d connections for %d calls", n, calls)
	}
}

// TestHTTPStreamThatStaysOpen must not hold up its caller.
func TestHTTPStreamThatStaysOpen(t *testing.T) {
	t.Parallel()
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"id\":%d,\"result\":1}\n\n", callID(t, r.Body))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	tr := dialHTTP(t, HTTPConfig{URL: url}, ignore)
	const calls = 50
	start := time.Now()
	for i := range calls {
		if _, err := tr.RoundTrip(short(t), &Request{ID: int64(i + 1), Method: "m"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := tr.tails.lingering.Load(); n < tailTries {
		t.Errorf("lingering is %d after %d such streams", n, calls)
	}
	t.Logf("%v per call", time.Since(start)/calls)
}

func TestHTTPLimits(t *testing.T) {
	t.Parallel()
	const message, call = 10_000, 100_000
	endless := func(w io.Writer, head, text string) {
		_, err := io.WriteString(w, head)
		for err == nil {
			_, err = io.WriteString(w, text)
		}
	}
	kilo := strings.Repeat("x", 1000)
	tests := map[string]func(w http.ResponseWriter){
		"endless JSON": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			endless(w, `{"id":1,"result":"`, kilo)
		},
		"announced JSON": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "10737418240")
		},
		"endless line":          func(w http.ResponseWriter) { endless(w, "data: ", kilo) },
		"endless event":         func(w http.ResponseWriter) { endless(w, "", "data: "+kilo+"\n") },
		"endless comments":      func(w http.ResponseWriter) { endless(w, "", ": "+kilo+"\n") },
		"endless notifications": func(w http.ResponseWriter) { endless(w, "", "data: {\"method\":\"n\"}\n\n") },
		"endless headers":       func(w http.ResponseWriter) { w.Header().Set("X-Long", strings.Repeat(kilo, 100)) },
	}
	for name, reply := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				reply(w)
			})
			tr := dialHTTP(t, HTTPConfig{URL: url, Limits: Limits{MessageBytes: message, CallBytes: call}}, ignore)
			_, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "m"})
			wantError(t, err, KindLimit, Unknown)
			select {
			case <-tr.Done():
				t.Error("the transport has ended")
			default:
			}
		})
	}
}

// TestHTTPEndless: a request that stays open may bring any number of messages,
// but none that is too large, and its end is not waited for.
func TestHTTPEndless(t *testing.T) {
	t.Parallel()
	const message, call = 1000, 10_000
	note := "data: {\"method\":\"n\",\"params\":{\"pad\":\"" + strings.Repeat("x", message/2) + "\"}}\n\n"
	tests := map[string]struct {
		text string
		fail bool
	}{
		"much":     {text: strings.Repeat(note, 100) + "data: {\"id\":1,\"result\":{}}\n\n"},
		"too long": {text: note + "data: " + strings.Repeat("x", 2*message) + "\n\n", fail: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var box inbox
			url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, tt.text)
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			})
			tr := dialHTTP(t, HTTPConfig{URL: url, Limits: Limits{MessageBytes: message, CallBytes: call}}, box.receive)
			resp, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "subscriptions/listen", Envelope: modern(), Endless: true})
			if tt.fail {
				wantError(t, err, KindLimit, Unknown)
				return
			}
			if err != nil || string(resp.Result) != "{}" || len(box.all()) != 100 {
				t.Errorf("got %+v, %v after %d messages", resp, err, len(box.all()))
			}
			if n := tr.tails.lingering.Load(); n != 0 {
				t.Errorf("waited for the end of %d streams", n)
			}
		})
	}
}

// TestHTTPEndlessRefusal: of a refusal only the start is read.
func TestHTTPEndlessRefusal(t *testing.T) {
	t.Parallel()
	url := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		for err := error(nil); err == nil; {
			_, err = io.WriteString(w, strings.Repeat("no ", 1000))
		}
	})
	_, err := dialHTTP(t, HTTPConfig{URL: url}, ignore).RoundTrip(short(t), &Request{ID: 1, Method: "m"})
	wantError(t, err, KindStatus, Answered)
	if e, _ := errors.AsType[*Error](err); len(e.Detail) != shownBytes || e.Status != http.StatusBadRequest {
		t.Errorf("status %d, %d bytes of detail", e.Status, len(e.Detail))
	}
}
