package transport

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestHTTPIdleConnectionsClosed has the server close every connection as soon as
// it is idle. No call may notice, and none may be made twice.
func TestHTTPIdleConnectionsClosed(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{}, 1)
	var ran atomic.Int64
	url := serveRaw(t, func(c *net.TCPConn) {
		id, err := readRequest(t, bufio.NewReader(c))
		if err == nil {
			ran.Add(1)
			writeRaw(c, id)
		}
		finish(c)
		_ = c.Close()
		closed <- struct{}{}
	})
	tr := dialHTTP(t, HTTPConfig{URL: url}, ignore)
	const calls = 1000
	for id := int64(1); id <= calls; id++ {
		sent := 0
		if _, err := tr.RoundTrip(short(t), &Request{ID: id, Method: "m", OnSend: func() { sent++ }}); err != nil {
			t.Fatalf("call %d: %v", id, err)
		}
		if sent != 1 {
			t.Errorf("OnSend called %d times", sent)
		}
		<-closed
	}
	if n := ran.Load(); n != calls {
		t.Errorf("ran %d times", n)
	}
}

// A oneWriteConn takes nothing after its first write.
type oneWriteConn struct {
	net.Conn
	writes int
}

func (c *oneWriteConn) Write(p []byte) (int, error) {
	if c.writes++; c.writes > 1 {
		return 0, errTest
	}
	return c.Conn.Write(p)
}

// TestHTTPServerGone: a connection that was idle takes nothing, and no other can
// be made. The headers were written, but to nowhere.
func TestHTTPServerGone(t *testing.T) {
	t.Parallel()
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) { writeResult(t, w, r, `{}`) })
	pool := newPool(t, nil, nil)
	dial, dials := pool.dial, 0
	pool.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials++; dials > 1 {
			return nil, &net.OpError{Op: "dial", Net: network, Err: errTest}
		}
		c, err := dial(ctx, network, address)
		return &oneWriteConn{Conn: c}, err
	}
	tr := dialHTTP(t, HTTPConfig{URL: url, Client: pool}, ignore)
	if _, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "m"}); err != nil {
		t.Fatal(err)
	}
	_, err := tr.RoundTrip(short(t), &Request{ID: 2, Method: "m"})
	wantError(t, err, KindUnreachable, NotSent)
	if dials != 2 {
		t.Errorf("%d dials", dials)
	}
}

// TestHTTPOverHTTP2 makes the round trips of interest over HTTP/2.
func TestHTTPOverHTTP2(t *testing.T) {
	t.Parallel()
	var ran atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("came over %s", r.Proto)
		}
		ran.Add(1)
		switch r.Header.Get("Mcp-Method") {
		case "json":
			writeResult(t, w, r, `{}`)
		case "stream":
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: {\"id\":%d,\"result\":{}}\n\n", callID(t, r.Body))
		case "break":
			_, _ = io.Copy(io.Discard, r.Body)
			panic(http.ErrAbortHandler)
		case "headers":
			for i := range 64 {
				w.Header().Set(fmt.Sprintf("X-Long-%d", i), strings.Repeat("x", 1000))
			}
		case "hang":
			<-r.Context().Done()
		}
	}))
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = discardLog()
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	tr := dialHTTP(t, HTTPConfig{URL: srv.URL, Client: newPool(t, nil, &tls.Config{RootCAs: roots})}, ignore)
	call := func(method string) (*Response, error) {
		ctx := t.Context()
		if method == "hang" {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
			defer cancel()
		}
		return tr.RoundTrip(ctx, &Request{ID: 1, Method: method, Envelope: modern()})
	}
	for _, method := range []string{"json", "stream", "json", "stream"} {
		if resp, err := call(method); err != nil || string(resp.Result) != "{}" {
			t.Errorf("%s: %v, %v", method, resp, err)
		}
	}
	for method, kind := range map[string]Kind{"break": KindLost, "headers": KindLimit, "hang": KindCanceled} {
		before := ran.Load()
		_, err := call(method)
		wantError(t, err, kind, Unknown)
		if n := ran.Load() - before; n != 1 {
			t.Errorf("%s ran %d times", method, n)
		}
	}
}
