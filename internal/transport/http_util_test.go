package transport

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

// newPool returns a connection pool that is empty when the test ends.
func newPool(t testing.TB, guard *Guard, config *tls.Config) *HTTPClient {
	t.Helper()
	pool := NewHTTPClient(guard, config)
	t.Cleanup(pool.CloseIdleConnections)
	return pool
}

// serveHTTP starts a server and returns its URL.
func serveHTTP(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(func() {
		// Not before the handlers that still hang have lost their clients.
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv.URL
}

// dialHTTP opens a transport that is closed when the test ends.
func dialHTTP(t testing.TB, cfg HTTPConfig, r Receiver) *httpTransport {
	t.Helper()
	if cfg.Client == nil {
		cfg.Client = newPool(t, nil, nil)
	}
	d, err := NewHTTP(cfg)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := d.Dial(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := tr.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return tr.(*httpTransport)
}

// legacy and modern are what a message of either era says.
func legacy() Envelope { return Envelope{Version: "2025-06-18"} }
func modern() Envelope { return Envelope{Version: "2026-07-28", Modern: true, Name: "x"} }

// callID is the id of the request that body is.
func callID(t testing.TB, body io.Reader) int64 {
	t.Helper()
	text, err := io.ReadAll(body)
	if err != nil {
		t.Error(err)
	}
	m, err := jsonrpc.Parse(text, DefaultDepth)
	if err != nil {
		t.Error(err)
	}
	id, _ := m.ID.Int()
	return id
}

// writeResult answers r with a result, as JSON.
func writeResult(t testing.TB, w http.ResponseWriter, r *http.Request, result string) {
	t.Helper()
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%d,"result":%s}`, callID(t, r.Body), result)
}

// openSession makes the handshake that a legacy session starts with; the server
// must answer any request.
func openSession(t testing.TB, tr *httpTransport) {
	t.Helper()
	resp, err := tr.RoundTrip(short(t), &Request{ID: 1000, Method: "initialize", Envelope: Envelope{Handshake: true}})
	if err != nil || resp.Error != nil {
		t.Fatalf("initialize: %v, %v", resp, err)
	}
}

// discardLog is for servers that would complain about what is done to them.
func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
