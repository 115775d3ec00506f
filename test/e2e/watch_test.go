package e2e

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// changers are servers with tools that change what they offer.
func changers() map[string]func(t *testing.T) entry {
	return map[string]func(t *testing.T) entry{
		"go-sdk/http-stateful": func(t *testing.T) entry { return overHTTP(peers.GoSDK(t, peers.GoSDKOptions{Stateful: true})) },
		"go-sdk/stdio":         func(t *testing.T) entry { return stdio(peers.GoSDKCommand(t, peers.GoSDKOptions{})) },
	}
}

// TestWatching watches what servers tell of their own accord.
func TestWatching(t *testing.T) {
	t.Parallel()
	all := changers()
	all["typescript-v2/http"] = func(t *testing.T) entry { return overHTTP(peers.V2HTTP(t)) }
	all["typescript-v2/stdio"] = func(t *testing.T) entry { return stdio(peers.V2Command(t)) }
	for name, entry := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t, setup{servers: servers{"real": entry(t)}})
			client := b.client(t)
			t.Run("server", func(t *testing.T) { testWatchServer(t, client) })
			t.Run("session", func(t *testing.T) { testWatchSession(t, client) })
			t.Run("rest", func(t *testing.T) { testWatchREST(t, b, client) })
			t.Run("connect first", func(t *testing.T) { testConnectFirst(t, client) })
			t.Run("drain", func(t *testing.T) { testWatchDrain(t, b, client) })
		})
	}
}

type watching = grpc.ServerStreamingClient[mcpbridgev1.WatchEventsResponse]

// watch begins to watch and returns the first event.
func watch(t *testing.T, client mcpbridgev1.McpServiceClient, req *mcpbridgev1.WatchEventsRequest) (watching, *mcpbridgev1.Ready) {
	t.Helper()
	stream, err := client.WatchEvents(bounded(t), req)
	if err != nil {
		t.Fatal(err)
	}
	first, err := stream.Recv()
	if err != nil || first.GetReady() == nil || first.GetTime() == nil {
		t.Fatalf("the first event is %v, %v", first, err)
	}
	return stream, first.GetReady()
}

// await receives until an event is what is waited for.
func await(t *testing.T, stream watching, what string, is func(*mcpbridgev1.WatchEventsResponse) bool) *mcpbridgev1.WatchEventsResponse {
	t.Helper()
	for {
		e, err := stream.Recv()
		if err != nil {
			t.Fatalf("waiting for %s: %v", what, err)
		}
		if is(e) {
			return e
		}
	}
}

func run(t *testing.T, client mcpbridgev1.McpServiceClient, target, tool, args string) {
	t.Helper()
	_, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{Target: target, Name: tool, Arguments: arguments(t, args)})
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
}

func updated(uri string) func(*mcpbridgev1.WatchEventsResponse) bool {
	return func(e *mcpbridgev1.WatchEventsResponse) bool {
		return e.GetResourceUpdated().GetUri() == uri && !e.GetResourceUpdated().GetAssumed()
	}
}

func grown(e *mcpbridgev1.WatchEventsResponse) bool { return e.GetToolsChanged() != nil }

func testWatchServer(t *testing.T, client mcpbridgev1.McpServiceClient) {
	stream, ready := watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: target, ResourceUris: []string{peers.TextURI}})
	if ready.GetState() != mcpbridgev1.State_STATE_READY || len(ready.GetResourceUris()) != 1 || ready.GetGeneration() == 0 {
		t.Errorf("ready is %v", ready)
	}
	run(t, client, target, "touch", `{"uri":"`+peers.TextURI+`"}`)
	await(t, stream, "the update of a resource", updated(peers.TextURI))
	run(t, client, target, "grow", `{}`)
	await(t, stream, "the change of the tools", grown)
}

func testWatchSession(t *testing.T, client mcpbridgev1.McpServiceClient) {
	ctx := bounded(t)
	session := connect(t, client, &mcpbridgev1.ConnectRequest{})
	stream, _ := watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: session})
	for range 2 { // once more makes no difference
		if _, err := client.SubscribeResource(ctx, &mcpbridgev1.SubscribeResourceRequest{Target: session, Uri: peers.TextURI}); err != nil {
			t.Fatal(err)
		}
	}
	run(t, client, session, "touch", `{"uri":"`+peers.TextURI+`"}`)
	await(t, stream, "the update of a resource", updated(peers.TextURI))
	if _, err := client.UnsubscribeResource(ctx, &mcpbridgev1.UnsubscribeResourceRequest{Target: session, Uri: peers.TextURI}); err != nil {
		t.Fatal(err)
	}
	run(t, client, session, "touch", `{"uri":"`+peers.TextURI+`"}`)
	run(t, client, session, "grow", `{}`)
	await(t, stream, "the change of the tools", func(e *mcpbridgev1.WatchEventsResponse) bool {
		if e.GetResourceUpdated() != nil {
			t.Errorf("after the subscription: %v", e)
		}
		return grown(e)
	})
}

