package e2e

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// target is what the real servers are configured as.
const target = "servers/real"

// A frontend is a bridge in front of one real server, with both its clients.
type frontend struct {
	peer   peer
	bridge *bridge
	grpc   mcpbridgev1.McpServiceClient
	web    *web
}

// url returns the URL of something of the server.
func (f *frontend) url(path string) string { return f.bridge.restURL + "/v1/" + target + path }

// TestServers puts each real server behind a bridge and checks by gRPC and by
// REST that all it has comes through, and the same both ways.
func TestServers(t *testing.T) {
	t.Parallel()
	for _, p := range realServers() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			b := start(t, setup{servers: servers{"real": p.entry(t)}})
			f := &frontend{peer: p, bridge: b, grpc: b.client(t), web: newWeb(t)}
			t.Run("echo", f.testEcho)
			t.Run("server", f.testServer)
			t.Run("lists", f.testLists)
			t.Run("progress", f.testProgress)
			t.Run("image", f.testImage)
			t.Run("prompt", f.testPrompt)
			t.Run("completion", f.testCompletion)
			t.Run("resources", f.testResources)
			t.Run("callers", f.testCallers)
			t.Run("session", f.testSession)
		})
	}
}

func (f *frontend) testEcho(t *testing.T) {
	result, err := f.grpc.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{
		Target: target, Name: "echo", Arguments: arguments(t, `{"message":"grüß <dich>"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := f.peer.echoed("grüß <dich>")
	if got := textOf(result); got != want || result.GetIsError() {
		t.Errorf("echo returns %q, is_error %t; want %q", got, result.GetIsError(), want)
	}
	f.web.do(t, http.MethodPost, f.url("/tools/echo:call"), `{"arguments":{"message":"grüß <dich>"}}`).sameAs(t, result)
	f.web.do(t, http.MethodPost, f.url("/tools:call"), `{"name":"echo","arguments":{"message":"grüß <dich>"}}`).sameAs(t, result)
}

// textOf returns the text of a result with one block.
func textOf(result *mcpbridgev1.CallToolResponse) string {
	if len(result.GetContent()) != 1 {
		return protojson.Format(result)
	}
	return result.GetContent()[0].GetText().GetText()
}

func (f *frontend) testServer(t *testing.T) {
	response, err := f.grpc.GetServer(bounded(t), &mcpbridgev1.GetServerRequest{Name: target})
	if err != nil {
		t.Fatal(err)
	}
	s := response.GetServer()
	if s.GetState() != mcpbridgev1.State_STATE_READY || s.GetTransport() != f.peer.transport || s.GetEra() != f.peer.era() ||
		s.GetProtocolVersion() != f.peer.version || s.GetServerInfo().GetName() != f.peer.serverName ||
		s.GetCapabilities().GetFields()["tools"] == nil || s.GetUpstreams() != 1 {
		t.Errorf("the server is %s", protojson.Format(s))
	}
	f.web.do(t, http.MethodGet, f.url(""), "").sameAs(t, response)
}

func (f *frontend) testLists(t *testing.T) {
	tools, err := f.grpc.ListTools(bounded(t), &mcpbridgev1.ListToolsRequest{Target: target, All: true})
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, tool := range tools.GetTools() {
		names[tool.GetName()] = true
	}
	if !names["echo"] || !names[f.peer.long] || len(names) < 8 {
		t.Errorf("the tools are %v", names)
	}
	resources, err := f.grpc.ListResources(bounded(t), &mcpbridgev1.ListResourcesRequest{Target: target, All: true})
	if err != nil || len(resources.GetResources()) < 2 {
		t.Errorf("resources: %v, %v", resources, err)
	}
	templates, err := f.grpc.ListResourceTemplates(bounded(t), &mcpbridgev1.ListResourceTemplatesRequest{Target: target, All: true})
	if err != nil || len(templates.GetResourceTemplates()) == 0 {
		t.Errorf("templates: %v, %v", templates, err)
	}
	prompts, err := f.grpc.ListPrompts(bounded(t), &mcpbridgev1.ListPromptsRequest{Target: target, All: true})
	if err != nil || len(prompts.GetPrompts()) == 0 {
		t.Errorf("prompts: %v, %v", prompts, err)
	}
	for kind, want := range map[string]proto.Message{
		"tools": tools, "resources": resources, "resourceTemplates": templates, "prompts": prompts,
	} {
		f.web.do(t, http.MethodGet, f.url("/"+kind+"?all=true"), "").sameAs(t, want)
	}
}

func (f *frontend) testImage(t *testing.T) {
	if f.peer.image == "" {
		t.Skip("the server has no tool that returns an image")
	}
	result, err := f.grpc.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{Target: target, Name: f.peer.image})
	if err != nil {
		t.Fatal(err)
	}
	var image *mcpbridgev1.ImageContent
	for _, block := range result.GetContent() {
		if block.GetImage() != nil {
			image = block.GetImage()
		}
	}
	if !strings.HasPrefix(string(image.GetData()), pngMagic) || image.GetMimeType() != "image/png" {
		t.Errorf("the image is %.40q of type %s", image.GetData(), image.GetMimeType())
	}
	// In JSON, protobuf's bytes are base64: the answer is read back to bytes.
	f.web.do(t, http.MethodPost, f.url("/tools/"+f.peer.image+":call"), "{}").sameAs(t, result)
}

func (f *frontend) testPrompt(t *testing.T) {
	request := &mcpbridgev1.GetPromptRequest{Target: target, Name: f.peer.prompt, Arguments: f.peer.promptArgs}
	prompt, err := f.grpc.GetPrompt(bounded(t), request)
	if err != nil {
		t.Fatal(err)
	}
	if len(prompt.GetMessages()) != 1 {
		t.Fatalf("the prompt is %s", protojson.Format(prompt))
	}
	message := prompt.GetMessages()[0]
	if message.GetRole() != mcpbridgev1.Role_ROLE_USER || message.GetContent().GetText().GetText() != f.peer.promptText {
		t.Errorf("the message is %s", protojson.Format(message))
	}
	body, err := protojson.Marshal(&mcpbridgev1.GetPromptRequest{Arguments: f.peer.promptArgs})
	if err != nil {
		t.Fatal(err)
	}
	f.web.do(t, http.MethodPost, f.url("/prompts/"+f.peer.prompt+":get"), string(body)).sameAs(t, prompt)
}

func (f *frontend) testCompletion(t *testing.T) {
	body, err := protojson.Marshal(f.peer.completion)
	if err != nil {
		t.Fatal(err)
	}
	request := proto.CloneOf(f.peer.completion)
	request.Target = target
	completed, err := f.grpc.Complete(bounded(t), request)
	if err != nil {
		t.Fatal(err)
	}
	if got := completed.GetCompletion().GetValues(); !slices.Equal(got, f.peer.completed) {
		t.Errorf("the values are %q, want %q", got, f.peer.completed)
	}
	f.web.do(t, http.MethodPost, f.url(":complete"), string(body)).sameAs(t, completed)
}

func (f *frontend) testResources(t *testing.T) {
	text, err := f.grpc.ReadResource(bounded(t), &mcpbridgev1.ReadResourceRequest{Target: target, Uri: f.peer.text})
	if err != nil {
		t.Fatal(err)
	}
	if got := text.GetContents()[0].GetText(); !strings.HasPrefix(got, f.peer.textPrefix) {
		t.Errorf("%s is %.80q", f.peer.text, got)
	}
	f.web.do(t, http.MethodGet, f.url("/resources:read?uri="+url.QueryEscape(f.peer.text)), "").sameAs(t, text)

	var blob mcpbridgev1.ReadResourceResponse
	f.web.do(t, http.MethodPost, f.url("/resources:read"), `{"uri":"`+f.peer.bytes+`"}`).into(t, &blob)
	if got := blob.GetContents()[0].GetBlob(); !strings.HasPrefix(string(got), f.peer.bytesPrefix) {
		t.Errorf("%s is %.80q", f.peer.bytes, got)
	}
}

// testSession opens a session of the caller's own, uses and closes it.
func (f *frontend) testSession(t *testing.T) {
	connected, err := f.grpc.Connect(bounded(t), &mcpbridgev1.ConnectRequest{
		Peer:       &mcpbridgev1.ConnectRequest_Server{Server: target},
		ClientInfo: &mcpbridgev1.Implementation{Name: "e2e", Version: "1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	session := connected.GetSession()
	if session.GetState() != mcpbridgev1.State_STATE_READY || session.GetProtocolVersion() != f.peer.version {
		t.Errorf("the session is %s", protojson.Format(session))
	}
	result, err := f.grpc.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{
		Target: session.GetName(), Name: "echo", Arguments: arguments(t, echoArgs("hi")),
	})
	if err != nil || textOf(result) != f.peer.echoed("hi") {
		t.Errorf("echo in the session: %v, %v", result, err)
	}
	var list mcpbridgev1.ListSessionsResponse
	f.web.do(t, http.MethodGet, f.bridge.restURL+"/v1/sessions", "").into(t, &list)
	if len(list.GetSessions()) != 1 || list.GetSessions()[0].GetName() != session.GetName() {
		t.Errorf("the sessions are %s", protojson.Format(&list))
	}
	if r := f.web.do(t, http.MethodDelete, f.bridge.restURL+"/v1/"+session.GetName(), ""); r.status != http.StatusOK {
		t.Errorf("DELETE of the session: %d %s", r.status, r.body)
	}
	if r := f.web.do(t, http.MethodGet, f.bridge.restURL+"/v1/"+session.GetName(), ""); r.status != http.StatusNotFound {
		t.Errorf("the session after DELETE: %d %s", r.status, r.body)
	}
}
