package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newRequest returns a POST of body.
func newRequest(ctx context.Context, t testing.TB, url, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	return req
}

// echo is a server that answers with what it is sent, and counts connections.
func echo(t testing.TB) (url string, connections *atomic.Int32) {
	t.Helper()
	connections = new(atomic.Int32)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		switch r.URL.Path {
		case "/chunked":
			for part := range bytes.Lines(body) {
				_, _ = w.Write(part)
				w.(http.Flusher).Flush()
			}
		case "/close":
			w.Header().Set("Connection", "close")
			_, _ = w.Write(body)
		case "/none":
			w.WriteHeader(http.StatusNoContent)
		default:
			_, _ = w.Write(body)
		}
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s.URL, connections
}

func TestExchanges(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		path, body  string
		want        string
		connections int32 // of three requests
	}{
		"known length":     {"/", "hello", "hello", 1},
		"empty body":       {"/", "", "", 1},
		"no content":       {"/none", "hello", "", 1},
		"chunks":           {"/chunked", "one\ntwo\nthree\n", "one\ntwo\nthree\n", 1},
		"large":            {"/", strings.Repeat("x", MaxBody), strings.Repeat("x", MaxBody), 1},
		"connection close": {"/close", "hello", "hello", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, connections := echo(t)
			var tr Transport
			defer tr.CloseIdleConnections()
			for range 3 {
				resp, err := tr.RoundTrip(newRequest(t.Context(), t, url+test.path, test.body))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				if err != nil || string(got) != test.want {
					t.Fatalf("got %.40q, %v, want %.40q", got, err, test.want)
				}
				if err := resp.Body.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if n := connections.Load(); n != test.connections {
				t.Errorf("%d connections, want %d", n, test.connections)
			}
		})
	}
}

// TestStream: the answer to a GET is read through less memory, which the next
// request on the connection has again.
func TestStream(t *testing.T) {
	t.Parallel()
	text, looked := strings.Repeat("event\n", bufferBytes), make(chan struct{}, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-looked
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(s.Close)
	var tr Transport
	defer tr.CloseIdleConnections()
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodPost} {
		req := newRequest(t.Context(), t, s.URL, "hello")
		if method == http.MethodGet {
			req.Method, req.Body, req.ContentLength = method, http.NoBody, 0
		}
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		c := resp.Body.(*body).c
		if slim := c.r.Size() < bufferBytes; slim != (method == http.MethodGet) {
			t.Errorf("%s: a buffer of %d bytes", method, c.r.Size())
		}
		looked <- struct{}{}
		got, err := io.ReadAll(resp.Body)
		if err != nil || string(got) != text {
			t.Errorf("%s: %d bytes, %v, want %d", method, len(got), err, len(text))
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestConcurrent checks that no answer reaches another request's caller, also
// when bodies are closed late and calls are given up in between.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	url, _ := echo(t)
	var tr Transport
	defer tr.CloseIdleConnections()
	var wg sync.WaitGroup
	for caller := range 16 {
		wg.Go(func() {
			for n := range 200 {
				ctx, cancel := context.WithCancel(t.Context())
				if n%7 == 0 {
					time.AfterFunc(50*time.Microsecond, cancel)
				}
				want := fmt.Sprintf("%d/%d", caller, n)
				resp, err := tr.RoundTrip(newRequest(ctx, t, url, want))
				if err == nil {
					got, err := io.ReadAll(resp.Body)
					if err == nil && string(got) != want {
						t.Errorf("got %q, want %q", got, want)
					}
					_ = resp.Body.Close()
					_ = resp.Body.Close()
				}
				cancel()
			}
		})
	}
	wg.Wait()
}

// scripted is a server that reads a request and then writes what it is told to,
// on each connection; after that it runs then.
func scripted(t testing.TB, reply string, then func(net.Conn)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				req, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, req.Body)
				_, _ = io.WriteString(c, reply)
				if then != nil {
					then(c)
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return "http://" + l.Addr().String()
}

func TestResponses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		reply  string
		status int
		body   string
		err    error
	}{
		"until the end":        {"HTTP/1.0 200 OK\r\n\r\nhello", 200, "hello", nil},
		"line feeds only":      {"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", 200, "hi", nil},
		"interim responses":    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx", 201, "x", nil},
		"trailers":             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-A: b\r\n\r\n", 200, "hi", nil},
		"same length twice":    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", nil},
		"short":                {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", 200, "", io.ErrUnexpectedEOF},
		"short chunk":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhi", 200, "", io.ErrUnexpectedEOF},
		"lengths differ":       {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi", 0, "", ErrMalformed},
		"negative length":      {"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nhi", 0, "", ErrMalformed},
		"other encoding":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 0, "", ErrMalformed},
		"folded line":          {"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\n\r\n", 0, "", ErrMalformed},
		"space before colon":   {"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi", 0, "", ErrMalformed},
		"not HTTP":             {"SSH-2.0-OpenSSH_9.2\r\n", 0, "", ErrMalformed},
		"HTTP/2 preface":       {"\x00\x00\x12\x04\x00\x00\x00\x00\x00\n", 0, "", ErrMalformed},
		"switching protocols":  {"HTTP/1.1 101 Switching Protocols\r\n\r\n", 0, "", ErrMalformed},
		"interim without end":  {strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 9), 0, "", ErrMalformed},
		"head too long":        {"HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: "+strings.Repeat("b", 1000)+"\r\n", 70) + "\r\n", 0, "", ErrHeaderTooLong},
		"line too long":        {"HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("b", 70_000) + "\r\n\r\n", 0, "", ErrHeaderTooLong},
		"long line":            {"HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("b", 20_000) + "\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", nil},
		"nothing":              {"", 0, "", io.ErrUnexpectedEOF},
		"end within the head":  {"HTTP/1.1 200 OK\r\nContent-Le", 0, "", io.ErrUnexpectedEOF},
		"value with line feed": {"HTTP/1.1 200 OK\r\nX-A: a\x00b\r\n\r\n", 0, "", ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tr Transport
			defer tr.CloseIdleConnections()
			resp, err := tr.RoundTrip(newRequest(t.Context(), t, scripted(t, test.reply, nil), "x"))
			var body []byte
			if err == nil {
				if resp.StatusCode != test.status {
					t.Errorf("status %d, want %d", resp.StatusCode, test.status)
				}
				body, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			} else if test.status != 0 {
				t.Fatal(err)
			}
			if !errors.Is(err, test.err) || err == nil && string(body) != test.body {
				t.Errorf("got %.40q, %v, want %.40q, %v", body, err, test.body, test.err)
			}
		})
	}
}

