package http1

import (
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
