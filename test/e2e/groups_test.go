package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

const group = "groups/all"

// TestGroup puts servers of four kinds behind one name.
func TestGroup(t *testing.T) {
	t.Parallel()
	b := start(t, setup{
		servers: servers{
			"every":  stdio(peers.EverythingCommand(t)),
			"ts":     overHTTP(peers.V2HTTP(t)),
			"socket": {URL: peers.WebSocket(t, peers.EverythingCommand(t))},
			"gosdk":  stdio(peers.GoSDKCommand(t, peers.GoSDKOptions{})),
		},
		config: "groups:\n  all:\n    members: [every, ts, socket, gosdk]\n",
	})
	client := b.client(t)
	t.Run("lists", func(t *testing.T) { testGroupLists(t, client) })
	t.Run("calls", func(t *testing.T) { testGroupCalls(t, b, client) })
	t.Run("resources", func(t *testing.T) { testGroupResources(t, client) })
	t.Run("configured", func(t *testing.T) { testGroupConfigured(t, client) })
	t.Run("collision", func(t *testing.T) { testGroupCollision(t, client) })
	t.Run("changes", func(t *testing.T) { testGroupChanges(t, client) })
	t.Run("member killed", func(t *testing.T) { testGroupKilled(t, b, client) })
	t.Run("member added under load", func(t *testing.T) { testGroupLoad(t, client) })
}

// wantReason checks the code of an error and the reason that it gives.
func wantReason(t *testing.T, err error, code codes.Code, reason string) {
	t.Helper()
	st := status.Convert(err)
	got := detail[*errdetails.ErrorInfo](st).GetReason()
	if st.Code() != code || got != reason {
		t.Errorf("the error is %v, reason %q, want %v, %q", err, got, code, reason)
	}
}

func toolNames(t *testing.T, client mcpbridgev1.McpServiceClient, target string) (names []string, resp *mcpbridgev1.ListToolsResponse) {
	t.Helper()
	resp, err := client.ListTools(bounded(t), &mcpbridgev1.ListToolsRequest{Target: target, All: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range resp.GetTools() {
		names = append(names, tool.GetName())
	}
	return names, resp
}

func testGroupLists(t *testing.T, client mcpbridgev1.McpServiceClient) {
	names, resp := toolNames(t, client, group)
	if len(resp.GetMissing()) > 0 || resp.NextCursor != nil {
		t.Errorf("missing %v, next cursor %v", resp.GetMissing(), resp.NextCursor)
	}
	var want []string
	for _, member := range []string{"every", "ts", "socket", "gosdk"} {
		own, _ := toolNames(t, client, "servers/"+member)
		for _, name := range own {
			want = append(want, member+"__"+name)
		}
	}
	if !slices.Equal(names, want) {
		t.Errorf("tools of the group are %q, want %q", names, want)
	}
	first := resp.GetTools()[0].GetOrigin()
	if first.GetMember() != "every" || first.GetTarget() != "servers/every" || "every__"+first.GetName() != names[0] {
		t.Errorf("origin of %s is %v", names[0], first)
	}
	prompts, err := client.ListPrompts(bounded(t), &mcpbridgev1.ListPromptsRequest{Target: group})
	if err != nil || !slices.ContainsFunc(prompts.GetPrompts(), func(p *mcpbridgev1.Prompt) bool { return p.GetName() == "ts__greet" }) {
		t.Errorf("prompts are %v, %v", prompts.GetPrompts(), err)
	}
	templates, err := client.ListResourceTemplates(bounded(t), &mcpbridgev1.ListResourceTemplatesRequest{Target: group})
	if err != nil || len(templates.GetResourceTemplates()) == 0 {
		t.Errorf("templates are %v, %v", templates.GetResourceTemplates(), err)
	}
	_, err = client.ListTools(bounded(t), &mcpbridgev1.ListToolsRequest{Target: group, Cursor: new(string)})
	wantReason(t, err, codes.InvalidArgument, "INVALID_REQUEST")
}

func testGroupCalls(t *testing.T, b *bridge, client mcpbridgev1.McpServiceClient) {
	for member, echoed := range map[string]string{"every": "Echo: hi", "ts": "hi", "socket": "Echo: hi", "gosdk": "hi"} {
		resp, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{
			Target: group, Name: member + "__echo", Arguments: arguments(t, echoArgs("hi")),
		})
		if err != nil {
			t.Errorf("%s: %v", member, err)
			continue
		}
		if got := resp.GetContent()[0].GetText().GetText(); got != echoed {
			t.Errorf("%s says %q, want %q", member, got, echoed)
		}
	}
	r := newWeb(t).do(t, http.MethodPost, b.restURL+"/v1/"+group+"/tools/gosdk__echo:call", `{"arguments":`+echoArgs("x")+`}`)
	if r.status != http.StatusOK || !strings.Contains(string(r.body), `"x"`) {
		t.Errorf("REST: %d %s", r.status, r.body)
	}
	_, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{Target: group, Name: "nobody__echo"})
	wantReason(t, err, codes.NotFound, "ITEM_NOT_FOUND")
	_, err = client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{Target: "groups/none", Name: "x"})
	wantReason(t, err, codes.NotFound, "GROUP_NOT_FOUND")
	prompt, err := client.GetPrompt(bounded(t), &mcpbridgev1.GetPromptRequest{
		Target: group, Name: "gosdk__greet", Arguments: map[string]string{"name": "Ada", "tone": "warmly"},
	})
	if err != nil || !strings.Contains(prompt.String(), "Greet Ada warmly") {
		t.Errorf("prompt: %v, %v", prompt, err)
	}
	complete := completion("gosdk__greet", "tone", "w")
	complete.Target = group
	values, err := client.Complete(bounded(t), complete)
	if err != nil || len(values.GetCompletion().GetValues()) == 0 {
		t.Errorf("completion: %v, %v", values, err)
	}
	if _, err := client.Ping(bounded(t), &mcpbridgev1.PingRequest{Target: group}); err != nil {
		t.Errorf("ping: %v", err)
	}
}

