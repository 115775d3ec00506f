package e2e

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// TestGroupTasks begins tasks through a group, and looks at them there.
func TestGroupTasks(t *testing.T) {
	t.Parallel()
	b := start(t, setup{
		servers: servers{
			"old":   stdio(peers.EverythingCommand(t)),
			"new":   overHTTP(peers.TasksHTTP(t)),
			"plain": stdio(peers.GoSDKCommand(t, peers.GoSDKOptions{})),
			"gone":  overHTTP("http://127.0.0.1:1/mcp"),
		},
		config: "groups:\n  all:\n    members: [old, new, plain]\n",
	})
	client := b.client(t)
	for member, w := range map[string]worker{"old": workers()["everything/stdio"], "new": workers()["extension/http"]} {
		w.tool, w.asking = member+"__"+w.tool, member+"__"+w.asking
		t.Run(member, func(t *testing.T) {
			t.Run("wait", func(t *testing.T) { w.testGroupWait(t, client) })
			t.Run("REST", func(t *testing.T) { w.testGroupREST(t, b) })
			t.Run("watch", func(t *testing.T) { w.testGroupWatch(t, client, member) })
		})
	}
	t.Run("questions", func(t *testing.T) {
		w := workers()["everything/stdio"]
		w.testGroupAsks(t, client)
	})
	t.Run("list", func(t *testing.T) { testGroupTaskList(t, client) })
	t.Run("mistakes", func(t *testing.T) { testGroupTaskMistakes(t, client) })
}

func (w worker) testGroupWait(t *testing.T, client mcpbridgev1.McpServiceClient) {
	task := w.begin(t, client, group, w.tool, w.work)
	now, err := client.GetTask(bounded(t), &mcpbridgev1.GetTaskRequest{Target: group, TaskId: task.GetTaskId(), Wait: durationpb.New(time.Minute)})
	if err != nil || now.GetTask().GetTaskId() != task.GetTaskId() || !strings.Contains(textsOf(now.GetResult()), w.done) {
		t.Errorf("it ended %v, %v", now, err)
	}
}

func (w worker) testGroupREST(t *testing.T, b *bridge) {
	web, base := newWeb(t), b.restURL+"/v1/"+group
	begun := new(mcpbridgev1.CallToolResponse)
	web.do(t, http.MethodPost, base+"/tools/"+w.tool+":call", `{"arguments":`+w.work+`,"task":{"ttl":"60s"}}`).into(t, begun)
	id := begun.GetTask().GetTaskId()
	cancelled := new(mcpbridgev1.CancelTaskResponse)
	web.do(t, http.MethodPost, base+"/tasks/"+url.PathEscape(id)+":cancel", "").into(t, cancelled)
	if task := cancelled.GetTask(); task.GetStatus() != mcpbridgev1.TaskStatus_TASK_STATUS_CANCELLED || task.GetTaskId() != id {
		t.Errorf("it ended %v", cancelled)
	}
}

func (w worker) testGroupWatch(t *testing.T, client mcpbridgev1.McpServiceClient, member string) {
	events, _ := watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: group})
	task := w.begin(t, client, group, w.tool, w.work)
	e := await(t, events, "the end of the task", func(e *mcpbridgev1.WatchEventsResponse) bool {
		now := e.GetTaskStatus()
		return now.GetTaskId() == task.GetTaskId() && now.GetStatus() == mcpbridgev1.TaskStatus_TASK_STATUS_COMPLETED
	})
	if e.GetMember() != member {
		t.Errorf("it is told by %q", e.GetMember())
	}
}

