package transport

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// serveRaw accepts connections and gives each to handle, which closes it.
func serveRaw(t testing.TB, handle func(c *net.TCPConn)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go handle(c.(*net.TCPConn))
		}
	}()
	return "http://" + l.Addr().String()
}

// readRequest reads one whole request and returns its id.
func readRequest(t testing.TB, r *bufio.Reader) (id int64, err error) {
	req, err := http.ReadRequest(r)
	if err != nil {
		return 0, err
	}
	return callID(t, req.Body), nil
}

// reset closes c so that the peer gets a reset rather than an end.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

func writeRaw(w io.Writer, id int64) {
	body := fmt.Sprintf(`{"id":%d,"result":{}}`, id)
	fmt.Fprintf(w, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// TestHTTPExecutesThenBreaks has the server take a request, count it, and break
// the connection in every way short of answering: the outcome is unknown and
// the request must not be made again.
func TestHTTPExecutesThenBreaks(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
	tests := map[string]func(c *net.TCPConn){
		"reset":               reset,
		"end":                 func(c *net.TCPConn) { _ = c.Close() },
		"end in headers":      func(c *net.TCPConn) { _, _ = io.WriteString(c, head[:30]); _ = c.Close() },
		"reset after headers": func(c *net.TCPConn) { _, _ = io.WriteString(c, head); reset(c) },
		"end in body":         func(c *net.TCPConn) { _, _ = io.WriteString(c, head+`{"id":`); _ = c.Close() },
		"end in event": func(c *net.TCPConn) {
			_, _ = io.WriteString(c, strings.Replace(head, "application/json", "text/event-stream", 1)+"data: {")
			_ = c.Close()
		},
		"end in error document": func(c *net.TCPConn) {
			_, _ = io.WriteString(c, strings.Replace(head, "200 OK", "500 No", 1)+"oops")
			_ = c.Close()
		},
	}
	for name, brk := range tests {
		for _, reused := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/reused=%v", name, reused), func(t *testing.T) {
				t.Parallel()
				var ran atomic.Int64
				url := serveRaw(t, func(c *net.TCPConn) {
					defer c.Close()
					r := bufio.NewReader(c)
					for {
						id, err := readRequest(t, r)
						if err != nil {
							return
						}
						if id == 1 {
							writeRaw(c, id)
							continue
						}
						ran.Add(1)
						brk(c)
						return
					}
				})
				tr := dialHTTP(t, HTTPConfig{URL: url}, ignore)
				if reused {
					if _, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "m"}); err != nil {
						t.Fatal(err)
					}
				}
				sent := 0
				_, err := tr.RoundTrip(short(t), &Request{ID: 2, Method: "m", OnSend: func() { sent++ }})
				if strings.HasSuffix(name, "document") {
					wantError(t, err, KindStatus, Unknown)
				} else {
					wantError(t, err, KindLost, Unknown)
				}
				if ran.Load() != 1 || sent != 1 {
					t.Errorf("ran %d times, OnSend called %d times", ran.Load(), sent)
				}
			})
		}
	}
}

// TestHTTPNotSent: where no connection comes about, nothing was sent.
func TestHTTPNotSent(t *testing.T) {
	t.Parallel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	secure.Config.ErrorLog = discardLog()
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.Config.ErrorLog = discardLog()
	old.StartTLS()
	t.Cleanup(old.Close)
	trusting := &tls.Config{RootCAs: x509.NewCertPool()}
	trusting.RootCAs.AddCert(secure.Certificate())
	unknownName := newPool(t, nil, nil)
	unknownName.dial = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "x.example", IsNotFound: true}}
	}

	tests := map[string]struct {
		url  string
		pool *HTTPClient
		kind Kind
	}{
		"refused":           {"http://" + gone.Addr().String(), newPool(t, nil, nil), KindUnreachable},
		"name unknown":      {"http://x.example", unknownName, KindUnreachable},
		"no TLS there":      {strings.Replace(plain.URL, "http:", "https:", 1), newPool(t, nil, nil), KindUnreachable},
		"TLS 1.1":           {old.URL, newPool(t, nil, trusting), KindUnreachable},
		"certificate":       {secure.URL, newPool(t, nil, nil), KindIdentity},
		"another's":         {strings.Replace(secure.URL, "127.0.0.1", "localhost", 1), newPool(t, nil, trusting), KindIdentity},
		"guarded":           {plain.URL, newPool(t, &Guard{}, nil), KindForbidden},
		"guarded, by name":  {strings.Replace(plain.URL, "127.0.0.1", "localhost", 1), newPool(t, &Guard{}, nil), KindForbidden},
		"guarded, with TLS": {secure.URL, newPool(t, &Guard{}, nil), KindForbidden},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := dialHTTP(t, HTTPConfig{URL: tt.url, Client: tt.pool, Header: http.Header{"Authorization": {"hunter2"}}}, ignore)
			_, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "m", OnSend: func() { t.Error("OnSend was called") }})
			wantError(t, err, tt.kind, NotSent)
			if err := tr.Send(short(t), &Message{Body: []byte(`{}`)}); err != nil {
				wantError(t, err, tt.kind, NotSent)
			} else {
				t.Error("Send: no error")
			}
		})
	}
}

