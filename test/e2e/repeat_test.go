package e2e

import (
	"context"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/hostile"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// TestIdempotencyKey repeats a call whose caller has lost its connection: the
// tool runs once.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	journal := hostile.NewJournal(t)
	server := hostile.HTTP(t, hostile.Options{Journal: journal})
	b := start(t, setup{servers: servers{"real": overHTTP(server.URL), "peer": overHTTP(peers.GoSDK(t, peers.GoSDKOptions{}))}})
	client, web := b.client(t), newWeb(t)
	req := &mcpbridgev1.CallToolRequest{
		Target: target, Name: "run", Arguments: arguments(t, `{"nonce":"once"}`), IdempotencyKey: "k",
	}
	first, err := client.CallTool(bounded(t), req)
	if err != nil {
		t.Fatal(err)
	}
	web.do(t, http.MethodPost, b.restURL+"/v1/"+target+"/tools/run:call", `{"arguments":{"nonce":"once"},"idempotencyKey":"k"}`).sameAs(t, first)
	if n := journal.Count(t, hostile.Executed, "once"); n != 1 {
		t.Errorf("the tool ran %d times", n)
	}
	other := &mcpbridgev1.CallToolRequest{Target: target, Name: "run", Arguments: arguments(t, `{"nonce":"other"}`), IdempotencyKey: "k"}
	var trailer metadata.MD
	_, err = client.CallTool(bounded(t), other, grpc.Trailer(&trailer))
	wantStatus(t, err, trailer, codes.AlreadyExists, "IDEMPOTENCY_KEY_REUSED", "not_sent")

	t.Run("join", func(t *testing.T) { testJoin(t, client) })
}

// testJoin: a caller leaves its call, comes back and gets its result.
func testJoin(t *testing.T, client mcpbridgev1.McpServiceClient) {
	slow := &mcpbridgev1.CallToolStreamRequest{
		Target: "servers/peer", Name: "slow", Arguments: arguments(t, `{"steps":10,"interval_ms":100}`), IdempotencyKey: "slow",
	}
	leaving, leave := context.WithCancel(bounded(t))
	stream, err := client.CallToolStream(leaving, slow)
	for e := new(event); err == nil && e.GetProgress() == nil; {
		e, err = stream.Recv()
	}
	if err != nil {
		t.Fatal(err)
	}
	leave()
	for err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Canceled {
		t.Fatalf("the caller that left got %v", err)
	}
	stream, err = client.CallToolStream(bounded(t), slow)
	if err != nil {
		t.Fatal(err)
	}
	events := receiveAll(t, stream.Recv)
	if got := textOf(events[len(events)-1].GetResult()); got != "did 10 steps" || len(events) < 3 {
		t.Errorf("the caller that came back got %d events, the last %q", len(events), got)
	}
}

// TestExtendedTimeout calls a tool that takes longer than the timeout, but makes
// progress.
func TestExtendedTimeout(t *testing.T) {
	t.Parallel()
	b := start(t, setup{servers: servers{"real": stdio(peers.GoSDKCommand(t, peers.GoSDKOptions{}))}})
	client := b.client(t)
	req := &mcpbridgev1.CallToolRequest{
		Target: target, Name: "slow", Arguments: arguments(t, `{"steps":25,"interval_ms":150}`),
		Timeout: durationpb.New(3 * time.Second), ExtendTimeoutOnProgress: true,
	}
	run(t, client, target, "echo", echoArgs("connect")) // which is no part of the time
	result, err := client.CallTool(bounded(t), req)
	if err != nil || textOf(result) != "did 25 steps" {
		t.Errorf("got %v, %v", result, err)
	}
	req.ExtendTimeoutOnProgress = false
	var trailer metadata.MD
	_, err = client.CallTool(bounded(t), req, grpc.Trailer(&trailer))
	wantStatus(t, err, trailer, codes.DeadlineExceeded, "DEADLINE_EXCEEDED", "unknown")
}

// TestParkedCallOutlivesItsCaller leaves a call that has asked, and a second
// time while the tool goes on; then it is finished all the same.
func TestParkedCallOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	a := askers()["go-sdk/http-stateful"]
	b := start(t, setup{servers: servers{"real": a.entry(t)}})
	req := a.request()
	asked, err := b.client(t).CallTool(bounded(t), req) // on a connection of its own
	if err != nil {
		t.Fatal(err)
	}
	req.RequestState, req.InputResponses = new(asked.GetInputRequired().GetRequestState()), adaResponses(t, asked.GetInputRequired())
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := b.client(t).CallTool(gone, req); status.Code(err) != codes.Canceled {
		t.Fatal(err)
	}
	result, err := b.client(t).CallTool(bounded(t), req)
	if err != nil {
		t.Fatal(err)
	}
	a.want(t, result)
	wantLost(t, b.client(t), req)
}