// TestCancel ends requests at each stage, and expects the cause of their
// context's end.
func TestCancel(t *testing.T) {
	t.Parallel()
	cause := errors.New("no longer wanted")
	for name, test := range map[string]struct {
		reply string
		read  bool // there is a response to read
	}{
		"before the head":     {"", false},
		"within the head":     {"HTTP/1.1 200 OK\r\n", false},
		"within the body":     {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", true},
		"within chunks":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhi", true},
		"body without length": {"HTTP/1.0 200 OK\r\n\r\nhi", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			url := scripted(t, test.reply, func(c net.Conn) {
				if !test.read {
					cancel(cause)
				}
				_, _ = io.Copy(io.Discard, c) // until the client hangs up
			})
			var tr Transport
			resp, err := tr.RoundTrip(newRequest(ctx, t, url, "x"))
			if test.read {
				if err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(time.Millisecond, func() { cancel(cause) })
				_, err = io.ReadAll(resp.Body)
			}
			if !errors.Is(err, cause) {
				t.Errorf("got %v, want %v", err, cause)
			}
		})
	}
}

// TestStale closes connections while they are idle, in the ways of servers, and
// expects that the next request is not lost on them.
func TestStale(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]func(net.Conn){
		"closed":          func(c net.Conn) { _ = c.Close() },
		"told and closed": func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\n\r\n"); _ = c.Close() },
		"unasked data":    func(c net.Conn) { _, _ = io.WriteString(c, "hello?"); _, _ = io.Copy(io.Discard, c) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			happened := make(chan struct{}, 2)
			url := scripted(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", func(c net.Conn) {
				time.Sleep(5 * time.Millisecond) // so that the client has it back in its pool
				defer func() { happened <- struct{}{} }()
				go then(c)
				time.Sleep(5 * time.Millisecond)
			})
			var tr Transport
			defer tr.CloseIdleConnections()
			for range 2 {
				sent := 0
				ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteHeaders: func() { sent++ }})
				resp, err := tr.RoundTrip(newRequest(ctx, t, url, "x"))
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if sent != 1 {
					t.Errorf("WroteHeaders was called %d times", sent)
				}
				<-happened
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	url, connections := echo(t)
	for name, spoil := range map[string]func(*http.Request){
		"line feed in a value": func(r *http.Request) { r.Header["X-A"] = []string{"a\r\nX-B: c"} },
		"colon in a name":      func(r *http.Request) { r.Header["X-A:"] = []string{"a"} },
		"space in the host":    func(r *http.Request) { r.Host = "a b" },
		"space in the path":    func(r *http.Request) { r.URL.Opaque = "/a b" },
		"unknown length":       func(r *http.Request) { r.ContentLength = -1 },
		"too large":            func(r *http.Request) { r.ContentLength = MaxBody + 1 },
		"https":                func(r *http.Request) { r.URL.Scheme = "https" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := false
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteHeaders: func() { sent = true }})
			req := newRequest(ctx, t, url, "x")
			spoil(req)
			var tr Transport
			if resp, err := tr.RoundTrip(req); err == nil {
				_ = resp.Body.Close()
				t.Error("no error")
			}
			if sent {
				t.Error("the request was said to be sent")
			}
		})
	}
	if n := connections.Load(); n > 4 {
		t.Errorf("%d connections", n)
	}
}