func testGroupResources(t *testing.T, client mcpbridgev1.McpServiceClient) {
	list, err := client.ListResources(bounded(t), &mcpbridgev1.ListResourcesRequest{Target: group})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list.GetResources(), func(r *mcpbridgev1.Resource) bool { return r.GetOrigin().GetMember() == "gosdk" })
	if i < 0 {
		t.Fatalf("resources are %v", list.GetResources())
	}
	for what, req := range map[string]*mcpbridgev1.ReadResourceRequest{
		"listed URI":    {Uri: peers.TextURI},
		"named member":  {Uri: peers.TextURI, Member: "gosdk"},
		"name in group": {Uri: list.GetResources()[i].GetName()},
		"template":      {Uri: "demo://resource/dynamic/text/7"},
	} {
		req.Target = group
		resp, err := client.ReadResource(bounded(t), req)
		if err != nil || len(resp.GetContents()) == 0 {
			t.Errorf("%s: %v, %v", what, resp, err)
		}
	}
	_, err = client.ReadResource(bounded(t), &mcpbridgev1.ReadResourceRequest{Target: group, Uri: "none://at/all"})
	wantReason(t, err, codes.NotFound, "ITEM_NOT_FOUND")
	_, err = client.ReadResource(bounded(t), &mcpbridgev1.ReadResourceRequest{Target: group, Uri: peers.TextURI, Member: "nobody"})
	wantReason(t, err, codes.NotFound, "MEMBER_NOT_FOUND")
	_, err = client.SubscribeResource(bounded(t), &mcpbridgev1.SubscribeResourceRequest{Target: group, Uri: peers.TextURI})
	wantReason(t, err, codes.FailedPrecondition, "CONNECT_FIRST")
}

