package transport

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/test/hostile"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// quick comes back to a stream as fast as may be.
func quick() Reconnect {
	return Reconnect{MinWait: 5 * time.Millisecond, FirstWait: 5 * time.Millisecond}
}

// dialQuick opens a session that resumes quickly.
func dialQuick(t *testing.T, url string, r Receiver) *sdkClient {
	t.Helper()
	return dialReconnecting(t, url, nil, quick(), r)
}

func dialReconnecting(t *testing.T, url string, client http.RoundTripper, how Reconnect, r Receiver) *sdkClient {
	t.Helper()
	c := &sdkClient{httpTransport: dialHTTP(t, HTTPConfig{URL: url, Client: client, Reconnect: how}, r)}
	c.initializeAs(t, "2025-11-25")
	return c
}

// TestHTTPResumeHostile has calls answered on another stream than their own, by
// a real server, which must have run them once.
func TestHTTPResumeHostile(t *testing.T) {
	t.Parallel()
	for mode, fails := range map[string]bool{
		"stream-resume": false, "stream-resume-twice": false, "retry-huge": false, "retry-storm": true,
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			journal := hostile.NewJournal(t)
			server := hostile.HTTP(t, hostile.Options{Mode: mode, Journal: journal})
			c := dialQuick(t, server.URL, ignore)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			if fails {
				cancel()
				ctx, cancel = context.WithTimeout(t.Context(), time.Second)
			}
			defer cancel()
			resp, err := c.RoundTrip(ctx, &Request{ID: 100, Method: "tools/call", Params: []byte(`{"name":"run","arguments":{"nonce":"n1"}}`), Envelope: c.envelope})
			if fails {
				wantError(t, err, KindCanceled, Unknown)
			} else if err != nil || !strings.Contains(string(resp.Result), "n1") {
				t.Errorf("got %+v, %v", resp, err)
			}
			if runs := journal.Entries(t); len(runs) != 1 {
				t.Errorf("ran %v", runs)
			}
		})
	}
}

// TestHTTPListenHostile has a call answered on the GET stream.
func TestHTTPListenHostile(t *testing.T) {
	t.Parallel()
	server := hostile.HTTP(t, hostile.Options{Mode: "answer-on-get"})
	c := dialQuick(t, server.URL, ignore)
	listen(t, c, func(bool) {})
	if got := c.call(t, "tools/call", `{"name":"run","arguments":{"nonce":"n1"}}`); !strings.Contains(got, "n1") {
		t.Errorf("got %s", got)
	}
}

// listen listens until the test ends.
func listen(t *testing.T, tr Transport, opened func(resumed bool)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var listening sync.WaitGroup
	listening.Go(func() { wantError(t, tr.Listen(ctx, opened), KindCanceled, NotSent) })
	t.Cleanup(func() { cancel(); listening.Wait() })
}

// TestHTTPResumeSDK has a tool of the official SDK's server close its stream
// before it answers, so that the answer waits for the client to come back.
func TestHTTPResumeSDK(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]time.Duration{"with retry": 300 * time.Millisecond, "without": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			back := make(chan string, 1)
			s := sdkServer()
			mcpsdk.AddTool(s, &mcpsdk.Tool{Name: "slow"}, func(ctx context.Context, req *mcpsdk.CallToolRequest, _ struct{}) (*mcpsdk.CallToolResult, any, error) {
				req.Extra.CloseSSEStream(mcpsdk.CloseSSEStreamArgs{RetryAfter: wait})
				select {
				case id := <-back:
					return &mcpsdk.CallToolResult{Content: []mcpsdk.Content{&mcpsdk.TextContent{Text: "after " + id}}}, nil, nil
				case <-ctx.Done():
					return nil, nil, ctx.Err()
				}
			})
			h := mcpsdk.NewStreamableHTTPHandler(func(*http.Request) *mcpsdk.Server { return s },
				&mcpsdk.StreamableHTTPOptions{EventStore: mcpsdk.NewMemoryEventStore(nil)})
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					back <- r.Header.Get("Last-Event-ID")
				}
				h.ServeHTTP(w, r)
			}))
			t.Cleanup(srv.Close)
			c := dialQuick(t, srv.URL, ignore)
			start := time.Now()
			if got := c.call(t, "tools/call", `{"name":"slow","arguments":{}}`); !strings.Contains(got, `"after `) || strings.Contains(got, `"after "`) {
				t.Errorf("got %s", got)
			}
			if took := time.Since(start); took < wait {
				t.Errorf("took %v, less than %v", took, wait)
			}
		})
	}
}

