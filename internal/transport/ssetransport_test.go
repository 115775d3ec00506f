package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestSSEPeer(t *testing.T) {
	t.Parallel()
	want := Peer{"sse", "tcp", "http", "example.com", 443, true}
	if got := newTestSSE(t, SSEConfig{URL: "https://example.com/sse"}).Peer(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, err := NewSSE(SSEConfig{URL: "ws://secret"}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func TestSSEOpen(t *testing.T) {
	t.Parallel()
	stream := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			_, _ = io.WriteString(w, text)
		}
	}
	silent := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, ": welcome\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	status := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Add(header[i], header[i+1])
			}
			w.WriteHeader(code)
			_, _ = io.WriteString(w, "because")
		}
	}
	const endpoint = "event: endpoint\ndata: /m\n\n"
	tests := map[string]struct {
		serve http.HandlerFunc
		ok    bool
		kind  Kind
		want  Error
	}{
		"endpoint":           {serve: stream(endpoint), ok: true},
		"comments before":    {serve: stream(": hello\n\n:\n\n" + endpoint), ok: true},
		"unknown before":     {serve: stream("event: hello\ndata: x\n\n" + endpoint), ok: true},
		"empty one before":   {serve: stream("event: endpoint\ndata:\n\n" + endpoint), ok: true},
		"message before":     {serve: stream("data: {}\n\n" + endpoint), kind: KindProtocol},
		"no endpoint":        {serve: stream(": bye\n\n"), kind: KindProtocol},
		"silent":             {serve: silent, kind: KindProtocol},
		"no reply":           {serve: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, kind: KindUnreachable},
		"hangs up":           {serve: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, kind: KindUnreachable},
		"endless event":      {serve: stream("event: endpoint\ndata: " + strings.Repeat("x", 5000)), kind: KindLimit},
		"web page":           {serve: status(200, "Content-Type", "text/html"), kind: KindProtocol, want: Error{Status: 200}},
		"compressed":         {serve: status(200, "Content-Type", "text/event-stream", "Content-Encoding", "gzip"), kind: KindProtocol, want: Error{Status: 200}},
		"301":                {serve: status(301, "Location", "http://127.0.0.1:1/"), kind: KindRedirect, want: Error{Status: 301}},
		"401":                {serve: status(401, "WWW-Authenticate", "Bearer"), kind: KindStatus, want: Error{Status: 401, Challenge: []string{"Bearer"}, Detail: "because"}},
		"404":                {serve: status(404), kind: KindStatus, want: Error{Status: 404, Detail: "because"}},
		"405":                {serve: status(405), kind: KindStatus, want: Error{Status: 405, Detail: "because"}},
		"429":                {serve: status(429, "Retry-After", "3"), kind: KindStatus, want: Error{Status: 429, RetryAfter: 3 * time.Second, Detail: "because"}},
		"500":                {serve: status(500), kind: KindStatus, want: Error{Status: 500, Detail: "because"}},
		"something not HTTP": {serve: func(w http.ResponseWriter, _ *http.Request) { speak(w, "SSH-2.0-OpenSSH_9.6\r\n") }, kind: KindProtocol},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || r.Header.Get("Accept") != "text/event-stream" || r.Header.Get("Content-Type") != "" {
					t.Errorf("%s with %v", r.Method, r.Header)
				}
				tt.serve(w, r)
			})
			d := newTestSSE(t, SSEConfig{URL: url, EndpointTimeout: 200 * time.Millisecond, Limits: Limits{MessageBytes: 4096}})
			tr, err := d.Dial(short(t), ignore)
			if tt.ok {
				if err != nil {
					t.Fatal(err)
				}
				closeTransport(t, tr)
				return
			}
			wantError(t, err, tt.kind, NotSent)
			e := asError(t, err)
			if e.Status != tt.want.Status || fmt.Sprint(e.Challenge) != fmt.Sprint(tt.want.Challenge) || e.RetryAfter != tt.want.RetryAfter || e.Detail != tt.want.Detail {
				t.Errorf("got %+v, want %+v", e, tt.want)
			}
			if strings.HasPrefix(name, "silent") && !errors.Is(err, errNoEndpoint) {
				t.Errorf("the reason is missing in %v", err)
			}
		})
	}
	t.Run("forbidden address", func(t *testing.T) {
		t.Parallel()
		pool := newPool(t, &Guard{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}}, nil)
		_, err := newTestSSE(t, SSEConfig{URL: "http://127.0.0.1:1/sse", Client: pool}).Dial(short(t), ignore)
		wantError(t, err, KindForbidden, NotSent)
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("gone")
		url := serveHTTP(t, func(_ http.ResponseWriter, r *http.Request) {
			cancel(gone)
			<-r.Context().Done()
		})
		_, err := newTestSSE(t, SSEConfig{URL: url}).Dial(ctx, ignore)
		if wantError(t, err, KindCanceled, NotSent); !errors.Is(err, gone) {
			t.Errorf("the cause is missing in %v", err)
		}
	})
}

