package e2e

import (
	"bytes"
	"compress/gzip"
	"io"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// TestEverything has what the reference server has to show, on each of its
// transports.
func TestEverything(t *testing.T) {
	t.Parallel()
	ask := askers()["everything/http"]
	poll := pollsters()["everything/http"]
	for name, entry := range map[string]func(t *testing.T) entry{
		"stdio": func(t *testing.T) entry { return stdio(peers.EverythingCommand(t)) },
		"http":  func(t *testing.T) entry { return overHTTP(peers.EverythingHTTP(t)) },
		"sse":   func(t *testing.T) entry { return entry{Type: "sse", URL: peers.EverythingSSE(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := start(t, setup{servers: servers{"real": entry(t)}}).client(t)
			for name, test := range map[string]func(*testing.T, mcpbridgev1.McpServiceClient){
				"structured content": testStructuredContent,
				"resource links":     testResourceLinks,
				"embedded resource":  testEmbeddedResource,
				"annotations":        testAnnotations,
				"prompt":             testResourcePrompt,
				"completion":         testCompletions,
				"session resource":   testSessionResource,
				"subscription":       testSimulatedUpdates,
				"sampling":           poll.testSampling,
				"roots":              poll.testRoots,
				"elicitation":        func(t *testing.T, c mcpbridgev1.McpServiceClient) { ask.testStream(t, c, target) },
			} {
				t.Run(name, func(t *testing.T) { test(t, client) })
			}
		})
	}
}

// called returns the result of a tool.
func called(t *testing.T, client mcpbridgev1.McpServiceClient, target, tool, args string) *mcpbridgev1.CallToolResponse {
	t.Helper()
	result, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{Target: target, Name: tool, Arguments: arguments(t, args)})
	if err != nil || result.GetIsError() {
		t.Fatalf("%s: %v, %v", tool, result, err)
	}
	return result
}

func testStructuredContent(t *testing.T, client mcpbridgev1.McpServiceClient) {
	result := called(t, client, target, "get-structured-content", `{"location":"Chicago"}`)
	const weather = `{"temperature":36,"conditions":"Light rain / drizzle","humidity":82}`
	fields := result.GetStructuredContent().GetStructValue().GetFields()
	if len(fields) != 3 || fields["temperature"].GetNumberValue() != 36 || result.OutputValidationError != nil {
		t.Errorf("the structured content is %v, %s", fields, result.GetOutputValidationError())
	}
	wantJSON(t, "its text", []byte(textOf(result)), weather)
}

func testResourceLinks(t *testing.T, client mcpbridgev1.McpServiceClient) {
	result := called(t, client, target, "get-resource-links", `{"count":2}`)
	var names []string
	for _, block := range result.GetContent() {
		link := block.GetResourceLink()
		if link == nil {
			continue
		}
		names = append(names, link.GetName())
		read, err := client.ReadResource(bounded(t), &mcpbridgev1.ReadResourceRequest{Target: target, Uri: link.GetUri()})
		if err != nil || len(read.GetContents()) != 1 || read.GetContents()[0].GetMimeType() != link.GetMimeType() {
			t.Errorf("the link %v leads to %v, %v", link, read, err)
		}
	}
	if !slices.Equal(names, []string{"Blob Resource 1", "Text Resource 2"}) {
		t.Errorf("the links are %q", names)
	}
}

func testEmbeddedResource(t *testing.T, client mcpbridgev1.McpServiceClient) {
	for kind, prefix := range map[string]string{"Text": "Resource 3: This is a plaintext", "Blob": "Resource 3: This is a base64 blob"} {
		result := called(t, client, target, "get-resource-reference", `{"resourceType":"`+kind+`","resourceId":3}`)
		if len(result.GetContent()) != 3 {
			t.Fatalf("the content is %v", result)
		}
		resource := result.GetContent()[1].GetResource().GetResource()
		if got := resource.GetText() + string(resource.GetBlob()); !strings.HasPrefix(got, prefix) || resource.GetUri() == "" {
			t.Errorf("the resource is %v", resource)
		}
	}
}

func testAnnotations(t *testing.T, client mcpbridgev1.McpServiceClient) {
	result := called(t, client, target, "get-annotated-message", `{"messageType":"success","includeImage":true}`)
	text := result.GetContent()[0].GetText().GetAnnotations()
	image := result.GetContent()[1].GetImage().GetAnnotations()
	user := []mcpbridgev1.Role{mcpbridgev1.Role_ROLE_USER}
	if text.GetPriority() != 0.7 || image.GetPriority() != 0.5 || !slices.Equal(text.GetAudience(), user) || !slices.Equal(image.GetAudience(), user) {
		t.Errorf("the annotations are %v and %v", text, image)
	}
}

func testResourcePrompt(t *testing.T, client mcpbridgev1.McpServiceClient) {
	prompt, err := client.GetPrompt(bounded(t), &mcpbridgev1.GetPromptRequest{
		Target: target, Name: "resource-prompt", Arguments: map[string]string{"resourceType": "Text", "resourceId": "4"},
	})
	if err != nil || len(prompt.GetMessages()) != 2 {
		t.Fatalf("the prompt is %v, %v", prompt, err)
	}
	if got := prompt.GetMessages()[1].GetContent().GetResource().GetResource(); !strings.HasPrefix(got.GetText(), "Resource 4") {
		t.Errorf("the resource in the prompt is %v", got)
	}
}

// testCompletions completes by what else was chosen, and part of a URI.
func testCompletions(t *testing.T, client mcpbridgev1.McpServiceClient) {
	name := completion("completable-prompt", "name", "")
	name.ContextArguments = map[string]string{"department": "Sales"}
	id := &mcpbridgev1.CompleteRequest{
		Ref:      &mcpbridgev1.CompleteRequest_Resource{Resource: "demo://resource/dynamic/text/{resourceId}"},
		Argument: &mcpbridgev1.CompletionArgument{Name: "resourceId", Value: "12"},
	}
	for request, want := range map[*mcpbridgev1.CompleteRequest][]string{name: {"David", "Eve", "Frank"}, id: {"12"}} {
		request.Target = target
		completed, err := client.Complete(bounded(t), request)
		if err != nil || !slices.Equal(completed.GetCompletion().GetValues(), want) {
			t.Errorf("%s: %v, %v; want %q", protojson.Format(request), completed, err, want)
		}
	}
}

// testSessionResource makes a resource that there is in one session only.
func testSessionResource(t *testing.T, client mcpbridgev1.McpServiceClient) {
	session := connect(t, client, &mcpbridgev1.ConnectRequest{})
	stream, _ := watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: session})
	result := called(t, client, session, "gzip-file-as-resource", `{"name":"hello.gz","data":"data:text/plain,hello","outputType":"resourceLink"}`)
	await(t, stream, "the change of the resources", func(e *mcpbridgev1.WatchEventsResponse) bool { return e.GetResourcesChanged() != nil })
	link := result.GetContent()[0].GetResourceLink()
	read, err := client.ReadResource(bounded(t), &mcpbridgev1.ReadResourceRequest{Target: session, Uri: link.GetUri()})
	if err != nil {
		t.Fatal(err)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(read.GetContents()[0].GetBlob()))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(unzipped); err != nil || string(text) != "hello" {
		t.Errorf("the resource is %q, %v", text, err)
	}
}

func testSimulatedUpdates(t *testing.T, client mcpbridgev1.McpServiceClient) {
	const uri = "demo://resource/dynamic/text/1"
	session := connect(t, client, &mcpbridgev1.ConnectRequest{})
	stream, _ := watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: session})
	if _, err := client.SubscribeResource(bounded(t), &mcpbridgev1.SubscribeResourceRequest{Target: session, Uri: uri}); err != nil {
		t.Fatal(err)
	}
	called(t, client, session, "toggle-subscriber-updates", `{}`)
	await(t, stream, "the update of a resource", updated(uri))
	called(t, client, session, "toggle-subscriber-updates", `{}`)
}
