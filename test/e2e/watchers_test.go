package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

const (
	watchers       = 1000
	watchersAtOnce = 100
)

// TestWatchersComeAndGo opens and closes many streams of events and wants nothing
// to be left of them, neither in the bridge nor of their subscriptions.
func TestWatchersComeAndGo(t *testing.T) {
	t.Parallel()
	for name, entry := range changers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t, setup{servers: servers{"real": entry(t)}, config: profiled})
			client, gauge := b.client(t), b.gauge(t)
			comeAndGo(t, client, watchersAtOnce)
			before := gauge.settled(t)
			for range watchers/watchersAtOnce - 1 {
				comeAndGo(t, client, watchersAtOnce)
			}
			gauge.backAt(t, before)
			stream, _ := watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: target, ResourceUris: []string{peers.TextURI}})
			run(t, client, target, "touch", `{"uri":"`+peers.TextURI+`"}`)
			await(t, stream, "an update after all that", updated(peers.TextURI))
		})
	}
}

// comeAndGo opens n streams, each until it is ready, and then leaves them all.
func comeAndGo(t *testing.T, client mcpbridgev1.McpServiceClient, n int) {
	t.Helper()
	ctx, leave := context.WithCancel(bounded(t))
	defer leave()
	var coming, gone sync.WaitGroup
	coming.Add(n)
	for i := range n {
		gone.Go(func() {
			err := follow(ctx, client, fmt.Sprintf("test://item/%d", i%10), coming.Done)
			if status.Code(err) != codes.Canceled {
				t.Errorf("watcher %d ends with %v", i, err)
			}
		})
	}
	coming.Wait()
	leave()
	gone.Wait()
}

// follow watches until the end, and says when it has begun to, or cannot.
func follow(ctx context.Context, client mcpbridgev1.McpServiceClient, uri string, begun func()) error {
	stream, err := client.WatchEvents(ctx, &mcpbridgev1.WatchEventsRequest{Target: target, ResourceUris: []string{uri}})
	if err == nil {
		_, err = stream.Recv()
	}
	begun()
	for err == nil {
		_, err = stream.Recv()
	}
	return err
}