func testWatchREST(t *testing.T, b *bridge, client mcpbridgev1.McpServiceClient) {
	for accept, next := range map[string]func(*bufio.Reader) (string, string, error){"application/x-ndjson": readLine, "text/event-stream": readEvent} {
		url := b.restURL + "/v1/" + target + "/events?resourceUris=" + peers.TextURI
		response, err := newWeb(t).open(bounded(t), http.MethodGet, url, "", "Accept: "+accept)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body := bufio.NewReader(response.Body)
		receive := func() *mcpbridgev1.WatchEventsResponse {
			t.Helper()
			_, data, err := next(body)
			if err != nil {
				t.Fatal(err)
			}
			inner := strings.TrimSuffix(strings.TrimPrefix(data, `{"result":`), "}")
			e := new(mcpbridgev1.WatchEventsResponse)
			if err := protojson.Unmarshal([]byte(inner), e); err != nil {
				t.Fatalf("the event is %s: %v", data, err)
			}
			return e
		}
		if first := receive(); first.GetReady() == nil {
			t.Fatalf("the first event is %v", first)
		}
		run(t, client, target, "touch", `{"uri":"`+peers.TextURI+`"}`)
		for is, e := updated(peers.TextURI), receive(); !is(e); {
			e = receive()
		}
	}
}

// testConnectFirst: what only makes sense in a session says so elsewhere.
func testConnectFirst(t *testing.T, client mcpbridgev1.McpServiceClient) {
	for name, call := range map[string]func(context.Context, ...grpc.CallOption) error{
		"SubscribeResource": func(ctx context.Context, o ...grpc.CallOption) error {
			_, err := client.SubscribeResource(ctx, &mcpbridgev1.SubscribeResourceRequest{Target: target, Uri: "x"}, o...)
			return err
		},
		"UnsubscribeResource": func(ctx context.Context, o ...grpc.CallOption) error {
			_, err := client.UnsubscribeResource(ctx, &mcpbridgev1.UnsubscribeResourceRequest{Target: target, Uri: "x"}, o...)
			return err
		},
		"SetLoggingLevel": func(ctx context.Context, o ...grpc.CallOption) error {
			req := &mcpbridgev1.SetLoggingLevelRequest{Target: target, Level: mcpbridgev1.LoggingLevel_LOGGING_LEVEL_DEBUG}
			_, err := client.SetLoggingLevel(ctx, req, o...)
			return err
		},
		"SetRoots": func(ctx context.Context, o ...grpc.CallOption) error {
			_, err := client.SetRoots(ctx, &mcpbridgev1.SetRootsRequest{Target: target}, o...)
			return err
		},
		"SendProgress": func(ctx context.Context, o ...grpc.CallOption) error {
			_, err := client.SendProgress(ctx, &mcpbridgev1.SendProgressRequest{Target: target, ProgressTokenJson: new("7")}, o...)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var trailer metadata.MD
			wantStatus(t, call(bounded(t), grpc.Trailer(&trailer)), trailer, codes.FailedPrecondition, "CONNECT_FIRST", "not_sent")
		})
	}
	stream, err := client.WatchEvents(bounded(t), &mcpbridgev1.WatchEventsRequest{
		Target: connect(t, client, &mcpbridgev1.ConnectRequest{}), ResourceUris: []string{"x"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("resource_uris of a session: %v", err)
	}
}

// testWatchDrain stops the bridge and wants whoever watches to be told.
func testWatchDrain(t *testing.T, b *bridge, client mcpbridgev1.McpServiceClient) {
	stream, _ := watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: target})
	b.signal(t, syscall.SIGTERM)
	await(t, stream, "the end", func(e *mcpbridgev1.WatchEventsResponse) bool { return e.GetDraining() != nil })
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ends with %v", err)
	}
	b.awaitEnd(t, nil)
}
