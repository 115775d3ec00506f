package e2e

import (
	"sync/atomic"
	"testing"
	"time"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// TestCaching asks again for what a server said to be good for a while.
func TestCaching(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		ttl   time.Duration
		first int64 // requests that reach the server for two of the same
		again int64 // and in all, for two more after a change
	}{
		"good for a while": {ttl: time.Hour, first: 1, again: 2},
		"never good":       {first: 2, again: 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := peers.GoSDK(t, peers.GoSDKOptions{TTL: tt.ttl})
			lists, listed := counted(t, server, "tools/list")
			reads, read := counted(t, server, "resources/read")
			b := start(t, setup{servers: servers{"lists": overHTTP(lists), "reads": overHTTP(reads)}})
			client := b.client(t)
			stream, _ := watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: "servers/lists"})

			listTwice(t, client, "echo")
			wantCount(t, "tools/list", listed, tt.first)
			run(t, client, "servers/lists", "grow", `{}`)
			await(t, stream, "the change of the tools", grown)
			listTwice(t, client, "grown_1")
			wantCount(t, "tools/list", listed, tt.again)

			for range 2 {
				request := &mcpbridgev1.ReadResourceRequest{Target: "servers/reads", Uri: peers.TextURI}
				if got, err := client.ReadResource(bounded(t), request); err != nil || got.GetContents()[0].GetText() != "some text" {
					t.Errorf("the resource is %v, %v", got, err)
				}
			}
			wantCount(t, "resources/read", read, tt.first)
		})
	}
}

// listTwice lists the tools, among which there has to be one of that name.
func listTwice(t *testing.T, client mcpbridgev1.McpServiceClient, name string) {
	t.Helper()
	for range 2 {
		list, err := client.ListTools(bounded(t), &mcpbridgev1.ListToolsRequest{Target: "servers/lists", All: true})
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, tool := range list.GetTools() {
			found = found || tool.GetName() == name
		}
		if !found {
			t.Errorf("there is no tool %s", name)
		}
	}
}

func wantCount(t *testing.T, method string, count *atomic.Int64, want int64) {
	t.Helper()
	if got := count.Load(); got != want {
		t.Errorf("%d requests of %s have reached the server, want %d", got, method, want)
	}
}