// testGroupAsks: a task of a session asks whoever looks at it, in a group too.
func (w worker) testGroupAsks(t *testing.T, client mcpbridgev1.McpServiceClient) {
	session := openSession(t, client, "servers/old")
	made, err := client.CreateGroup(bounded(t), &mcpbridgev1.CreateGroupRequest{Members: []*mcpbridgev1.GroupMember{{Name: "own", Target: session}}})
	if err != nil {
		t.Fatal(err)
	}
	group := made.GetGroup().GetName()
	task := w.begin(t, client, group, "own__"+w.asking, w.ask)
	look := &mcpbridgev1.GetTaskRequest{Target: group, TaskId: task.GetTaskId(), Wait: durationpb.New(time.Minute)}
	now, err := client.GetTask(bounded(t), look)
	if err != nil {
		t.Fatal(err)
	}
	update, err := client.UpdateTask(bounded(t), &mcpbridgev1.UpdateTaskRequest{
		Target: group, TaskId: task.GetTaskId(),
		InputResponses: w.responses(t, now.GetInputRequired()), RequestState: now.GetInputRequired().GetRequestState(),
	})
	if err != nil || update.GetTask().GetTaskId() != task.GetTaskId() {
		t.Fatalf("answered: %v, %v", update, err)
	}
	if now, err = client.GetTask(bounded(t), look); err != nil || !strings.Contains(textsOf(now.GetResult()), w.answered) {
		t.Errorf("it ended %v, %v", now, err)
	}
	// Under another name it is still the same task.
	if _, err := client.RemoveGroupMember(bounded(t), &mcpbridgev1.RemoveGroupMemberRequest{Name: group, Member: "own"}); err != nil {
		t.Fatal(err)
	}
	_, err = client.GetTask(bounded(t), look)
	wantReason(t, err, codes.NotFound, "TASK_NOT_FOUND")
	member := &mcpbridgev1.GroupMember{Name: "renamed", Target: session}
	if _, err := client.AddGroupMember(bounded(t), &mcpbridgev1.AddGroupMemberRequest{Name: group, Member: member}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.GetTask(bounded(t), look); err != nil {
		t.Error(err)
	}
	disconnect(t, client, session)
	_, err = client.GetTask(bounded(t), look)
	wantReason(t, err, codes.NotFound, "TASK_NOT_FOUND")
}

func testGroupTaskList(t *testing.T, client mcpbridgev1.McpServiceClient) {
	w := workers()["everything/stdio"]
	task := w.begin(t, client, group, "old__"+w.tool, w.work)
	all, err := client.ListTasks(bounded(t), &mcpbridgev1.ListTasksRequest{Target: group})
	listed := func(one *mcpbridgev1.Task) bool { return one.GetTaskId() == task.GetTaskId() }
	if err != nil || !slices.ContainsFunc(all.GetTasks(), listed) || len(all.GetMissing()) > 0 || all.NextCursor != nil {
		t.Errorf("the tasks are %v, %v", all, err)
	}
	made, err := client.CreateGroup(bounded(t), &mcpbridgev1.CreateGroupRequest{Members: []*mcpbridgev1.GroupMember{
		{Target: "servers/gone"}, {Target: "servers/old"}, {Name: "again", Target: "servers/old"},
	}, Naming: &mcpbridgev1.Naming{Template: "{server}.{name}"}})
	if err != nil {
		t.Fatal(err)
	}
	fewer, err := client.ListTasks(bounded(t), &mcpbridgev1.ListTasksRequest{Target: made.GetGroup().GetName()})
	if err != nil || len(fewer.GetTasks()) != len(all.GetTasks()) || len(fewer.GetMissing()) != 1 || fewer.GetMissing()[0].GetMember() != "gone" {
		t.Errorf("the tasks are %v, %v", fewer, err)
	}
	_, err = client.ListTasks(bounded(t), &mcpbridgev1.ListTasksRequest{Target: group, Cursor: new(string)})
	wantReason(t, err, codes.InvalidArgument, "INVALID_REQUEST")
	closed, err := client.CreateGroup(bounded(t), &mcpbridgev1.CreateGroupRequest{GroupId: "closed", FailClosed: true})
	if err != nil {
		t.Fatal(err)
	}
	none, err := client.ListTasks(bounded(t), &mcpbridgev1.ListTasksRequest{Target: closed.GetGroup().GetName()})
	if err != nil || len(none.GetTasks()) > 0 {
		t.Errorf("of nobody: %v, %v", none, err)
	}
}

func testGroupTaskMistakes(t *testing.T, client mcpbridgev1.McpServiceClient) {
	w := workers()["everything/stdio"]
	own := w.begin(t, client, "servers/old", w.tool, w.work).GetTaskId()
	task := w.begin(t, client, group, "old__"+w.tool, w.work).GetTaskId()
	mark, _, _ := strings.Cut(task, "~")
	for name, id := range map[string]string{
		"the member's own": own, "nonsense": "x~y", "no task": mark + "~", "unknown there": mark + "~" + own + "x",
	} {
		_, err := client.GetTask(bounded(t), &mcpbridgev1.GetTaskRequest{Target: group, TaskId: id})
		wantReason(t, err, codes.NotFound, "TASK_NOT_FOUND")
		if t.Failed() {
			t.Fatalf("it was %s: %q", name, id)
		}
	}
	if _, err := client.GetTask(bounded(t), &mcpbridgev1.GetTaskRequest{Target: group, TaskId: mark + "~" + own}); err != nil {
		t.Errorf("a task that was begun at the member itself: %v", err)
	}
	_, err := client.GetTask(bounded(t), &mcpbridgev1.GetTaskRequest{Target: "servers/old", TaskId: task})
	wantReason(t, err, codes.NotFound, "TASK_NOT_FOUND")
	_, err = client.GetTask(bounded(t), &mcpbridgev1.GetTaskRequest{Target: "groups/none", TaskId: task})
	wantReason(t, err, codes.NotFound, "GROUP_NOT_FOUND")
}
