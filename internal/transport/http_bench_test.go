package transport

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

// benchServer answers every POST with the result, one read and one write per
// request, so that what is measured is the client.
func benchServer(tb testing.TB, contentType string, result []byte) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go benchConn(c, contentType, result)
		}
	}()
	return "http://" + l.Addr().String() + "/mcp"
}

func benchConn(c net.Conn, contentType string, result []byte) {
	defer c.Close()
	r := bufio.NewReaderSize(c, 64<<10)
	var body, out, text []byte
	for {
		n := 0
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(line) <= 2 {
				break
			}
			if k, v, _ := bytes.Cut(line, []byte(": ")); string(k) == "Content-Length" {
				n, _ = strconv.Atoi(string(bytes.TrimSpace(v)))
			}
		}
		body = append(body[:0], make([]byte, n)...)
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		id := body[bytes.Index(body, []byte(`"id":`))+5:]
		id = id[:bytes.IndexByte(id, ',')]
		text = jsonrpc.AppendResult(text[:0], id, result)
		out = append(out[:0], "HTTP/1.1 200 OK\r\nContent-Type: "...)
		out = append(append(out, contentType...), "\r\n"...)
		if contentType == "text/event-stream" {
			out = fmt.Appendf(out, "Transfer-Encoding: chunked\r\n\r\n%x\r\nevent: message\ndata: %s\n\n\r\n0\r\n\r\n", len(text)+23, text)
		} else {
			out = strconv.AppendInt(append(out, "Content-Length: "...), int64(len(text)), 10)
			out = append(append(out, "\r\n\r\n"...), text...)
		}
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

// benchPool is NewHTTPClient for benchmarks.
func benchPool(b *testing.B) *HTTPClient {
	pool := NewHTTPClient(nil, nil)
	b.Cleanup(pool.CloseIdleConnections)
	return pool
}

// barePOST is the least that net/http costs: what the yardstick's nethttp
// backend does.
func barePOST(b *testing.B, url string) func(ctx context.Context, id int64, params []byte) error {
	pool := &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024}
	b.Cleanup(pool.CloseIdleConnections)
	client := &http.Client{Transport: pool}
	return func(ctx context.Context, id int64, params []byte) error {
		body := jsonrpc.AppendRequest(nil, id, "tools/call", params)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
		req.Header.Set("Mcp-Session-Id", "6f1c0c2e5a7b4c7e9d1f")
		req.Header.Set("Mcp-Protocol-Version", "2025-06-18")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if n := resp.ContentLength; n > 0 {
			_, err = io.ReadFull(resp.Body, make([]byte, n))
			return err
		}
		_, err = io.ReadAll(resp.Body)
		return err
	}
}

func ourPOST(b *testing.B, url string, e Envelope, client http.RoundTripper) func(ctx context.Context, id int64, params []byte) error {
	d, err := NewHTTP(HTTPConfig{URL: url, Client: client})
	if err != nil {
		b.Fatal(err)
	}
	t, err := d.Dial(b.Context(), func(jsonrpc.Message, int64) {})
	if err != nil {
		b.Fatal(err)
	}
	if !e.Modern {
		session := "6f1c0c2e5a7b4c7e9d1f"
		t.(*httpTransport).session.Store(&session)
	}
	return func(ctx context.Context, id int64, params []byte) error {
		_, err := t.RoundTrip(ctx, &Request{ID: id, Method: "tools/call", Params: params, Envelope: e})
		return err
	}
}

func BenchmarkHTTP(b *testing.B) {
	params := []byte(`{"name":"echo","arguments":{"m":"` + strings.Repeat("x", 100) + `"}}`)
	legacy := Envelope{Version: "2025-06-18"}
	modern := Envelope{Version: "2026-07-28", Modern: true, Name: "echo"}
	for _, size := range []int{200, 1 << 20} {
		result := []byte(`{"content":[{"type":"text","text":"` + strings.Repeat("x", size) + `"}]}`)
		for _, kind := range []string{"application/json", "text/event-stream"} {
			url := benchServer(b, kind, result)
			name := fmt.Sprintf("%d/%s/", size, kind[len(kind)-6:])
			for _, bm := range []struct {
				name string
				call func(ctx context.Context, id int64, params []byte) error
			}{
				{"bare", barePOST(b, url)},
				{"legacy", ourPOST(b, url, legacy, benchPool(b))},
				{"modern", ourPOST(b, url, modern, benchPool(b))},
			} {
				b.Run(name+bm.name, func(b *testing.B) { benchCalls(b, params, bm.call) })
			}
		}
	}
}

func benchCalls(b *testing.B, params []byte, call func(ctx context.Context, id int64, params []byte) error) {
	var id atomic.Int64
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := call(ctx, id.Add(1), params); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
