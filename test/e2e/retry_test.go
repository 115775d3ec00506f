package e2e

import (
	"context"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/hostile"
)

// eager makes a gRPC client repeat whatever fails.
const eager = `{"methodConfig": [{
	"name": [{"service": "mcpbridge.v1.McpService"}],
	"retryPolicy": {
		"maxAttempts": 5, "initialBackoff": "0.01s", "maxBackoff": "0.01s", "backoffMultiplier": 1,
		"retryableStatusCodes": ["UNAVAILABLE", "UNKNOWN", "INTERNAL"]
	}
}]}`

// attempts counts how often a client sends a call.
type attempts struct {
	stats.Handler
	count atomic.Int64
}

func (*attempts) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (*attempts) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*attempts) HandleConn(context.Context, stats.ConnStats)                       {}

func (a *attempts) HandleRPC(_ context.Context, s stats.RPCStats) {
	if _, ok := s.(*stats.Begin); ok {
		a.count.Add(1)
	}
}

// TestEagerClient calls with a client that repeats whatever fails. The bridge
// keeps it from repeating what may have been executed, and from nothing else.
func TestEagerClient(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode, transport string
		code            codes.Code
		attempts        int64
		executed        int
	}{
		{mode: "reset", transport: "http", code: codes.Unknown, attempts: 1, executed: 1},
		{mode: "hang-up", transport: "http", code: codes.Unknown, attempts: 1, executed: 1},
		{mode: "stream-closed", transport: "http", code: codes.Unknown, attempts: 1, executed: 1},
		{mode: "not-json", transport: "http", code: codes.Internal, attempts: 1, executed: 1},
		{mode: "crash", transport: "stdio", code: codes.Unknown, attempts: 1, executed: 1},
		{mode: "closed-stdout", transport: "stdio", code: codes.Unknown, attempts: 1, executed: 1},
		{mode: "discover-503", transport: "http", code: codes.Unavailable, attempts: 5},
		{mode: "exit-at-once", transport: "stdio", code: codes.Unavailable, attempts: 5},
	} {
		t.Run(tt.mode, func(t *testing.T) {
			t.Parallel()
			journal := hostile.NewJournal(t)
			server := hostileEntry(t, tt.transport, hostile.Options{Mode: tt.mode, Journal: journal})
			b := start(t, setup{servers: servers{"server": server}})
			made := new(attempts)
			client := b.client(t, grpc.WithDefaultServiceConfig(eager), grpc.WithStatsHandler(made))
			argumentsJSON := `{"nonce":"once"}`
			_, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{
				Target: "servers/server", Name: "run", ArgumentsJson: &argumentsJSON,
			})
			if status.Code(err) != tt.code {
				t.Errorf("the call ended with %v, want %v", err, tt.code)
			}
			if got := made.count.Load(); got != tt.attempts {
				t.Errorf("the client sent it %d times, want %d", got, tt.attempts)
			}
			if got := journal.Count(t, hostile.Executed, "once"); got != tt.executed {
				t.Errorf("the tool ran %d times, want %d", got, tt.executed)
			}
		})
	}
}