// A POST that is refused fails its own call, and no other.
func TestSSERefusedPOST(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status   int
		body     string
		header   []string
		kind     Kind
		delivery Delivery
		code     int64
	}{
		"400":                     {status: 400, body: "no", kind: KindStatus, delivery: Answered},
		"401":                     {status: 401, header: []string{"WWW-Authenticate", "Bearer"}, kind: KindStatus, delivery: Answered},
		"404":                     {status: 404, body: "session not found", kind: KindStatus, delivery: Answered},
		"413":                     {status: 413, kind: KindStatus, delivery: Answered},
		"429":                     {status: 429, header: []string{"Retry-After", "9"}, kind: KindStatus, delivery: Answered},
		"500":                     {status: 500, kind: KindStatus, delivery: Unknown},
		"503":                     {status: 503, kind: KindStatus, delivery: Unknown},
		"302":                     {status: 302, kind: KindRedirect, delivery: Answered},
		"400 with JSON-RPC error": {status: 400, body: `{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"m"}}`, code: -32602},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &sseServer{onPost: func(w http.ResponseWriter, _ *http.Request, text []byte) bool {
				if !bytes.Contains(text, []byte(`"method":"refuse"`)) {
					return false
				}
				for i := 0; i < len(tt.header); i += 2 {
					w.Header().Set(tt.header[i], tt.header[i+1])
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
				return true
			}}
			tr := dialSSE(t, s.start(t), ignore)
			resp, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "refuse"})
			if tt.code != 0 {
				if err != nil || resp.Error == nil || resp.Error.Code != tt.code || resp.Status != tt.status {
					t.Errorf("got %+v, %v", resp, err)
				}
			} else {
				wantError(t, err, tt.kind, tt.delivery)
				if e := asError(t, err); e.Status != tt.status || (tt.status == 401) != (e.Challenge != nil) || (tt.status == 429) != (e.RetryAfter == 9*time.Second) {
					t.Errorf("got %+v", e)
				}
				if err := tr.Send(short(t), &Message{Body: []byte(`{"method":"refuse"}`)}); asError(t, err).Status != tt.status {
					t.Errorf("notification: %v", err)
				}
			}
			if got := call(t, tr, 2, "echo", `"next"`); got != `"next"` {
				t.Errorf("the next call got %s", got)
			}
		})
	}
}

// What counts is what comes on the stream, whatever becomes of the POST after
// it has been taken.
func TestSSEPostWithoutReply(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := new(sseServer)
	s.onPost = func(_ http.ResponseWriter, r *http.Request, text []byte) bool {
		answer(text, func(line []byte) { s.write("data: " + string(line) + "\n\n") })
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return false // and the answer comes again
	}
	tr := dialSSE(t, s.start(t), ignore)
	for id := range int64(10) {
		if got := call(t, tr, id+1, "echo", `1`); got != `1` {
			t.Errorf("got %s", got)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := tr.RoundTrip(ctx, &Request{ID: 100, Method: "nothing", OnSend: cancel})
	wantError(t, err, KindCanceled, Unknown)
	close(release)
}

// Closing does not wait for the replies to POSTs.
func TestSSECloseWithPOSTs(t *testing.T) {
	t.Parallel()
	s := &sseServer{onPost: func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
		<-r.Context().Done()
		return true
	}}
	tr := dialSSE(t, s.start(t), ignore)
	sent, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "x", OnSend: func() { close(sent) }})
		ended <- err
	}()
	<-sent
	closeTransport(t, tr)
	wantError(t, <-ended, KindClosed, Unknown)
}

// The end of the stream is the end of the session.
func TestSSEStreamEnds(t *testing.T) {
	t.Parallel()
	s := new(sseServer)
	tr := dialSSE(t, s.start(t), ignore)
	const calls = 8
	ended := make(chan error, calls)
	for id := range int64(calls) {
		sent := make(chan struct{})
		go func() {
			_, err := tr.RoundTrip(short(t), &Request{ID: id + 1, Method: "nothing", OnSend: func() { close(sent) }})
			ended <- err
		}()
		<-sent
	}
	s.hangUp()
	for range calls {
		wantError(t, <-ended, KindLost, Unknown)
	}
	wantError(t, goneWithin(t, tr), KindLost, NotSent)
}