func testGroupConfigured(t *testing.T, client mcpbridgev1.McpServiceClient) {
	got, err := client.GetGroup(bounded(t), &mcpbridgev1.GetGroupRequest{Name: group})
	if err != nil || !got.GetGroup().GetConfigured() || len(got.GetGroup().GetMembers()) != 4 {
		t.Errorf("group is %v, %v", got, err)
	}
	_, err = client.DeleteGroup(bounded(t), &mcpbridgev1.DeleteGroupRequest{Name: group})
	wantReason(t, err, codes.FailedPrecondition, "GROUP_CONFIGURED")
	_, err = client.CreateGroup(bounded(t), &mcpbridgev1.CreateGroupRequest{GroupId: "all"})
	wantReason(t, err, codes.AlreadyExists, "GROUP_EXISTS")
}

func testGroupCollision(t *testing.T, client mcpbridgev1.McpServiceClient) {
	members := []*mcpbridgev1.GroupMember{{Target: "servers/gosdk"}, {Target: "servers/ts"}}
	never := &mcpbridgev1.Naming{Mode: mcpbridgev1.NamingMode_NAMING_MODE_NEVER}
	_, err := client.CreateGroup(bounded(t), &mcpbridgev1.CreateGroupRequest{GroupId: "clash", Members: members, Naming: never})
	wantReason(t, err, codes.AlreadyExists, "NAME_COLLISION")
	if err != nil && !strings.Contains(err.Error(), `"echo"`) {
		t.Errorf("the error does not name echo: %v", err)
	}
	_, err = client.GetGroup(bounded(t), &mcpbridgev1.GetGroupRequest{Name: "groups/clash"})
	wantReason(t, err, codes.NotFound, "GROUP_NOT_FOUND")

	made, err := client.CreateGroup(bounded(t), &mcpbridgev1.CreateGroupRequest{GroupId: "clash", Members: members[:1], Naming: never})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.AddGroupMember(bounded(t), &mcpbridgev1.AddGroupMemberRequest{Name: made.GetGroup().GetName(), Member: members[1]})
	wantReason(t, err, codes.AlreadyExists, "NAME_COLLISION")
	got, err := client.GetGroup(bounded(t), &mcpbridgev1.GetGroupRequest{Name: made.GetGroup().GetName()})
	if err != nil || len(got.GetGroup().GetMembers()) != 1 {
		t.Errorf("after the collision the group is %v, %v", got, err)
	}
	run(t, client, "groups/clash", "echo", echoArgs("still there"))

	conflict := &mcpbridgev1.Naming{Mode: mcpbridgev1.NamingMode_NAMING_MODE_ON_CONFLICT, ModelSafe: true}
	if _, err := client.CreateGroup(bounded(t), &mcpbridgev1.CreateGroupRequest{GroupId: "mixed", Members: members[:1], Naming: conflict}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.AddGroupMember(bounded(t), &mcpbridgev1.AddGroupMemberRequest{Name: "groups/mixed", Member: members[1]}); err != nil {
		t.Fatal(err)
	}
	names, _ := toolNames(t, client, "groups/mixed")
	if !slices.Contains(names, "echo") || !slices.Contains(names, "ts__echo") || slices.Contains(names, "gosdk__echo") {
		t.Errorf("names with on_conflict are %q", names)
	}
	for _, id := range []string{"groups/mixed", "groups/clash"} {
		if _, err := client.DeleteGroup(bounded(t), &mcpbridgev1.DeleteGroupRequest{Name: id}); err != nil {
			t.Error(err)
		}
	}
}

// testGroupChanges lets a member grow a tool while the group is watched.
func testGroupChanges(t *testing.T, client mcpbridgev1.McpServiceClient) {
	before, _ := toolNames(t, client, group)
	stream, ready := watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: group})
	if ready.GetState() != mcpbridgev1.State_STATE_READY {
		t.Errorf("ready is %v", ready)
	}
	run(t, client, group, "gosdk__grow", `{}`)
	e := await(t, stream, "the change of the tools", grown)
	if e.GetMember() != "gosdk" {
		t.Errorf("the change is of %q", e.GetMember())
	}
	after, _ := toolNames(t, client, group)
	if len(after) != len(before)+1 {
		t.Errorf("tools were %q, are %q", before, after)
	}
}

