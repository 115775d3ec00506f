package mcp_test

import (
	"errors"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// An oldServer is the Go SDK's server over HTTP+SSE, at a URL where POSTs get
// something else, or as much else as is set.
type oldServer struct {
	post nethttp.HandlerFunc // to the URL itself
	get  nethttp.HandlerFunc // nil: the event stream

	posts, gets atomic.Int64
	// upgraded: the server speaks Streamable HTTP now.
	upgraded atomic.Bool
}

func (o *oldServer) start(t *testing.T) (url string) {
	t.Helper()
	server := peers.NewGoSDKServer(peers.GoSDKOptions{})
	same := func(*nethttp.Request) *mcpsdk.Server { return server }
	old := mcpsdk.NewSSEHandler(same, nil)
	streamable := mcpsdk.NewStreamableHTTPHandler(same, nil)
	srv := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		switch {
		case o.upgraded.Load():
			streamable.ServeHTTP(w, r)
		case r.Method == nethttp.MethodPost && r.URL.RawQuery == "":
			o.posts.Add(1)
			o.post(w, r)
		case r.Method == nethttp.MethodGet:
			o.gets.Add(1)
			if o.get != nil {
				o.get(w, r)
				return
			}
			old.ServeHTTP(w, r)
		default:
			old.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
		for session := range server.Sessions() {
			_ = session.Close()
		}
	})
	return srv.URL
}

// says is a reply.
func says(status int, kind, body string) nethttp.HandlerFunc {
	return func(w nethttp.ResponseWriter, _ *nethttp.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func TestFallback(t *testing.T) {
	t.Parallel()
	const refusal = `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no"}}`
	foreign := says(200, "text/event-stream", "event: endpoint\ndata: http://127.0.0.1:1/\n\n")
	tests := map[string]struct {
		post, get nethttp.HandlerFunc
		protocol  string
		gets      int64
		want      string // of the error; empty: there is a session
	}{
		"400":                      {post: says(400, "text/plain", "no"), gets: 1},
		"404":                      {post: says(404, "text/html", "Cannot POST /sse"), gets: 1},
		"405":                      {post: says(405, "text/plain", ""), gets: 1},
		"406":                      {post: says(406, "text/plain", ""), gets: 1},
		"410":                      {post: says(410, "text/plain", ""), gets: 1},
		"415":                      {post: says(415, "text/plain", ""), gets: 1},
		"400 with JSON-RPC error":  {post: says(400, "application/json", refusal), gets: 1},
		"pinned to a legacy one":   {post: says(405, "text/plain", ""), protocol: mcp.Version20241105, gets: 1},
		"200 with JSON-RPC error":  {post: says(200, "application/json", refusal), want: "protocol mismatch"},
		"401":                      {post: says(401, "text/plain", ""), want: "HTTP 401"},
		"403":                      {post: says(403, "text/plain", ""), want: "HTTP 403"},
		"429":                      {post: says(429, "text/plain", ""), want: "HTTP 429"},
		"500":                      {post: says(500, "text/plain", ""), want: "HTTP 500"},
		"web page":                 {post: says(200, "text/html", ""), want: "protocol"},
		"pinned to the modern one": {post: says(404, "text/plain", ""), protocol: mcp.Version20260728, want: "pinned"},
		"neither way":              {post: says(404, "text/plain", "not here"), get: says(404, "text/plain", "nor here"), gets: 1, want: `status (HTTP 404): "not here"`},
		"no event stream":          {post: says(405, "text/plain", "POST"), get: says(200, "text/html", ""), gets: 1, want: `status (HTTP 405): "POST"`},
		"endpoint elsewhere":       {post: says(405, "text/plain", "POST"), get: foreign, gets: 1, want: "origin http://127.0.0.1:1 is not that of the event stream"},
		"GET needs authorization":  {post: says(405, "text/plain", "POST"), get: says(401, "text/plain", "who?"), gets: 1, want: `status (HTTP 401): "who?"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := &oldServer{post: tt.post, get: tt.get}
			d := httpOrSSE(t, o.start(t))
			if tt.want == "" {
				s := connect(t, d, mcp.Options{Protocol: tt.protocol})
				if got := s.Peer().Transport; got != "sse" {
					t.Errorf("connected over %s", got)
				}
				manyCallers(t, s)
			} else if _, err := mcp.NewClient(d, mcp.Options{Protocol: tt.protocol}).Connect(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("connect: %v, want %q", err, tt.want)
			} else if name != "GET needs authorization" && strings.Contains(tt.want, "HTTP") && !asStatus(err, tt.want) {
				t.Errorf("the first way's error is not the first to be found in %v", err)
			}
			if got := o.gets.Load(); got != tt.gets {
				t.Errorf("%d GETs, want %d", got, tt.gets)
			}
		})
	}
}

// asStatus reports whether the transport's error in err is the wanted one.
func asStatus(err error, want string) bool {
	var te *transport.Error
	return errors.As(err, &te) && strings.Contains(te.Error(), want)
}

// The way to a server is found once, for sessions of all profiles, and found anew when
// the server has changed.
func TestFallbackMemory(t *testing.T) {
	t.Parallel()
	o := &oldServer{post: says(404, "text/html", "Cannot POST /sse")}
	client := mcp.NewClient(httpOrSSE(t, o.start(t)), mcp.Options{})
	anybody, somebody := new(mcp.Profile), &mcp.Profile{ClientInfo: mcp.Implementation{Name: "somebody", Version: "1"}}
	if got := client.Peer().Transport; got != "http" {
		t.Errorf("before the first session the transport is %s", got)
	}
	open := func(p *mcp.Profile, way string) {
		t.Helper()
		s, err := client.ConnectAs(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		defer closeSession(t, s)
		if s.Peer().Transport != way || client.Peer().Transport != way {
			t.Errorf("session over %s, client over %s; want %s", s.Peer().Transport, client.Peer().Transport, way)
		}
	}
	open(anybody, "sse")
	posts := o.posts.Load()
	open(somebody, "sse")
	open(anybody, "sse")
	if got := o.posts.Load() - posts; got != 0 {
		t.Errorf("%d POSTs to a server that is known to take none", got)
	}
	o.upgraded.Store(true)
	open(somebody, "http")
	open(anybody, "http")
}

// A server of 2024-11-05 as there are many: the URL of its stream takes no POST.
func TestEverythingSSE(t *testing.T) {
	t.Parallel()
	url := peers.EverythingSSE(t)
	for name, d := range map[string]transport.Dialer{"said": sse(t, url), "found out": httpOrSSE(t, url)} {
		t.Run(name, func(t *testing.T) {
			s := connect(t, d, mcp.Options{})
			if s.Info().Era != mcp.EraLegacy || s.Peer().Transport != "sse" {
				t.Errorf("era %v over %s", s.Info().Era, s.Peer().Transport)
			}
			var callers sync.WaitGroup
			for range 16 {
				callers.Go(func() {
					if r, err := s.Call(t.Context(), mcp.CallTool("echo", []byte(`{"message":"hello"}`))); err != nil || !strings.Contains(text(t, r), "hello") {
						t.Errorf("got %+v, %v", r, err)
					}
				})
			}
			callers.Wait()
		})
	}
}