// A POST that cannot even be connected was not sent.
func TestSSENotSent(t *testing.T) {
	t.Parallel()
	pool := newPool(t, nil, nil)
	d := newTestSSE(t, SSEConfig{URL: new(sseServer).start(t), Client: getOnly{pool}})
	tr := dialFor(t, d, ignore)
	_, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "echo", OnSend: func() { t.Error("sent") }})
	wantError(t, err, KindUnreachable, NotSent)
}

// A getOnly has no connection for POSTs.
type getOnly struct{ http.RoundTripper }

func (g getOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		return nil, errTest
	}
	return g.RoundTripper.RoundTrip(r)
}

// Whatever a server sends, the next call succeeds, unless the stream is lost.
func TestSSETraps(t *testing.T) {
	t.Parallel()
	const ok = "event: message\ndata: {\"id\":#,\"result\":1}\n\n"
	long := strings.Repeat("x", 5000)
	tests := map[string]struct {
		text   string
		result string
		kind   Kind
		lost   bool
		noise  int
	}{
		"plain":              {text: ok, result: "1"},
		"without event type": {text: "data: {\"id\":#,\"result\":1}\n\n", result: "1"},
		"comments":           {text: ": ping\n\n" + ok, result: "1"},
		"empty data":         {text: "data:\n\nevent: message\ndata: \n\n" + ok, result: "1"},
		"other events":       {text: "event: ping\ndata: {\"id\":#,\"result\":2}\n\n" + ok, result: "1"},
		"CRLF, id, retry":    {text: "id: 7\r\nretry: 1\r\n" + strings.ReplaceAll(ok, "\n", "\r\n"), result: "1"},
		"batch":              {text: "data: [{\"id\":998,\"result\":2},\ndata: {\"id\":#,\"result\":1}]\n\n", result: "1"},
		"noise":              {text: "data: hello\n\ndata: {}\n\n" + ok, result: "1", noise: 2},
		"broken answer":      {text: "data: {\"id\":#,\"result\":}\n\n", kind: KindProtocol},
		"too long":           {text: "data: {\"id\":#,\"result\":\"" + long + "\"}\n\n", kind: KindLimit, lost: true},
		"endless":            {text: "data: " + long, kind: KindLimit, lost: true},
		"more than noise":    {text: strings.Repeat("data: INFO\n\n", 4), kind: KindProtocol, lost: true, noise: 4},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := new(sseServer)
			s.onPost = func(_ http.ResponseWriter, _ *http.Request, text []byte) bool {
				if bytes.Contains(text, []byte(`"method":"trap"`)) {
					s.write(strings.ReplaceAll(tt.text, "#", "1"))
					return true
				}
				return false
			}
			d := newTestSSE(t, SSEConfig{URL: s.start(t), Limits: Limits{MessageBytes: 4096}, NoisePerMinute: 3})
			tr := dialFor(t, d, ignore).(*sseConn)
			resp, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "trap"})
			if tt.result == "" {
				wantError(t, err, tt.kind, Unknown)
			} else if err != nil || string(resp.Result) != tt.result {
				t.Errorf("got %+v, %v; want %s", resp, err, tt.result)
			}
			if tt.lost {
				wantError(t, goneWithin(t, tr), tt.kind, NotSent)
			} else if got := call(t, tr, 2, "echo", `"next"`); got != `"next"` {
				t.Errorf("the next call got %s", got)
			}
			closeTransport(t, tr)
			if tr.noise.total != tt.noise {
				t.Errorf("%d messages of noise, want %d", tr.noise.total, tt.noise)
			}
		})
	}
}

// The other way to a server is at the same URL, with the same headers, and what
// is wrong with the configuration is said once.
func TestHTTPWithFallback(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	header := secretHeader()
	header.Set("Mcp-Name", "x")
	d, err := NewHTTPWithFallback(HTTPConfig{
		URL: new(sseServer).start(t), Header: header, Client: newPool(t, nil, nil), Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "configured header is not sent"); n != 1 {
		t.Errorf("warned %d times: %s", n, &log)
	}
	if got := d.Peer().Transport + " " + d.Fallback().Peer().Transport; got != "http sse" {
		t.Errorf("the two ways are %s", got)
	}
	if got := call(t, dialFor(t, d.Fallback(), ignore), 1, "echo", "1"); got != "1" {
		t.Errorf("got %s", got)
	}
	if _, err := NewHTTPWithFallback(HTTPConfig{URL: "ws://x"}); err == nil {
		t.Error("a wrong URL was accepted")
	}
}
