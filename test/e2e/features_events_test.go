package e2e

import (
	"testing"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// testSubscription is told of a resource while it is subscribed to, and the
// watchers of the server's own events are too.
func (w way) testSubscription(t *testing.T, client mcpbridgev1.McpServiceClient) {
	session := connect(t, client, &mcpbridgev1.ConnectRequest{})
	stream, _ := watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: session})
	subscribe := &mcpbridgev1.SubscribeResourceRequest{Target: session, Uri: peers.TextURI}
	if _, err := client.SubscribeResource(bounded(t), subscribe); err != nil {
		t.Fatal(err)
	}
	touch := `{"uri":"` + peers.TextURI + `"}`
	run(t, client, session, "touch", touch)
	await(t, stream, "the update of a resource", updated(peers.TextURI))

	shared, ready := watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: target, ResourceUris: []string{peers.BytesURI}})
	if len(ready.GetResourceUris()) != 1 {
		t.Errorf("ready is %v", ready)
	}
	run(t, client, target, "touch", `{"uri":"`+peers.BytesURI+`"}`)
	await(t, shared, "the update of another", updated(peers.BytesURI))

	unsubscribe := &mcpbridgev1.UnsubscribeResourceRequest{Target: session, Uri: peers.TextURI}
	if _, err := client.UnsubscribeResource(bounded(t), unsubscribe); err != nil {
		t.Fatal(err)
	}
	run(t, client, session, "touch", touch)
	run(t, client, session, "grow", `{}`)
	await(t, stream, "the change of the tools", func(e *mcpbridgev1.WatchEventsResponse) bool {
		if e.GetResourceUpdated() != nil {
			t.Errorf("after the subscription: %v", e)
		}
		return grown(e)
	})
}

// testChangedList lists the tools again when it is told to.
func (w way) testChangedList(t *testing.T, client mcpbridgev1.McpServiceClient) {
	session := connect(t, client, &mcpbridgev1.ConnectRequest{})
	stream, _ := watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: session})
	list := func() map[string]bool {
		t.Helper()
		tools, err := client.ListTools(bounded(t), &mcpbridgev1.ListToolsRequest{Target: session, All: true})
		if err != nil {
			t.Fatal(err)
		}
		names := make(map[string]bool)
		for _, tool := range tools.GetTools() {
			names[tool.GetName()] = true
		}
		return names
	}
	before := list()
	added, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{Target: session, Name: "grow"})
	if err != nil {
		t.Fatal(err)
	}
	await(t, stream, "the change of the tools", grown)
	if name := textOf(added); before[name] || !list()[name] {
		t.Errorf("the tool %q: before %v, after %v", name, before, list())
	}
}

// testLoggingLevel has the messages from a level on, and not those below.
func (w way) testLoggingLevel(t *testing.T, client mcpbridgev1.McpServiceClient) {
	session := connect(t, client, &mcpbridgev1.ConnectRequest{})
	for level, want := range map[mcpbridgev1.LoggingLevel]bool{
		mcpbridgev1.LoggingLevel_LOGGING_LEVEL_DEBUG: true,
		mcpbridgev1.LoggingLevel_LOGGING_LEVEL_ERROR: false,
	} {
		if _, err := client.SetLoggingLevel(bounded(t), &mcpbridgev1.SetLoggingLevelRequest{Target: session, Level: level}); err != nil {
			t.Fatal(err)
		}
		stream, err := client.CallToolStream(bounded(t), &mcpbridgev1.CallToolStreamRequest{
			Target: session, Name: "slow", Arguments: arguments(t, `{"steps":1,"interval_ms":0}`),
		})
		if err != nil {
			t.Fatal(err)
		}
		logged := false
		for _, e := range receiveAll(t, stream.Recv) {
			logged = logged || e.GetLog() != nil
		}
		if logged != want {
			t.Errorf("at level %v, a message at info comes: %t, want %t", level, logged, want)
		}
	}
}

// testAskURL is asked to open a page, and says that it has.
func (w way) testAskURL(t *testing.T, client mcpbridgev1.McpServiceClient) {
	req := &mcpbridgev1.CallToolRequest{
		Target: target, Name: "visit", AcceptInputRequired: true, Answers: &mcpbridgev1.Answers{ElicitationUrl: true},
	}
	asked, err := client.CallTool(bounded(t), req)
	if err != nil {
		t.Fatal(err)
	}
	req.RequestState = new(asked.GetInputRequired().GetRequestState())
	req.InputResponses = make(map[string]*mcpbridgev1.InputResponse)
	for key, question := range asked.GetInputRequired().GetRequests() {
		if got := question.GetElicitation().GetUrl(); got.GetUrl() != peers.VisitURL || got.GetElicitationId() != "consent-1" {
			t.Errorf("the question is %v", question)
		}
		req.InputResponses[key] = &mcpbridgev1.InputResponse{Response: &mcpbridgev1.InputResponse_Elicitation{
			Elicitation: &mcpbridgev1.ElicitationResponse{Action: mcpbridgev1.ElicitationAction_ELICITATION_ACTION_ACCEPT},
		}}
	}
	result, err := client.CallTool(bounded(t), req)
	if got := textsOf(result); err != nil || got != `{"action":"accept"}` {
		t.Errorf("the result is %s, %v", got, err)
	}
}
