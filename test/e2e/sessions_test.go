package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/hostile"
)

const (
	sessions       = 1000
	sessionWorkers = 8
)

// TestConnectDisconnect opens and closes many sessions with a legacy server, of
// which each has a connection of its own, and wants nothing to be left of them.
func TestConnectDisconnect(t *testing.T) {
	t.Parallel()
	t.Run("stdio", func(t *testing.T) {
		t.Parallel()
		server := stdio(hostile.Command(t, hostile.Options{Era: hostile.Legacy}))
		testConnectDisconnect(t, server)
	})
	t.Run("http", func(t *testing.T) {
		t.Parallel()
		server := hostile.HTTP(t, hostile.Options{Era: hostile.Legacy})
		opened := testConnectDisconnect(t, overHTTP(server.URL))
		eventually(t, settleBound, func() error { return allDeleted(server.Requests(), opened) })
	})
}

// testConnectDisconnect returns how many sessions it has opened.
func testConnectDisconnect(t *testing.T, server entry) (opened int) {
	t.Helper()
	b := start(t, setup{servers: servers{"server": server}, config: profiled})
	client, gauge := b.client(t), b.gauge(t)
	// What the first calls leave behind stays: the caller's connection, pages
	// of the binary.
	for n := range sessionWorkers {
		connectDisconnect(t, client, n)
	}
	before := gauge.settled(t)

	var next atomic.Int64
	var workers sync.WaitGroup
	for range sessionWorkers {
		workers.Go(func() {
			for n := next.Add(1); n <= sessions && !t.Failed(); n = next.Add(1) {
				connectDisconnect(t, client, int(n))
			}
		})
	}
	workers.Wait()
	gauge.backAt(t, before)
	list, err := client.ListSessions(bounded(t), &mcpbridgev1.ListSessionsRequest{})
	if err != nil || len(list.GetSessions()) > 0 {
		t.Errorf("the sessions are %v, %v", list, err)
	}
	return sessionWorkers + sessions
}

// connectDisconnect opens a session, uses it and closes it. It may be called
// concurrently.
func connectDisconnect(t *testing.T, client mcpbridgev1.McpServiceClient, n int) {
	ctx, cancel := context.WithTimeout(t.Context(), callBound)
	defer cancel()
	connected, err := client.Connect(ctx, &mcpbridgev1.ConnectRequest{Peer: &mcpbridgev1.ConnectRequest_Server{Server: "servers/server"}})
	if err != nil {
		t.Errorf("connect %d: %v", n, err)
		return
	}
	session := connected.GetSession().GetName()
	nonce := fmt.Sprint(n)
	argumentsJSON := `{"nonce":"` + nonce + `"}`
	result, err := client.CallTool(ctx, &mcpbridgev1.CallToolRequest{Target: session, Name: "run", ArgumentsJson: &argumentsJSON})
	if err != nil || textOf(result) != nonce {
		t.Errorf("call %d: %v, %v", n, result, err)
	}
	if _, err := client.Disconnect(ctx, &mcpbridgev1.DisconnectRequest{Name: session}); err != nil {
		t.Errorf("disconnect %d: %v", n, err)
	}
}

// allDeleted checks that as many sessions were opened, and each was deleted.
func allDeleted(requests []hostile.Request, opened int) error {
	const header = "Mcp-Session-Id"
	initialized, deleted := 0, make(map[string]bool)
	for _, r := range requests {
		switch {
		case r.Method == http.MethodDelete:
			deleted[r.Header.Get(header)] = true
		case strings.Contains(r.Body, `"method":"initialize"`):
			initialized++
		}
	}
	if initialized != opened || len(deleted) != opened {
		return fmt.Errorf("%d sessions were initialized and %d deleted, want %d of each", initialized, len(deleted), opened)
	}
	return nil
}
