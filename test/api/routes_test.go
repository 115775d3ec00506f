package api_test

import (
	"net/http"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// TestRoutes sends REST calls through the generated gateway and compares the
// RPC and the request that come out. The cases are those that a careless
// pattern would take from another: verbs, collections and their members, and
// names with reserved characters.
func TestRoutes(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name, method, url, body string
		rpc                     string
		want                    proto.Message
	}{
		{
			name: "collection of servers", method: "GET", url: "/v1/servers",
			rpc: "ListServers", want: &mcpbridgev1.ListServersRequest{},
		},
		{
			name: "one server", method: "GET", url: "/v1/servers/demo",
			rpc: "GetServer", want: &mcpbridgev1.GetServerRequest{Name: "servers/demo"},
		},
		{
			name: "server with reserved characters", method: "GET", url: "/v1/servers/%40scope%2Fpkg:1",
			rpc: "GetServer", want: &mcpbridgev1.GetServerRequest{Name: "servers/@scope/pkg:1"},
		},
		{
			name: "one session", method: "GET", url: "/v1/sessions/abc",
			rpc: "GetSession", want: &mcpbridgev1.GetSessionRequest{Name: "sessions/abc"},
		},
		{
			name: "end of a session", method: "DELETE", url: "/v1/sessions/abc",
			rpc: "Disconnect", want: &mcpbridgev1.DisconnectRequest{Name: "sessions/abc"},
		},
		{
			name: "connect", method: "POST", url: "/v1/sessions", body: `{"server":"servers/demo"}`,
			rpc: "Connect", want: &mcpbridgev1.ConnectRequest{
				Peer: &mcpbridgev1.ConnectRequest_Server{Server: "servers/demo"},
			},
		},
		{
			name: "tools of a server are not a server", method: "GET", url: "/v1/servers/demo/tools",
			rpc: "ListTools", want: &mcpbridgev1.ListToolsRequest{Target: "servers/demo"},
		},
		{
			name: "empty cursor is a cursor", method: "GET", url: "/v1/sessions/abc/tools?cursor=",
			rpc: "ListTools", want: &mcpbridgev1.ListToolsRequest{Target: "sessions/abc", Cursor: proto.String("")},
		},
		{
			name: "query parameters", method: "GET", url: "/v1/groups/g/tools?all=true&jsonFormat=JSON_FORMAT_TEXT",
			rpc: "ListTools", want: &mcpbridgev1.ListToolsRequest{
				Target: "groups/g", All: true, JsonFormat: mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT,
			},
		},
		{
			name: "meta in a query", method: "GET", url: "/v1/servers/demo/tools?metaJson=%7B%22a%22:1%7D",
			rpc: "ListTools", want: &mcpbridgev1.ListToolsRequest{
				Target: "servers/demo", MetaJson: proto.String(`{"a":1}`),
			},
		},
		{
			name: "call", method: "POST", url: "/v1/servers/demo/tools/add:call", body: `{"arguments":{"a":1}}`,
			rpc: "CallTool", want: &mcpbridgev1.CallToolRequest{
				Target: "servers/demo", Name: "add", Arguments: object(t, map[string]any{"a": 1}),
			},
		},
		{
			name: "call without a body", method: "POST", url: "/v1/servers/demo/tools/add:call",
			rpc: "CallTool", want: &mcpbridgev1.CallToolRequest{Target: "servers/demo", Name: "add"},
		},
		{
			name: "name in the body", method: "POST", url: "/v1/servers/demo/tools:call", body: `{"name":"a/b c:call"}`,
			rpc: "CallTool", want: &mcpbridgev1.CallToolRequest{Target: "servers/demo", Name: "a/b c:call"},
		},
		{
			name: "tool with dots", method: "POST", url: "/v1/servers/demo/tools/fs.read.v2:call",
			rpc: "CallTool", want: &mcpbridgev1.CallToolRequest{Target: "servers/demo", Name: "fs.read.v2"},
		},
		{
			name: "tool with colons", method: "POST", url: "/v1/servers/demo/tools/ns:tool:call",
			rpc: "CallTool", want: &mcpbridgev1.CallToolRequest{Target: "servers/demo", Name: "ns:tool"},
		},
		{
			name: "tool named like a verb", method: "POST", url: "/v1/servers/demo/tools/x:stream:call",
			rpc: "CallTool", want: &mcpbridgev1.CallToolRequest{Target: "servers/demo", Name: "x:stream"},
		},
		{
			name: "tool with a slash", method: "POST", url: "/v1/servers/demo/tools/ns%2Ftool:call",
			rpc: "CallTool", want: &mcpbridgev1.CallToolRequest{Target: "servers/demo", Name: "ns/tool"},
		},
		{
			name: "tool with percent, space and umlaut", method: "POST", url: "/v1/groups/g/tools/100%25%20%C3%A4:call",
			rpc: "CallTool", want: &mcpbridgev1.CallToolRequest{Target: "groups/g", Name: "100% ä"},
		},
		{
			name: "server and tool with slashes", method: "POST", url: "/v1/servers/%40a%2Fb/tools/c%2Fd:stream",
			rpc: "CallToolStream", want: &mcpbridgev1.CallToolStreamRequest{Target: "servers/@a/b", Name: "c/d"},
		},
		{
			name: "stream with the name in the body", method: "POST", url: "/v1/sessions/s/tools:stream", body: `{"name":"t"}`,
			rpc: "CallToolStream", want: &mcpbridgev1.CallToolStreamRequest{Target: "sessions/s", Name: "t"},
		},
		{
			name: "path wins over body", method: "POST", url: "/v1/servers/demo/tools/add:call",
			body: `{"target":"servers/other","name":"other"}`,
			rpc:  "CallTool", want: &mcpbridgev1.CallToolRequest{Target: "servers/demo", Name: "add"},
		},
		{
			name: "answers", method: "POST", url: "/v1/servers/demo/tools/ask:call",
			body: `{"inputResponses":{"k":{"elicitation":{"action":"ELICITATION_ACTION_ACCEPT","content":{"ok":true}}}},` +
				`"requestState":"s","timeout":"1.5s"}`,
			rpc: "CallTool", want: &mcpbridgev1.CallToolRequest{
				Target: "servers/demo", Name: "ask", RequestState: proto.String("s"),
				Timeout: &durationpb.Duration{Seconds: 1, Nanos: 500_000_000},
				InputResponses: map[string]*mcpbridgev1.InputResponse{"k": {
					Response: &mcpbridgev1.InputResponse_Elicitation{Elicitation: &mcpbridgev1.ElicitationResponse{
						Action:  mcpbridgev1.ElicitationAction_ELICITATION_ACTION_ACCEPT,
						Content: object(t, map[string]any{"ok": true}),
					}},
				}},
			},
		},
		{
			name: "resources", method: "GET", url: "/v1/servers/demo/resources",
			rpc: "ListResources", want: &mcpbridgev1.ListResourcesRequest{Target: "servers/demo"},
		},
		{
			name: "resource by query", method: "GET", url: "/v1/servers/demo/resources:read?uri=file:///a%20b?c%3Dd",
			rpc: "ReadResource", want: &mcpbridgev1.ReadResourceRequest{Target: "servers/demo", Uri: "file:///a b?c=d"},
		},
		{
			name: "resource by body", method: "POST", url: "/v1/servers/demo/resources:read", body: `{"uri":"file:///a"}`,
			rpc: "ReadResource", want: &mcpbridgev1.ReadResourceRequest{Target: "servers/demo", Uri: "file:///a"},
		},
		{
			name: "prompt", method: "POST", url: "/v1/servers/demo/prompts/greet:get", body: `{"arguments":{"who":"you"}}`,
			rpc: "GetPrompt", want: &mcpbridgev1.GetPromptRequest{
				Target: "servers/demo", Name: "greet", Arguments: map[string]string{"who": "you"},
			},
		},
		{
			name: "verb on a server with a colon", method: "POST", url: "/v1/servers/a:b:ping",
			rpc: "Ping", want: &mcpbridgev1.PingRequest{Target: "servers/a:b"},
		},
		{
			name: "events", method: "GET", url: "/v1/servers/demo/events?resourceUris=a:1&resourceUris=b:2",
			rpc: "WatchEvents", want: &mcpbridgev1.WatchEventsRequest{
				Target: "servers/demo", ResourceUris: []string{"a:1", "b:2"},
			},
		},
		{
			name: "answer to a question", method: "POST", url: "/v1/sessions/s/requests/r1:respond",
			body: `{"response":{"roots":{"roots":[{"uri":"file:///r"}]}}}`,
			rpc:  "Respond", want: &mcpbridgev1.RespondRequest{
				Target: "sessions/s", Id: "r1",
				Response: &mcpbridgev1.InputResponse{Response: &mcpbridgev1.InputResponse_Roots{
					Roots: &mcpbridgev1.RootsResponse{Roots: []*mcpbridgev1.Root{{Uri: "file:///r"}}},
				}},
			},
		},
		{
			name: "task with a colon", method: "GET", url: "/v1/servers/demo/tasks/a:cancel",
			rpc: "GetTask", want: &mcpbridgev1.GetTaskRequest{Target: "servers/demo", TaskId: "a:cancel"},
		},
		{
			name: "cancelled task", method: "POST", url: "/v1/servers/demo/tasks/a%2Fb:cancel",
			rpc: "CancelTask", want: &mcpbridgev1.CancelTaskRequest{Target: "servers/demo", TaskId: "a/b"},
		},
		{
			name: "new member", method: "POST", url: "/v1/groups/g/members", body: `{"target":"servers/demo"}`,
			rpc: "AddGroupMember", want: &mcpbridgev1.AddGroupMemberRequest{
				Name: "groups/g", Member: &mcpbridgev1.GroupMember{Target: "servers/demo"},
			},
		},
		{
			name: "removed member", method: "DELETE", url: "/v1/groups/g/members/demo",
			rpc: "RemoveGroupMember", want: &mcpbridgev1.RemoveGroupMemberRequest{Name: "groups/g", Member: "demo"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			rpc, request, status := send(t, tt.method, tt.url, tt.body)
			if status != http.StatusOK || rpc != tt.rpc || !proto.Equal(request, tt.want) {
				t.Errorf("%s %s: status %d, %s{%v}, want %s{%v}", tt.method, tt.url, status, rpc, request, tt.rpc, tt.want)
			}
		})
	}
}

// object makes a Struct.
func object(t *testing.T, members map[string]any) *structpb.Struct {
	t.Helper()

	s, err := structpb.NewStruct(members)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