func TestIdle(t *testing.T) {
	t.Parallel()
	url, connections := echo(t)
	tr := Transport{IdlePerHost: 1, IdleTimeout: 20 * time.Millisecond}
	for range 2 {
		var bodies []io.ReadCloser
		for range 3 {
			resp, err := tr.RoundTrip(newRequest(t.Context(), t, url, "x"))
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, resp.Body)
		}
		for _, b := range bodies {
			_, _ = io.Copy(io.Discard, b)
			_ = b.Close()
		}
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			tr.idle.mu.Lock()
			left := len(tr.idle.conns)
			tr.idle.mu.Unlock()
			if left == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("an idle connection is kept for ever")
			}
		}
	}
	if n := connections.Load(); n != 6 {
		t.Errorf("%d connections, want 6: none may be kept for that long", n)
	}
}

func TestAddressOf(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"a": "a:80", "a:": "a:80", "a:8080": "a:8080", "127.0.0.1": "127.0.0.1:80", "[::1]": "[::1]:80", "[::1]:8080": "[::1]:8080",
	} {
		if got := addressOf(host); got != want {
			t.Errorf("%s: got %s, want %s", host, got, want)
		}
	}
}

// FuzzResponse compares with net/http what a response is read as. What net/http
// refuses must be refused; of the rest some may be.
func FuzzResponse(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
		"HTTP/1.0 404 Not Found\r\nX-A: b\r\nX-A: c\r\n\r\nhi",
		"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		req := &http.Request{Method: http.MethodPost}
		c := &conn{t: new(Transport), r: bufio.NewReaderSize(bytes.NewReader(data), bufferBytes), nc: closer{}, ctx: t.Context(), stop: func() bool { return false }}
		ours, err := c.receive(req)
		if err != nil {
			return
		}
		body, err := io.ReadAll(ours.Body)
		theirs, errTheirs := http.ReadResponse(bufio.NewReader(skipInterim(data)), req)
		if errTheirs != nil {
			t.Fatalf("net/http refuses it: %v", errTheirs)
		}
		bodyTheirs, errTheirs := io.ReadAll(theirs.Body)
		if ours.StatusCode != theirs.StatusCode {
			t.Errorf("status %d, net/http has %d", ours.StatusCode, theirs.StatusCode)
		}
		if errTheirs != nil && strings.Contains(errTheirs.Error(), "trailer") {
			errTheirs = err // trailers are skipped, whatever they look like
		}
		if (err == nil) != (errTheirs == nil) || !bytes.Equal(body, bodyTheirs) {
			t.Errorf("body %q, %v, net/http has %q, %v", body, err, bodyTheirs, errTheirs)
		}
		for _, name := range []string{"Content-Type", "Mcp-Session-Id", "X-A"} {
			if a, b := ours.Header[name], theirs.Header[name]; strings.Join(a, "\n") != strings.Join(b, "\n") {
				t.Errorf("%s is %q, net/http has %q", name, a, b)
			}
		}
	})
}

// skipInterim returns the rest of data from the response that counts.
func skipInterim(data []byte) io.Reader {
	for {
		r := bufio.NewReader(bytes.NewReader(data))
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode >= 200 {
			return bytes.NewReader(data)
		}
		data, _ = io.ReadAll(r)
	}
}

type closer struct{ net.Conn }

func (closer) Close() error { return nil }

func BenchmarkRoundTrip(b *testing.B) {
	url, _ := echo(b)
	ours := &Transport{}
	theirs := &http.Transport{MaxIdleConnsPerHost: 256}
	defer ours.CloseIdleConnections()
	defer theirs.CloseIdleConnections()
	for name, tr := range map[string]http.RoundTripper{"http1": ours, "nethttp": theirs} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					resp, err := tr.RoundTrip(newRequest(b.Context(), b, url, `{"jsonrpc":"2.0","id":1}`))
					if err != nil {
						b.Fatal(err)
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			})
		})
	}
}

// What has to be encrypted is never sent as it is.
func TestNotForThisClient(t *testing.T) {
	t.Parallel()
	tr := &Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		t.Error("connected")
		return nil, io.EOF
	}}
	for name, body := range map[string]io.Reader{"without body": nil, "with body": strings.NewReader("{}")} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/", body)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := tr.RoundTrip(req); !errors.Is(err, errUnsendable) {
			t.Errorf("%s: got %v, %v", name, resp, err)
		}
	}
}

// No connection is kept for longer than the idle timeout, whenever others were
// given back.
func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const timeout = 90 * time.Second
		var p idle
		kept := func() net.Conn {
			ours, theirs := net.Pipe()
			p.put(newConn(new(Transport), "a", ours), 10, timeout)
			return theirs
		}
		closed := func(c net.Conn) bool {
			_ = c.SetReadDeadline(time.Now())
			_, err := c.Read(make([]byte, 1))
			return errors.Is(err, io.EOF)
		}
		first := kept()
		time.Sleep(timeout - time.Second)
		second := kept()
		time.Sleep(2 * time.Second)
		if synctest.Wait(); !closed(first) || closed(second) {
			t.Errorf("closed: %v, %v", closed(first), closed(second))
		}
		time.Sleep(timeout - 2*time.Second)
		if synctest.Wait(); !closed(second) {
			t.Error("the second is kept for longer than the first")
		}
		p.closeAll()
	})
}