// TestHTTPListenSDK breaks the GET stream of the official SDK's server: what it
// had to say meanwhile comes on the next, once.
func TestHTTPListenSDK(t *testing.T) {
	t.Parallel()
	s := sdkServer()
	h := mcpsdk.NewStreamableHTTPHandler(func(*http.Request) *mcpsdk.Server { return s },
		&mcpsdk.StreamableHTTPOptions{EventStore: mcpsdk.NewMemoryEventStore(nil)})
	var shut atomic.Bool // to GETs
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && shut.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	heard, opened := make(chan int64, 10), make(chan bool, 10)
	c := dialQuick(t, srv.URL, func(m jsonrpc.Message, call int64) {
		if m.Method == "notifications/tools/list_changed" {
			heard <- call
		}
	})
	listen(t, c, func(resumed bool) { opened <- resumed })
	for i, again := range []bool{false, true, true} {
		if resumed := <-opened; resumed != again {
			t.Errorf("stream %d: resumed is %v", i, resumed)
		}
		shut.Store(false)
		if i == 0 {
			addTool(s, "first")
		}
		if call := <-heard; call != 0 {
			t.Errorf("stream %d: heard as of call %d", i, call)
		}
		shut.Store(true)
		srv.CloseClientConnections()
		addTool(s, fmt.Sprint("tool", i))
		shut.Store(false)
	}
}

func addTool(s *mcpsdk.Server, name string) {
	mcpsdk.AddTool(s, &mcpsdk.Tool{Name: name}, func(context.Context, *mcpsdk.CallToolRequest, struct{}) (*mcpsdk.CallToolResult, any, error) {
		return &mcpsdk.CallToolResult{}, nil, nil
	})
}

// TestHTTPResumeEverything breaks each stream of the reference server, of the
// TypeScript SDK, at its first message. What that server has to say once the
// stream is resumed goes nowhere, so that the wait must outlast the tool.
func TestHTTPResumeEverything(t *testing.T) {
	t.Parallel()
	url := peers.EverythingHTTP(t)
	var gets atomic.Int64
	pool := newPool(t, nil, nil)
	var progress atomic.Int64
	client := roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodGet {
			gets.Add(1)
		}
		resp, err := pool.RoundTrip(req)
		if err == nil && req.Method != http.MethodDelete {
			resp.Body = &cutOff{ReadCloser: resp.Body}
		}
		return resp, err
	})
	c := dialReconnecting(t, url, client, Reconnect{FirstWait: 2 * time.Second}, func(m jsonrpc.Message, _ int64) {
		if m.Method == "notifications/progress" {
			progress.Add(1)
		}
	})
	got := c.call(t, "tools/call", `{"name":"trigger-long-running-operation","arguments":{"duration":0.2,"steps":2},"_meta":{"progressToken":7}}`)
	if !strings.Contains(got, "completed") {
		t.Errorf("got %s", got)
	}
	if gets.Load() == 0 || progress.Load() == 0 {
		t.Errorf("%d GETs, progress was heard of %d times", gets.Load(), progress.Load())
	}
}

// A cutOff is a body that breaks after its first message.
type cutOff struct {
	io.ReadCloser
	broken bool
}

func (c *cutOff) Read(p []byte) (int, error) {
	if c.broken {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.ReadCloser.Read(p)
	c.broken = strings.Contains(string(p[:n]), `"notifications/progress"`)
	return n, err
}