func TestHTTPPeerIsNoHTTPServer(t *testing.T) {
	t.Parallel()
	for name, banner := range map[string]string{"SSH": "SSH-2.0-OpenSSH_9.6\r\n", "noise": "\x00\x01\x02\r\n\r\n", "bad header": "HTTP/1.1 200 OK\r\nno colon\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serveRaw(t, func(c *net.TCPConn) {
				defer c.Close()
				if _, err := readRequest(t, bufio.NewReader(c)); err == nil {
					_, _ = io.WriteString(c, banner)
				}
			})
			_, err := dialHTTP(t, HTTPConfig{URL: url}, ignore).RoundTrip(short(t), &Request{ID: 1, Method: "m"})
			wantError(t, err, KindProtocol, Unknown)
		})
	}
}

// TestHTTPSlowServers: whatever a server takes its time with, the caller's
// context ends the call.
func TestHTTPSlowServers(t *testing.T) {
	t.Parallel()
	const json, sse = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
	for name, says := range map[string]string{
		"nothing":             "",
		"part of the status":  "HTTP/1.1 2",
		"part of the headers": "HTTP/1.1 200 OK\r\nContent-Ty",
		"headers":             json,
		"part of the body":    json + `{"id"`,
		"part of an event":    sse + "data: {",
		"comments":            sse + ": still here\n\n: still here\n\n",
		"another's response":  sse + "data: {\"id\":9,\"result\":1}\n\n",
		"part of a refusal":   "HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\nno",
		"interim responses":   "HTTP/1.1 103 Early Hints\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			url := serveRaw(t, func(c *net.TCPConn) {
				defer c.Close()
				r := bufio.NewReader(c)
				if _, err := readRequest(t, r); err != nil {
					return
				}
				_, _ = io.WriteString(c, says)
				cancel(errTest)
				_, _ = r.ReadByte()
			})
			_, err := dialHTTP(t, HTTPConfig{URL: url}, ignore).RoundTrip(ctx, &Request{ID: 1, Method: "m"})
			wantError(t, err, KindCanceled, Unknown)
			if !errors.Is(err, errTest) {
				t.Errorf("%v does not wrap the cause", err)
			}
		})
	}
}

var errTest = errors.New("the caller has left")

func TestHTTPCanceledBeforeItIsSent(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	pool := newPool(t, nil, nil)
	pool.dial = func(dial context.Context, _, _ string) (net.Conn, error) {
		// The cause may be an Error of another call's.
		cancel(&Error{Kind: KindLost, Delivery: Unknown, Err: errTest})
		<-dial.Done()
		return nil, dial.Err()
	}
	tr := dialHTTP(t, HTTPConfig{URL: "http://127.0.0.1:1", Client: pool}, ignore)
	_, err := tr.RoundTrip(ctx, &Request{ID: 1, Method: "m", OnSend: func() { t.Error("OnSend was called") }})
	wantError(t, err, KindCanceled, NotSent)
	if !errors.Is(err, errTest) {
		t.Errorf("%v does not wrap the cause", err)
	}
	_, err = tr.RoundTrip(ctx, &Request{ID: 2, Method: "m", OnSend: func() { t.Error("OnSend was called") }})
	wantError(t, err, KindCanceled, NotSent)
}

// TestHTTPOnSendComesFirst: OnSend must have returned before the server can see
// the request.
func TestHTTPOnSendComesFirst(t *testing.T) {
	t.Parallel()
	for _, size := range []int{10, 3000, 5000, 1 << 20} {
		var sent atomic.Int64
		url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
			id := callID(t, r.Body)
			if sent.Load() != id {
				t.Errorf("%d bytes: request %d came after %d was said to be sent", size, id, sent.Load())
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"id":%d,"result":{}}`, id)
		})
		tr := dialHTTP(t, HTTPConfig{URL: url}, ignore)
		for id := int64(1); id <= 20; id++ {
			params := []byte(`{"x":"` + strings.Repeat("x", size) + `"}`)
			if _, err := tr.RoundTrip(short(t), &Request{ID: id, Method: "m", Params: params, OnSend: func() { sent.Add(1) }}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
