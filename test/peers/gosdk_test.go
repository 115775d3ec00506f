package peers

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	ServeIfChild()
	goleak.VerifyTestMain(m)
}

// door is one way to reach the Go SDK's server.
type door struct {
	transport func(t *testing.T) mcpsdk.Transport
	version   string // that the server and the SDK's client settle on
}

func doors() map[string]door {
	const modern, legacy = "2026-07-28", "2025-11-25"
	return map[string]door{
		"stateless": {transport: overHTTP(GoSDKOptions{}), version: modern},
		"JSON":      {transport: overHTTP(GoSDKOptions{JSON: true}), version: modern},
		"stateful":  {transport: overHTTP(GoSDKOptions{Stateful: true}), version: legacy},
		"resumable": {transport: overHTTP(GoSDKOptions{Stateful: true, Resumable: true}), version: legacy},
		"old":       {transport: overHTTP(GoSDKOptions{Versions: []string{"2025-03-26"}}), version: "2025-03-26"},
		"stdio":     {transport: overStdio, version: modern},
		"SSE":       {transport: overSSE, version: legacy},
	}
}

func overHTTP(options GoSDKOptions) func(*testing.T) mcpsdk.Transport {
	return func(t *testing.T) mcpsdk.Transport {
		return &mcpsdk.StreamableClientTransport{Endpoint: GoSDK(t, options), HTTPClient: newHTTPClient(t)}
	}
}

func overSSE(t *testing.T) mcpsdk.Transport {
	return &mcpsdk.SSEClientTransport{Endpoint: GoSDKSSE(t, GoSDKOptions{}), HTTPClient: newHTTPClient(t)}
}

func overStdio(t *testing.T) mcpsdk.Transport {
	return overCommand(t, GoSDKCommand(t, GoSDKOptions{}))
}

func overCommand(t *testing.T, command Command) mcpsdk.Transport {
	t.Helper()
	child := exec.CommandContext(context.WithoutCancel(t.Context()), command.Path, command.Args...)
	child.Env = command.Env
	child.Stderr = t.Output()
	return &mcpsdk.CommandTransport{Command: child, TerminateDuration: 2 * time.Second}
}

// newHTTPClient returns a client that keeps no connection beyond the test.
func newHTTPClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func connect(t *testing.T, transport mcpsdk.Transport, options *mcpsdk.ClientOptions) *mcpsdk.ClientSession {
	t.Helper()
	client := mcpsdk.NewClient(&mcpsdk.Implementation{Name: "test", Version: "1"}, options)
	client.AddRoots(&mcpsdk.Root{URI: "file:///tmp"})
	session, err := client.Connect(t.Context(), transport, nil)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() {
		// The reference server "everything" ignores the end of its stdin, so that
		// the SDK has to terminate it, which it reports.
		var terminated *exec.ExitError
		if err := session.Close(); err != nil && !errors.As(err, &terminated) {
			t.Errorf("close the client: %v", err)
		}
	})
	return session
}

// callText calls a tool and returns the text of its result.
func callText(t *testing.T, session *mcpsdk.ClientSession, params *mcpsdk.CallToolParams) string {
	t.Helper()
	result, err := session.CallTool(t.Context(), params)
	if err != nil {
		t.Fatalf("call %s: %v", params.Name, err)
	}
	return textOf(t, result.Content[0])
}

func textOf(t *testing.T, content mcpsdk.Content) string {
	t.Helper()
	text, ok := content.(*mcpsdk.TextContent)
	if !ok {
		t.Fatalf("content is a %T, want text", content)
	}
	return text.Text
}

func TestGoSDKThroughEveryDoor(t *testing.T) {
	t.Parallel()
	for name, door := range doors() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			session := connect(t, door.transport(t), nil)
			if got := session.InitializeResult().ProtocolVersion; got != door.version {
				t.Errorf("protocol version is %s, want %s", got, door.version)
			}
			echoed := callText(t, session, &mcpsdk.CallToolParams{Name: "echo", Arguments: messageInput{Message: "hi"}})
			if echoed != "hi" {
				t.Errorf("echo returned %q", echoed)
			}
			for _, want := range []string{"1", "2"} {
				if got := callText(t, session, &mcpsdk.CallToolParams{Name: "counter"}); got != want {
					t.Errorf("counter is %s, want %s", got, want)
				}
			}
		})
	}
}