// testGroupKilled kills a member's process, and expects it back.
func testGroupKilled(t *testing.T, b *bridge, client mcpbridgev1.McpServiceClient) {
	killed := 0
	for _, child := range descendants(t, b.pid()) {
		if strings.Contains(child.name, ".test") && syscall.Kill(child.pid, syscall.SIGKILL) == nil {
			killed++
		}
	}
	if killed != 1 {
		t.Errorf("%d processes of the member were killed, want 1", killed)
	}
	eventually(t, startBound, func() error {
		_, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{
			Target: group, Name: "gosdk__echo", Arguments: arguments(t, echoArgs("hi")),
		})
		return err
	})
	names, resp := toolNames(t, client, group)
	if len(resp.GetMissing()) > 0 || !slices.Contains(names, "gosdk__echo") {
		t.Errorf("after the kill: missing %v", resp.GetMissing())
	}
}

// testGroupLoad adds and removes a member while others are called.
func testGroupLoad(t *testing.T, client mcpbridgev1.McpServiceClient) {
	const name = "groups/busy"
	_, err := client.CreateGroup(bounded(t), &mcpbridgev1.CreateGroupRequest{
		GroupId: "busy", Members: []*mcpbridgev1.GroupMember{{Target: "servers/gosdk"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for !stop.Load() {
				_, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{
					Target: name, Name: "gosdk__echo", Arguments: arguments(t, echoArgs("hi")),
				})
				if err != nil {
					t.Errorf("under load: %v", err)
					return
				}
			}
		})
	}
	for range 5 {
		member := &mcpbridgev1.GroupMember{Name: "more", Target: "servers/ts"}
		if _, err := client.AddGroupMember(bounded(t), &mcpbridgev1.AddGroupMemberRequest{Name: name, Member: member}); err != nil {
			t.Fatal(err)
		}
		run(t, client, name, "more__echo", echoArgs("hi"))
		if _, err := client.RemoveGroupMember(bounded(t), &mcpbridgev1.RemoveGroupMemberRequest{Name: name, Member: "more"}); err != nil {
			t.Fatal(err)
		}
		_, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{Target: name, Name: "more__echo"})
		wantReason(t, err, codes.NotFound, "ITEM_NOT_FOUND")
	}
	stop.Store(true)
	callers.Wait()
}

// TestGroupMissing lists a group of which one member cannot be reached.
func TestGroupMissing(t *testing.T) {
	t.Parallel()
	b := start(t, setup{
		servers: servers{
			"good": stdio(peers.GoSDKCommand(t, peers.GoSDKOptions{})),
			"bad":  {Command: "/does/not/exist"},
		},
		config: "groups:\n  open: {members: [good, bad]}\n  closed: {members: {a: good, b: bad}, fail_closed: true}\n",
	})
	client := b.client(t)
	names, resp := toolNames(t, client, "groups/open")
	if missing := resp.GetMissing(); len(missing) != 1 || missing[0].GetMember() != "bad" || missing[0].GetFailure().GetReason() == "" {
		t.Errorf("missing is %v", missing)
	}
	if !slices.Contains(names, "good__echo") {
		t.Errorf("tools are %q", names)
	}
	_, err := client.ListTools(bounded(t), &mcpbridgev1.ListToolsRequest{Target: "groups/closed"})
	wantReason(t, err, codes.Unavailable, "UPSTREAM_UNREACHABLE")
	run(t, client, "groups/closed", "a__echo", echoArgs("hi"))
	_, err = client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{Target: "groups/open", Name: "bad__echo"})
	wantReason(t, err, codes.Unavailable, "UPSTREAM_UNREACHABLE")
	stream, ready := watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: "groups/open"})
	if ready.GetState() != mcpbridgev1.State_STATE_READY {
		t.Errorf("ready is %v", ready)
	}
	await(t, stream, "the state of the member", func(e *mcpbridgev1.WatchEventsResponse) bool {
		return e.GetMember() == "bad" && e.GetStateChanged().GetState() == mcpbridgev1.State_STATE_TRANSIENT_FAILURE
	})
	if data, _ := json.Marshal(resp.GetMissing()); strings.Contains(string(data), "/does/not/exist") {
		t.Errorf("the failure tells of the command: %s", data)
	}
}
