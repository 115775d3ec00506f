package mcp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
	"github.com/mcpbridge/mcpbridge/test/hostile"
)

// refusesToConnect are the modes in which no session is to be had, and what is
// to be said of it.
func refusesToConnect() map[string]string {
	return map[string]string{
		"exit-at-once":       "exited",
		"empty-results":      "protocol mismatch",
		"version-2099-01-01": "protocol mismatch",
		"future":             "protocol mismatch",
		"future-error":       "protocol mismatch",
		"discover-503":       "HTTP 503",
		"discover-401":       "HTTP 401",
	}
}

// Whatever a server does, a call ends in time, and what is said of it is true.
func TestHonesty(t *testing.T) {
	t.Parallel()
	for _, mode := range hostile.Modes() {
		for kind, exists := range map[string]bool{"stdio": mode.Stdio, "HTTP": mode.HTTP, "SSE": mode.Stdio, "WebSocket": mode.Stdio} {
			if !exists {
				continue
			}
			t.Run(mode.Name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				journal := hostile.NewJournal(t)
				d := hostileDialer(t, kind, hostile.Options{Mode: mode.Name, Journal: journal})
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				s, err := mcp.NewClient(d, mcp.Options{ProbeTimeout: time.Second, InitializeTimeout: 5 * time.Second}).Connect(ctx)
				want := refusesToConnect()[mode.Name]
				switch {
				case mode.Name == "silent-discover" && kind == "HTTP":
					want = "canceled" // silence over HTTP is no sign of age
				case mode.Name == "exit-at-once" && kind != "stdio":
					want = "lost"
				}
				if want != "" || err != nil {
					if err == nil || want == "" || !strings.Contains(err.Error(), want) {
						t.Errorf("connect: %v, want %q", err, want)
					}
					if s != nil {
						closeSession(t, s)
					}
					return
				}
				defer closeSession(t, s)
				for n := range 2 {
					honestCall(t, s, journal, fmt.Sprintf("nonce %d", n))
				}
			})
		}
	}
}

func hostileDialer(t *testing.T, kind string, o hostile.Options) transport.Dialer {
	t.Helper()
	limits := transport.Limits{MessageBytes: 1 << 20}
	switch c := hostile.Command(t, o); kind {
	case "SSE":
		return dialSSE(t, transport.SSEConfig{URL: overSSE(t, c), Limits: limits})
	case "WebSocket":
		return dialSocket(t, transport.WebSocketConfig{URL: overWebSocket(t, c), Limits: limits})
	case "stdio":
		return transport.NewStdio(transport.StdioConfig{
			Command: c.Path, Args: c.Args, Env: c.Env, Limits: limits, StopGrace: 200 * time.Millisecond, TermGrace: 200 * time.Millisecond,
		})
	}
	client := transport.NewHTTPClient(nil, nil)
	t.Cleanup(client.CloseIdleConnections)
	d, err := transport.NewHTTP(transport.HTTPConfig{URL: hostile.HTTP(t, o).URL, Client: client, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func honestCall(t *testing.T, s *mcp.Session, journal hostile.Journal, nonce string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var sent atomic.Bool
	c := mcp.CallTool("run", fmt.Appendf(nil, `{"nonce":%q}`, nonce))
	c.OnSend = func() { sent.Store(true) }
	result, err := s.Call(ctx, c)
	executed := journal.Count(t, hostile.Executed, nonce)
	switch {
	case executed > 1:
		t.Errorf("executed %d times", executed)
	case err == nil && executed == 0:
		t.Errorf("a result without execution: %s", result.JSON)
	case err == nil:
	case mcp.DeliveryOf(err) == transport.NotSent && executed > 0:
		t.Errorf("executed, but said not to have been sent: %v", err)
	case errors.Is(err, context.DeadlineExceeded) && sent.Load() && mcp.DeliveryOf(err) != transport.Unknown:
		t.Errorf("delivery %v of a call that was sent and not answered", mcp.DeliveryOf(err))
	}
}
