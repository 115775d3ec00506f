package e2e

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/durationpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/hostile"
)

// inFront starts a bridge in front of a hostile server.
func inFront(t *testing.T, transport string, options hostile.Options) mcpbridgev1.McpServiceClient {
	t.Helper()
	return start(t, setup{servers: servers{"real": hostileEntry(t, transport, options)}}).client(t)
}

// TestWalks has the bridge walk lists of tools that have no proper end.
func TestWalks(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		options hostile.Options
		code    codes.Code
		reason  string
		names   []string
	}{
		"endless": {options: hostile.Options{Mode: "endless-pages"}, code: codes.ResourceExhausted, reason: "UPSTREAM_LIMIT"},
		"loop":    {options: hostile.Options{Mode: "repeated-cursor"}, code: codes.Internal, reason: "UPSTREAM_PROTOCOL"},
		"twice":   {options: hostile.Options{Mode: "duplicate-tools"}, names: []string{"run", "run_more"}},
		// In the older revisions an empty cursor may be a zero value that leaked.
		"empty cursor, legacy": {options: hostile.Options{Mode: "empty-cursor", Era: hostile.Legacy}, names: []string{"run"}},
		"empty cursor, modern": {
			options: hostile.Options{Mode: "empty-cursor", Era: hostile.Modern}, code: codes.InvalidArgument, reason: "UPSTREAM_INVALID_PARAMS",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var trailer metadata.MD
			request := &mcpbridgev1.ListToolsRequest{Target: target, All: true}
			list, err := inFront(t, "http", tt.options).ListTools(bounded(t), request, grpc.Trailer(&trailer))
			if tt.code != codes.OK {
				wantStatus(t, err, trailer, tt.code, tt.reason, "answered")
				return
			}
			var names []string
			for _, tool := range list.GetTools() {
				names = append(names, tool.GetName())
			}
			if err != nil || !slices.Equal(names, tt.names) {
				t.Errorf("the tools are %q, %v; want %q", names, err, tt.names)
			}
		})
	}
}

// TestAnswerOnGet: an answer may come on the stream that is there for events.
func TestAnswerOnGet(t *testing.T) {
	t.Parallel()
	client := inFront(t, "http", hostile.Options{Mode: "answer-on-get"})
	session := connect(t, client, &mcpbridgev1.ConnectRequest{})
	watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: session})
	result, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{Target: session, Name: "run", Arguments: arguments(t, `{"nonce":"n"}`)})
	if err != nil || textOf(result) != "n" {
		t.Errorf("the call ends with %v, %v", result, err)
	}
}

// TestLostSession: what a caller has connected to is not replaced unseen.
func TestLostSession(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"session-404", "session-400"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			client := inFront(t, "http", hostile.Options{Mode: mode})
			session := connect(t, client, &mcpbridgev1.ConnectRequest{})
			run(t, client, session, "run", `{"nonce":"one"}`)
			var trailer metadata.MD
			_, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{Target: session, Name: "run"}, grpc.Trailer(&trailer))
			wantStatus(t, err, trailer, codes.FailedPrecondition, "SESSION_STATE_LOST", "not_sent")
		})
	}
}

// TestProgressFlood: nothing is lost unseen of more progress than anybody reads.
func TestProgressFlood(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"stdio", "http"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			stream, err := inFront(t, transport, hostile.Options{Mode: "progress-flood"}).CallToolStream(
				bounded(t), &mcpbridgev1.CallToolStreamRequest{Target: target, Name: "run", Arguments: arguments(t, `{"nonce":"n"}`)})
			if err != nil {
				t.Fatal(err)
			}
			events := receiveAll(t, stream.Recv)
			var told, lost int64
			last := 0.0
			for _, e := range events {
				if p := e.GetProgress(); p != nil {
					if p.GetProgress() <= last {
						t.Fatalf("progress %v after %v", p.GetProgress(), last)
					}
					told, last = told+1, p.GetProgress()
				}
				lost += e.GetGap().GetDropped()
			}
			if told == 0 || told+lost != hostile.ProgressFlood {
				t.Errorf("%d events and %d lost, want %d together", told, lost, hostile.ProgressFlood)
			}
			if got := textOf(events[len(events)-1].GetResult()); got != "n" {
				t.Errorf("the last event is %v", events[len(events)-1])
			}
		})
	}
}