func TestCounterIsPerSession(t *testing.T) {
	t.Parallel()
	url := GoSDK(t, GoSDKOptions{Stateful: true})
	for range 2 {
		transport := &mcpsdk.StreamableClientTransport{Endpoint: url, HTTPClient: newHTTPClient(t)}
		if got := callText(t, connect(t, transport, nil), &mcpsdk.CallToolParams{Name: "counter"}); got != "1" {
			t.Errorf("a new session's counter is %s, want 1", got)
		}
	}
}

func TestToolsAndPages(t *testing.T) {
	t.Parallel()
	session := connect(t, overHTTP(GoSDKOptions{PageSize: 5})(t), nil)
	var names []string
	pages := 0
	for cursor := ""; pages == 0 || cursor != ""; pages++ {
		page, err := session.ListTools(t.Context(), &mcpsdk.ListToolsParams{Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range page.Tools {
			names = append(names, tool.Name)
		}
		cursor = page.NextCursor
	}
	want := []string{
		"add", "ask", "blob", "counter", "echo", "fail", "given_up", "grow", "meta", "mirror", "roots", "sample", "sleep",
		"slow", "touch", "visit",
	}
	if slices.Sort(names); !slices.Equal(names, want) || pages != 4 {
		t.Errorf("%d pages of %q, want 4 of %q", pages, names, want)
	}
}

func TestPlainTools(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		tool       string
		arguments  any
		text       string
		structured string
		isError    bool
	}{
		{name: "add", tool: "add", arguments: addInput{A: 1, B: 2}, text: `{"sum":3}`, structured: `{"sum":3}`},
		{name: "fail", tool: "fail", arguments: messageInput{Message: "no"}, text: "no", isError: true},
		{name: "blob", tool: "blob", arguments: blobInput{KiB: 2}, text: strings.Repeat("x", 2048)},
		{
			name: "mirror", tool: "mirror", arguments: json.RawMessage(`{"one":1.0}`),
			text: `{"one":1.0}`, structured: `{"one":1}`,
		},
		{name: "sleep", tool: "sleep", arguments: sleepInput{MS: 1}, text: "slept 1 ms"},
	}
	session := connect(t, overHTTP(GoSDKOptions{})(t), nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result, err := session.CallTool(t.Context(), &mcpsdk.CallToolParams{Name: test.tool, Arguments: test.arguments})
			if err != nil {
				t.Fatal(err)
			}
			if got := textOf(t, result.Content[0]); got != test.text || result.IsError != test.isError {
				t.Errorf("text is %.80q (error: %v), want %.80q", got, result.IsError, test.text)
			}
			if structured, _ := json.Marshal(result.StructuredContent); test.structured != "" && string(structured) != test.structured {
				t.Errorf("structured content is %s, want %s", structured, test.structured)
			}
		})
	}
}

func TestMetaReportsHeadersAndMeta(t *testing.T) {
	t.Parallel()
	session := connect(t, overHTTP(GoSDKOptions{})(t), nil)
	answer := callText(t, session, &mcpsdk.CallToolParams{Name: "meta", Meta: mcpsdk.Meta{"traceparent": "00-ab-cd-01"}})
	var received Received
	if err := json.Unmarshal([]byte(answer), &received); err != nil {
		t.Fatal(err)
	}
	if got := received.Meta["traceparent"]; got != "00-ab-cd-01" {
		t.Errorf("traceparent is %v in %s", got, answer)
	}
	if got := received.Header.Get("Mcp-Name"); got != "meta" {
		t.Errorf("Mcp-Name is %q in %s", got, answer)
	}
}

func TestSlowReportsProgress(t *testing.T) {
	t.Parallel()
	progress := make(chan float64, 3)
	session := connect(t, overHTTP(GoSDKOptions{})(t), &mcpsdk.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, r *mcpsdk.ProgressNotificationClientRequest) {
			progress <- r.Params.Progress
		},
	})
	params := &mcpsdk.CallToolParams{Name: "slow", Arguments: slowInput{Steps: 3}}
	params.SetProgressToken("token")
	if got := callText(t, session, params); got != "did 3 steps" {
		t.Errorf("slow returned %q", got)
	}
	for _, want := range []float64{1, 2, 3} {
		if got := <-progress; got != want {
			t.Errorf("progress is %v, want %v", got, want)
		}
	}
}

