package main

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// TestQuestionsOfOthers answers a question of somebody else's, and goes on with
// somebody else's call.
func TestQuestionsOfOthers(t *testing.T) {
	t.Parallel()
	const server = "servers/server"
	b := twoCallers(t)
	ann, bob := mcpbridgev1.NewMcpServiceClient(b.dial(t, tokenAnn)), b.dial(t, tokenBob)
	answers := &mcpbridgev1.Answers{ElicitationForm: true}
	asked, err := ann.CallTool(t.Context(), &mcpbridgev1.CallToolRequest{Target: server, Name: "ask", Answers: answers, AcceptInputRequired: true})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := ann.CallToolStream(t.Context(), &mcpbridgev1.CallToolStreamRequest{Target: server, Name: "ask", Answers: answers})
	if err != nil {
		t.Fatal(err)
	}
	var question *mcpbridgev1.ServerRequest
	for question == nil {
		e, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		question = e.GetRequest()
	}
	web := newWeb(t)
	const accept = `{"elicitation":{"action":"ELICITATION_ACTION_ACCEPT","content":{"name":"Bob"}}}`
	for name, tt := range map[string]struct {
		method, stolen, unknown string
		grpc                    func(string) string
		rest                    func(string) restRequest
		code                    codes.Code
	}{
		"a question": {
			"Respond", question.GetId(), strings.Repeat("A", len(question.GetId())),
			func(id string) string { return fmt.Sprintf(`{"target":%q,"id":%q,"response":%s}`, server, id, accept) },
			func(id string) restRequest {
				return restRequest{"POST", "/requests/" + id + ":respond", `{"response":` + accept + `}`}
			}, codes.NotFound,
		},
		"a call": {
			"CallTool", asked.GetInputRequired().GetRequestState(), strings.Repeat("A", len(asked.GetInputRequired().GetRequestState())),
			func(state string) string {
				return fmt.Sprintf(`{"target":%q,"name":"ask","acceptInputRequired":true,"requestState":%q}`, server, state)
			},
			func(state string) restRequest {
				return restRequest{"POST", "/tools/ask:call", fmt.Sprintf(`{"acceptInputRequired":true,"requestState":%q}`, state)}
			}, codes.FailedPrecondition,
		},
	} {
		got, want := byGRPC(t, bob, tt.method, requestOf(tt.method, tt.grpc(tt.stolen))), byGRPC(t, bob, tt.method, requestOf(tt.method, tt.grpc(tt.unknown)))
		if got != want || want.code != tt.code {
			t.Errorf("%s of another gives\n%+v\nwhat is unknown\n%+v", name, got, want)
		}
		got, want = b.byREST(t, web, tt.rest(tt.stolen), server), b.byREST(t, web, tt.rest(tt.unknown), server)
		if got != want || want.code == codes.OK {
			t.Errorf("%s of another gives by REST\n%+v\nwhat is unknown\n%+v", name, got, want)
		}
	}
	// The question still waits for her.
	var response mcpbridgev1.InputResponse
	if err := protojson.Unmarshal([]byte(accept), &response); err != nil {
		t.Fatal(err)
	}
	if _, err := ann.Respond(t.Context(), &mcpbridgev1.RespondRequest{Target: server, Id: question.GetId(), Response: &response}); err != nil {
		t.Errorf("the owner: %v", err)
	}
}