// moreResponse is the answer to the question of the mode endless-input.
func moreResponse(t *testing.T) *mcpbridgev1.InputResponse {
	t.Helper()
	return &mcpbridgev1.InputResponse{Response: &mcpbridgev1.InputResponse_Elicitation{
		Elicitation: &mcpbridgev1.ElicitationResponse{
			Action: mcpbridgev1.ElicitationAction_ELICITATION_ACTION_ACCEPT, Content: arguments(t, `{"more":"yes"}`),
		},
	}}
}

// TestEndlessInput: a server may ask again and again, but not for ever.
func TestEndlessInput(t *testing.T) {
	t.Parallel()
	client, ctx := inFront(t, "stdio", hostile.Options{Mode: "endless-input"}), bounded(t)
	answers := &mcpbridgev1.Answers{ElicitationForm: true}
	t.Run("inline", func(t *testing.T) {
		request := &mcpbridgev1.CallToolRequest{Target: target, Name: "run", Answers: answers, AcceptInputRequired: true}
		for range 3 { // as long as the caller likes
			response, err := client.CallTool(ctx, request)
			if err != nil || response.GetInputRequired().GetRequests()["more"] == nil {
				t.Fatalf("the call ends with %v, %v", response, err)
			}
			request.RequestState = new(response.GetInputRequired().GetRequestState())
			request.InputResponses = map[string]*mcpbridgev1.InputResponse{"more": moreResponse(t)}
		}
	})
	t.Run("stream", func(t *testing.T) {
		stream, err := client.CallToolStream(ctx, &mcpbridgev1.CallToolStreamRequest{Target: target, Name: "run", Answers: answers})
		asked := 0
		for e := new(event); err == nil; e, err = stream.Recv() {
			if e.GetRequest() == nil {
				continue
			}
			asked++
			_, err := client.Respond(ctx, &mcpbridgev1.RespondRequest{Target: target, Id: e.GetRequest().GetId(), Response: moreResponse(t)})
			if err != nil {
				t.Fatal(err)
			}
		}
		if errors.Is(err, io.EOF) || asked != 10 {
			t.Errorf("%d questions, want 10", asked)
		}
		wantStatus(t, err, stream.Trailer(), codes.ResourceExhausted, "UPSTREAM_LIMIT", "answered")
	})
}

// TestListenClosed: who watches is told of what may have been missed, and the
// server is not overrun.
func TestListenClosed(t *testing.T) {
	t.Parallel()
	server := hostile.HTTP(t, hostile.Options{Mode: "listen-closed"})
	client := start(t, setup{servers: servers{"real": overHTTP(server.URL)}}).client(t)
	stream, _ := watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: target})
	await(t, stream, "the change that may have been", func(e *mcpbridgev1.WatchEventsResponse) bool {
		return e.GetToolsChanged().GetAssumed()
	})
	run(t, client, target, "run", `{}`)
	listens := 0
	for _, r := range server.Requests() {
		if strings.Contains(r.Body, `"subscriptions/listen"`) {
			listens++
		}
	}
	if listens < 2 || listens > 4 {
		t.Errorf("it was listened %d times", listens)
	}
}

// TestDeafChild: what does not go out is known not to have been sent.
func TestDeafChild(t *testing.T) {
	t.Parallel()
	client := inFront(t, "stdio", hostile.Options{Mode: "deaf"})
	session := connect(t, client, &mcpbridgev1.ConnectRequest{})
	request := &mcpbridgev1.CallToolRequest{
		Target: session, Name: "run", Arguments: arguments(t, `{"nonce":"`+strings.Repeat("x", 1<<20)+`"}`),
		Timeout: durationpb.New(silentTimeout),
	}
	for _, delivery := range []string{"unknown", "not_sent"} { // the first fills the pipe
		var trailer metadata.MD
		_, err := client.CallTool(bounded(t), request, grpc.Trailer(&trailer))
		wantStatus(t, err, trailer, codes.DeadlineExceeded, "DEADLINE_EXCEEDED", delivery)
	}
	disconnect(t, client, session)
}
