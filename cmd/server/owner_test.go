package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

const (
	tokenAnn = "ann-0123456789abcdef0123456789abcdef"
	tokenBob = "bob-0123456789abcdef0123456789abcdef"
)

func twoCallers(t *testing.T) *bridge {
	t.Helper()
	return startBridge(t, fmt.Sprintf(`
auth: {methods: preshared, preshared: {tokens: [ann %s, bob %s]}}
principal: {sessions: 20000, connect_rate: 1000000, connect_burst: 1000000}
sessions: {max: 20000}
servers: {server: {url: %q, type: http}}
`, tokenAnn, tokenBob, peers.GoSDK(t, peers.GoSDKOptions{})))
}

// connect opens a session and returns its name.
func connect(ctx context.Context, conn *grpc.ClientConn) (string, error) {
	r, err := mcpbridgev1.NewMcpServiceClient(conn).Connect(ctx, &mcpbridgev1.ConnectRequest{
		Peer: &mcpbridgev1.ConnectRequest_Server{Server: "servers/server"}, Sharing: mcpbridgev1.Sharing_SHARING_SHARED,
	})
	return r.GetSession().GetName(), err
}

// unknownSession is as long as a real one.
const unknownSession = "sessions/00000000000000000000000000000000"

// An outcome is all that a caller sees of a call.
type outcome struct {
	code codes.Code
	text string
}

// unknownGroup is as long as that of a real one.
const unknownGroup = "groups/00000"

// TestSessionsOfOthers calls every RPC and every path with the session of
// somebody else, and with one that does not exist: nothing tells them apart.
func TestSessionsOfOthers(t *testing.T) {
	t.Parallel()
	b := twoCallers(t)
	ann, bob := b.dial(t, tokenAnn), b.dial(t, tokenBob)
	stolen, err := connect(t.Context(), ann)
	if err != nil {
		t.Fatal(err)
	}
	b.steal(t, stolen, unknownSession)
	// It has survived all that.
	list, err := mcpbridgev1.NewMcpServiceClient(bob).ListSessions(t.Context(), &mcpbridgev1.ListSessionsRequest{})
	if err != nil || len(list.GetSessions()) > 0 {
		t.Errorf("the thief's sessions are %v, %v", list, err)
	}
	if _, err := mcpbridgev1.NewMcpServiceClient(ann).Ping(t.Context(), &mcpbridgev1.PingRequest{Target: stolen}); err != nil {
		t.Errorf("the owner: %v", err)
	}
}