func TestAskingToolsThroughBothEras(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"ask":    `"name":"Ada"`,
		"sample": `"text":"hello"`,
		"roots":  `"uri":"file:///tmp"`,
	}
	all := doors()
	for _, name := range []string{"stateless", "stateful", "stdio"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			session := connect(t, all[name].transport(t), answeringClient())
			for _, tool := range slices.Sorted(maps.Keys(answers)) {
				got := callText(t, session, &mcpsdk.CallToolParams{Name: tool})
				if !strings.Contains(got, answers[tool]) {
					t.Errorf("%s returned %s, want %s in it", tool, got, answers[tool])
				}
			}
		})
	}
}

func answeringClient() *mcpsdk.ClientOptions {
	return &mcpsdk.ClientOptions{
		Capabilities: &mcpsdk.ClientCapabilities{RootsV2: &mcpsdk.RootCapabilities{}},
		ElicitationHandler: func(context.Context, *mcpsdk.ElicitRequest) (*mcpsdk.ElicitResult, error) {
			return &mcpsdk.ElicitResult{Action: "accept", Content: map[string]any{"name": "Ada"}}, nil
		},
		CreateMessageHandler: func(context.Context, *mcpsdk.CreateMessageRequest) (*mcpsdk.CreateMessageResult, error) {
			return &mcpsdk.CreateMessageResult{
				Role: "assistant", Model: "none", Content: &mcpsdk.TextContent{Text: "hello"},
			}, nil
		},
	}
}

func TestServerAnnouncesChanges(t *testing.T) {
	t.Parallel()
	grown := make(chan struct{}, 1)
	updated := make(chan string, 1)
	session := connect(t, overHTTP(GoSDKOptions{Stateful: true})(t), &mcpsdk.ClientOptions{
		ToolListChangedHandler: func(context.Context, *mcpsdk.ToolListChangedRequest) { grown <- struct{}{} },
		ResourceUpdatedHandler: func(_ context.Context, r *mcpsdk.ResourceUpdatedNotificationRequest) {
			updated <- r.Params.URI
		},
	})
	if got := callText(t, session, &mcpsdk.CallToolParams{Name: "grow"}); got != "grown_1" {
		t.Errorf("grow returned %q", got)
	}
	<-grown
	if err := session.Subscribe(t.Context(), &mcpsdk.SubscribeParams{URI: TextURI}); err != nil {
		t.Fatal(err)
	}
	callText(t, session, &mcpsdk.CallToolParams{Name: "touch", Arguments: touchInput{URI: TextURI}})
	if got := <-updated; got != TextURI {
		t.Errorf("%s was updated, want %s", got, TextURI)
	}
}

func TestResourcesAndPrompts(t *testing.T) {
	t.Parallel()
	session := connect(t, overHTTP(GoSDKOptions{})(t), nil)
	item, err := session.ReadResource(t.Context(), &mcpsdk.ReadResourceParams{URI: "test://item/7"})
	if err != nil || item.Contents[0].Text != "item 7" {
		t.Errorf("item 7 is %v (%v)", item, err)
	}
	blob, err := session.ReadResource(t.Context(), &mcpsdk.ReadResourceParams{URI: BytesURI})
	if err != nil || len(blob.Contents[0].Blob) != 256 {
		t.Errorf("bytes are %v (%v)", blob, err)
	}
	prompt, err := session.GetPrompt(t.Context(), &mcpsdk.GetPromptParams{
		Name: "greet", Arguments: map[string]string{"name": "Ada"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := textOf(t, prompt.Messages[0].Content); got != "Greet Ada" {
		t.Errorf("prompt is %q", got)
	}
	completed, err := session.Complete(t.Context(), &mcpsdk.CompleteParams{
		Ref:      &mcpsdk.CompleteReference{Type: "ref/prompt", Name: "greet"},
		Argument: mcpsdk.CompleteParamsArgument{Name: "tone", Value: "w"},
	})
	if err != nil || !slices.Equal(completed.Completion.Values, []string{"warmly", "wearily"}) {
		t.Errorf("completion is %v (%v)", completed, err)
	}
}
