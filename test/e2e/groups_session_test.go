package e2e

import (
	"testing"

	"google.golang.org/grpc/codes"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// TestGroupOfSessions puts sessions behind one name: what servers tell and ask
// goes through the group, and a session that ends takes its tools with it.
func TestGroupOfSessions(t *testing.T) {
	t.Parallel()
	b := start(t, setup{servers: servers{
		"real":  overHTTP(peers.GoSDK(t, peers.GoSDKOptions{Stateful: true})),
		"other": stdio(peers.GoSDKCommand(t, peers.GoSDKOptions{})),
	}})
	client := b.client(t)
	one, two := openSession(t, client, "servers/real"), openSession(t, client, "servers/other")
	made, err := client.CreateGroup(bounded(t), &mcpbridgev1.CreateGroupRequest{
		Members: []*mcpbridgev1.GroupMember{{Name: "one", Target: one}, {Name: "two", Target: two}},
	})
	if err != nil {
		t.Fatal(err)
	}
	group := made.GetGroup().GetName()
	t.Run("watch", func(t *testing.T) { testGroupWatch(t, client, group) })
	t.Run("questions on a stream", func(t *testing.T) {
		a := askers()["go-sdk/http-stateful"]
		a.tool = "one__" + a.tool
		a.testStream(t, client, group)
	})
	t.Run("questions to watchers", func(t *testing.T) { testGroupQuestion(t, client, group) })
	t.Run("for all members", func(t *testing.T) { testGroupTell(t, client, group) })
	t.Run("session ends", func(t *testing.T) { testGroupSessionEnds(t, client, group, one) })
}

// openSession opens a session with a server, whose questions for forms and roots
// are answered.
func openSession(t *testing.T, client mcpbridgev1.McpServiceClient, server string) (name string) {
	t.Helper()
	return connect(t, client, &mcpbridgev1.ConnectRequest{
		Peer:    &mcpbridgev1.ConnectRequest_Server{Server: server},
		Answers: &mcpbridgev1.Answers{ElicitationForm: true, Roots: true},
	})
}

func testGroupWatch(t *testing.T, client mcpbridgev1.McpServiceClient, group string) {
	stream, _ := watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: group})
	subscribe := &mcpbridgev1.SubscribeResourceRequest{Target: group, Uri: peers.TextURI, Member: "one"}
	if _, err := client.SubscribeResource(bounded(t), subscribe); err != nil {
		t.Fatal(err)
	}
	run(t, client, group, "one__touch", `{"uri":"`+peers.TextURI+`"}`)
	if e := await(t, stream, "the update of a resource", updated(peers.TextURI)); e.GetMember() != "one" {
		t.Errorf("the update is of %q", e.GetMember())
	}
	unsubscribe := &mcpbridgev1.UnsubscribeResourceRequest{Target: group, Uri: peers.TextURI, Member: "one"}
	if _, err := client.UnsubscribeResource(bounded(t), unsubscribe); err != nil {
		t.Error(err)
	}
	member := &mcpbridgev1.GroupMember{Name: "three", Target: "servers/other"}
	if _, err := client.AddGroupMember(bounded(t), &mcpbridgev1.AddGroupMemberRequest{Name: group, Member: member}); err != nil {
		t.Fatal(err)
	}
	if e := await(t, stream, "the change of the members", grown); e.GetMember() != "" {
		t.Errorf("the change is of %q", e.GetMember())
	}
	run(t, client, group, "three__grow", `{}`)
	await(t, stream, "the change of the new member", func(e *mcpbridgev1.WatchEventsResponse) bool {
		return grown(e) && e.GetMember() == "three"
	})
	// With a member that is no session, this is for sessions only.
	_, err := client.SetLoggingLevel(bounded(t), &mcpbridgev1.SetLoggingLevelRequest{
		Target: group, Level: mcpbridgev1.LoggingLevel_LOGGING_LEVEL_INFO,
	})
	wantReason(t, err, codes.FailedPrecondition, "CONNECT_FIRST")
	if _, err := client.RemoveGroupMember(bounded(t), &mcpbridgev1.RemoveGroupMemberRequest{Name: group, Member: "three"}); err != nil {
		t.Error(err)
	}
	if _, err := client.RemoveGroupMember(bounded(t), &mcpbridgev1.RemoveGroupMemberRequest{Name: group, Member: "three"}); err == nil {
		t.Error("the member is removed twice")
	}
}

func testGroupQuestion(t *testing.T, client mcpbridgev1.McpServiceClient, group string) {
	a := askers()["go-sdk/http-stateful"]
	stream, _ := watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: group})
	called := make(chan error, 1)
	go func() {
		_, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{Target: group, Name: "one__" + a.tool})
		called <- err
	}()
	e := await(t, stream, "the question", func(e *mcpbridgev1.WatchEventsResponse) bool { return e.GetRequest() != nil })
	if e.GetMember() != "one" {
		t.Errorf("the question is of %q", e.GetMember())
	}
	a.respond(t, client, group, e.GetRequest())
	if err := <-called; err != nil {
		t.Errorf("the call: %v", err)
	}
}

func testGroupTell(t *testing.T, client mcpbridgev1.McpServiceClient, group string) {
	root := &mcpbridgev1.Root{Uri: "file:///tmp"}
	if _, err := client.SetRoots(bounded(t), &mcpbridgev1.SetRootsRequest{Target: group, Roots: []*mcpbridgev1.Root{root}}); err != nil {
		t.Error(err)
	}
	_, err := client.SetLoggingLevel(bounded(t), &mcpbridgev1.SetLoggingLevelRequest{
		Target: group, Level: mcpbridgev1.LoggingLevel_LOGGING_LEVEL_INFO,
	})
	if err != nil {
		t.Error(err)
	}
	token := "1"
	_, err = client.SendProgress(bounded(t), &mcpbridgev1.SendProgressRequest{Target: group, ProgressTokenJson: &token})
	wantReason(t, err, codes.FailedPrecondition, "CONNECT_FIRST")
}

func testGroupSessionEnds(t *testing.T, client mcpbridgev1.McpServiceClient, group, session string) {
	run(t, client, group, "one__echo", echoArgs("hi"))
	disconnect(t, client, session)
	_, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{Target: group, Name: "one__echo", Arguments: arguments(t, echoArgs("hi"))})
	wantReason(t, err, codes.NotFound, "ITEM_NOT_FOUND")
	names, resp := toolNames(t, client, group)
	if missing := resp.GetMissing(); len(missing) != 1 || missing[0].GetMember() != "one" || missing[0].GetFailure().GetReason() != "SESSION_NOT_FOUND" {
		t.Errorf("tools are %q, missing is %v", names, missing)
	}
	got, err := client.GetGroup(bounded(t), &mcpbridgev1.GetGroupRequest{Name: group})
	if err != nil || got.GetGroup().GetMembers()[0].GetState() != mcpbridgev1.State_STATE_SHUTDOWN {
		t.Errorf("the group is %v, %v", got, err)
	}
	run(t, client, group, "two__echo", echoArgs("hi"))
	stream, _ := watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: group})
	if _, err := client.DeleteGroup(bounded(t), &mcpbridgev1.DeleteGroupRequest{Name: group}); err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil; {
		_, err = stream.Recv()
	}
	wantReason(t, err, codes.NotFound, "GROUP_NOT_FOUND")
}