// TestGroupsOfOthers does the same with a group.
func TestGroupsOfOthers(t *testing.T) {
	t.Parallel()
	b := twoCallers(t)
	ann, bob := mcpbridgev1.NewMcpServiceClient(b.dial(t, tokenAnn)), mcpbridgev1.NewMcpServiceClient(b.dial(t, tokenBob))
	made, err := ann.CreateGroup(t.Context(), &mcpbridgev1.CreateGroupRequest{
		GroupId: "annas", Members: []*mcpbridgev1.GroupMember{{Target: "servers/server"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.steal(t, made.GetGroup().GetName(), unknownGroup)
	list, err := bob.ListGroups(t.Context(), &mcpbridgev1.ListGroupsRequest{})
	if err != nil || len(list.GetGroups()) > 0 {
		t.Errorf("the thief's groups are %v, %v", list, err)
	}
	if _, err := ann.Ping(t.Context(), &mcpbridgev1.PingRequest{Target: made.GetGroup().GetName()}); err != nil {
		t.Errorf("the owner: %v", err)
	}
}

// steal makes all requests as bob with something of ann's, and with what does not
// exist.
func (b *bridge) steal(t *testing.T, stolen, unknown string) {
	t.Helper()
	_, id, _ := strings.Cut(stolen, "/")
	_, none, _ := strings.Cut(unknown, "/")
	compare := func(t *testing.T, got, want outcome) {
		t.Helper()
		if got.text = strings.ReplaceAll(got.text, id, none); got != want {
			t.Errorf("what is another's gives\n%+v\nwhat is unknown\n%+v", got, want)
		}
		if want.code != codes.NotFound && want.code != codes.Unimplemented {
			t.Errorf("code %s: the request does not come that far: %s", want.code, want.text)
		}
	}
	bob, web := b.dial(t, tokenBob), newWeb(t)
	isGroup := strings.HasPrefix(unknown, "groups/")
	for method, request := range requestsOn(isGroup) {
		t.Run("gRPC "+method, func(t *testing.T) {
			compare(t, byGRPC(t, bob, method, request(stolen)), byGRPC(t, bob, method, request(unknown)))
		})
	}
	for _, request := range restRequests(isGroup) {
		t.Run(request.method+" "+request.path, func(t *testing.T) {
			compare(t, b.byREST(t, web, request, stolen), b.byREST(t, web, request, unknown))
		})
	}
}

// requestsOn makes for each method that takes the name of a session, or of a group,
// a request that has nothing else wrong with it.
func requestsOn(groups bool) map[string]func(name string) proto.Message {
	more := map[string]string{
		"CallTool": `"name":"echo"`, "CallToolStream": `"name":"echo"`, "GetPrompt": `"name":"greet"`,
		"ReadResource": `"uri":"test://text"`, "SubscribeResource": `"uri":"test://text"`, "UnsubscribeResource": `"uri":"test://text"`,
		"Complete":   `"prompt":"greet","argument":{"name":"tone","value":"w"}`,
		"GetTask":    `"taskId":"1"`,
		"CancelTask": `"taskId":"1"`, "UpdateTask": `"taskId":"1","inputResponses":{"x":{}},"requestState":"x"`,
		"SetLoggingLevel": `"level":"LOGGING_LEVEL_INFO"`, "SendProgress": `"progressToken":"1","progress":1`,
		"Respond": `"id":"1"`, "AddGroupMember": `"member":{"target":"servers/server"}`, "RemoveGroupMember": `"member":"server"`,
	}
	requests := make(map[string]func(string) proto.Message)
	methods := mcpbridgev1.File_mcpbridge_v1_mcp_service_proto.Services().ByName("McpService").Methods()
	for i := range methods.Len() {
		method := methods.Get(i)
		name, input := string(method.Name()), method.Input()
		field := "target"
		switch {
		case name == "SendProgress" && groups: // which is for no group
			continue
		case input.Fields().ByName("target") != nil:
		case !groups && (name == "GetSession" || name == "Disconnect"), groups && input.Fields().ByName("name") != nil && strings.Contains(name, "Group"):
			field = "name"
		default:
			continue
		}
		requests[name] = func(of string) proto.Message {
			text := fmt.Sprintf(`{%q:%q`, field, of)
			if more[name] != "" {
				text += "," + more[name]
			}
			return requestOf(name, text+"}")
		}
	}
	return requests
}

// requestOf reads a request of a method.
func requestOf(method, text string) proto.Message {
	m := dynamicpb.NewMessage(mcpbridgev1.File_mcpbridge_v1_mcp_service_proto.Services().ByName("McpService").
		Methods().ByName(protoreflect.Name(method)).Input())
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		panic(err)
	}
	return m
}

// byGRPC makes a call and returns what its caller sees.
func byGRPC(t *testing.T, conn *grpc.ClientConn, method string, request proto.Message) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	full := "/" + mcpbridgev1.McpService_ServiceDesc.ServiceName + "/" + method
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, full)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(request); err != nil {
		t.Fatal(err)
	}
	_ = stream.CloseSend()
	header, err := stream.Header()
	if err == nil {
		err = stream.RecvMsg(dynamicpb.NewMessage(outputOf(method)))
	}
	st := status.Convert(err)
	return outcome{st.Code(), fmt.Sprint(withoutTrace(header), withoutTrace(stream.Trailer()), protojson.Format(st.Proto()))}
}

func outputOf(method string) protoreflect.MessageDescriptor {
	return mcpbridgev1.File_mcpbridge_v1_mcp_service_proto.Services().ByName("McpService").
		Methods().ByName(protoreflect.Name(method)).Output()
}

func withoutTrace(md metadata.MD) string {
	md = md.Copy()
	delete(md, "grpc-status-details-bin") // the status has it
	return fmt.Sprint(md)
}

type restRequest struct{ method, path, body string }

// restRequests are the paths below a session, or a group.
func restRequests(groups bool) []restRequest {
	own := []restRequest{{"POST", ":sendProgress", `{"progressToken":"1","progress":1}`}}
	if groups {
		own = []restRequest{{"POST", "/members", `{"target":"servers/server"}`}, {"DELETE", "/members/server", ""}}
	}
	return append(own, []restRequest{
		{"GET", "", ""},
		{"DELETE", "", ""},
		{"GET", "/tools", ""},
		{"POST", "/tools/echo:call", "{}"},
		{"POST", "/tools:call", `{"name":"echo"}`},
		{"POST", "/tools/echo:stream", "{}"},
		{"POST", "/tools:stream", `{"name":"echo"}`},
		{"GET", "/resources", ""},
		{"GET", "/resourceTemplates", ""},
		{"GET", "/resources:read?uri=test%3A%2F%2Ftext", ""},
		{"POST", "/resources:read", `{"uri":"test://text"}`},
		{"POST", "/resources:subscribe", `{"uri":"test://text"}`},
		{"POST", "/resources:unsubscribe", `{"uri":"test://text"}`},
		{"GET", "/prompts", ""},
		{"POST", "/prompts/greet:get", "{}"},
		{"POST", "/prompts:get", `{"name":"greet"}`},
		{"POST", ":complete", `{"prompt":"greet","argument":{"name":"tone","value":"w"}}`},
		{"POST", ":ping", "{}"},
		{"POST", ":setLoggingLevel", `{"level":"LOGGING_LEVEL_INFO"}`},
		{"GET", "/events", ""},
		{"POST", "/requests/1:respond", "{}"},
		{"GET", "/tasks", ""},
		{"GET", "/tasks/1", ""},
		{"POST", "/tasks/1:update", `{"inputResponses":{"x":{}},"requestState":"x"}`},
		{"POST", "/tasks/1:cancel", "{}"},
		{"POST", ":setRoots", "{}"},
	}...)
}

// byREST makes a call as bob and returns what he sees.
func (b *bridge) byREST(t *testing.T, web *http.Client, r restRequest, session string) outcome {
	t.Helper()
	code, text, err := b.send(t.Context(), web, r, session)
	if err != nil {
		t.Fatal(err)
	}
	return outcome{code, text}
}

func (b *bridge) send(ctx context.Context, web *http.Client, r restRequest, session string) (codes.Code, string, error) {
	url := "http://" + b.listeners.rest.Addr().String() + "/v1/" + session + r.path
	request, err := http.NewRequestWithContext(ctx, r.method, url, strings.NewReader(r.body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Authorization", "Bearer "+tokenBob)
	response, err := web.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	response.Header.Del("Date")
	code := codes.Unknown
	switch response.StatusCode {
	case http.StatusNotFound:
		code = codes.NotFound
	case http.StatusNotImplemented:
		code = codes.Unimplemented
	case http.StatusOK:
		code = codes.OK
	}
	return code, fmt.Sprint(response.StatusCode, response.Header, response.Trailer, string(body)), err
}

// TestManyStolenSessions replays ten thousand ids of somebody else's.
func TestManyStolenSessions(t *testing.T) {
	t.Parallel()
	const workers = 8
	stolen := int64(10_000)
	if raced() {
		stolen /= 10 // the detector makes each ten times as long
	}
	b := twoCallers(t)
	ann, bob := b.dial(t, tokenAnn), b.dial(t, tokenBob)
	web := newWeb(t)
	thief := mcpbridgev1.NewMcpServiceClient(bob)
	var next, failed atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for next.Add(1) <= stolen && failed.Load() == 0 {
				session, err := connect(t.Context(), ann)
				if err != nil {
					t.Errorf("connect: %v", err)
					failed.Add(1)
					return
				}
				_, call := thief.CallTool(t.Context(), &mcpbridgev1.CallToolRequest{Target: session, Name: "echo"})
				_, end := thief.Disconnect(t.Context(), &mcpbridgev1.DisconnectRequest{Name: session})
				code, text, err := b.send(t.Context(), web, restRequest{"GET", "", ""}, session)
				if status.Code(call) != codes.NotFound || status.Code(end) != codes.NotFound || code != codes.NotFound {
					t.Errorf("call: %v; disconnect: %v; REST: %s, %v", call, end, text, err)
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	sessions := int64(0)
	request := &mcpbridgev1.ListSessionsRequest{PageSize: 1000}
	for {
		page, err := mcpbridgev1.NewMcpServiceClient(ann).ListSessions(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		sessions += int64(len(page.GetSessions()))
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			break
		}
	}
	if sessions != stolen {
		t.Errorf("the owner has %d sessions left, want %d", sessions, stolen)
	}
}
