package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// testPages walks the tools page by page, and has the bridge walk them.
func (w way) testPages(t *testing.T, client mcpbridgev1.McpServiceClient) {
	var names []string
	request := &mcpbridgev1.ListToolsRequest{Target: connect(t, client, &mcpbridgev1.ConnectRequest{})}
	for page := 1; page == 1 || request.Cursor != nil; page++ {
		response, err := client.ListTools(bounded(t), request)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(response.GetTools()); n == 0 || n > pageSize {
			t.Fatalf("page %d has %d tools", page, n)
		}
		for _, tool := range response.GetTools() {
			names = append(names, tool.GetName())
		}
		request.Cursor = response.NextCursor
	}
	all, err := client.ListTools(bounded(t), &mcpbridgev1.ListToolsRequest{Target: request.GetTarget(), All: true})
	if err != nil {
		t.Fatal(err)
	}
	var atOnce []string
	for _, tool := range all.GetTools() {
		atOnce = append(atOnce, tool.GetName())
	}
	if len(names) <= pageSize || !slices.Equal(names, atOnce) || all.NextCursor != nil {
		t.Errorf("the pages have %q, all of them at once %q, and then %v", names, atOnce, all.NextCursor)
	}
}

// testProgressAndLog has a log message for each step of progress on the stream
// of the call.
func (w way) testProgressAndLog(t *testing.T, client mcpbridgev1.McpServiceClient) {
	session := connect(t, client, &mcpbridgev1.ConnectRequest{})
	level := &mcpbridgev1.SetLoggingLevelRequest{Target: session, Level: mcpbridgev1.LoggingLevel_LOGGING_LEVEL_INFO}
	if _, err := client.SetLoggingLevel(bounded(t), level); err != nil {
		t.Fatal(err)
	}
	stream, err := client.CallToolStream(bounded(t), &mcpbridgev1.CallToolStreamRequest{
		Target: session, Name: "slow", Arguments: arguments(t, `{"steps":3,"interval_ms":1}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	var progress, logs []string
	for _, e := range receiveAll(t, stream.Recv) {
		if p := e.GetProgress(); p != nil {
			progress = append(progress, fmt.Sprintf("%s %v of %v", p.GetMessage(), p.GetProgress(), p.GetTotal()))
		}
		if l := e.GetLog(); l != nil {
			logs = append(logs, fmt.Sprintf("%s %v %s", l.GetLogger(), l.GetLevel(), l.GetData().GetStringValue()))
		}
	}
	if want := []string{"step 1 1 of 3", "step 2 2 of 3", "step 3 3 of 3"}; !slices.Equal(progress, want) {
		t.Errorf("the progress is %q, want %q", progress, want)
	}
	const info = "slow LOGGING_LEVEL_INFO step "
	if want := []string{info + "1", info + "2", info + "3"}; !slices.Equal(logs, want) {
		t.Errorf("the log is %q, want %q", logs, want)
	}
}

// testCancel leaves a call and wants its server to hear of it.
func (w way) testCancel(t *testing.T, client mcpbridgev1.McpServiceClient) {
	session := connect(t, client, &mcpbridgev1.ConnectRequest{})
	ctx, cancel := context.WithCancel(bounded(t))
	defer cancel()
	stream, err := client.CallToolStream(ctx, &mcpbridgev1.CallToolStreamRequest{
		Target: session, Name: "slow", Arguments: arguments(t, `{"steps":1000,"interval_ms":30}`),
	})
	for e := new(event); err == nil && e.GetProgress() == nil; {
		e, err = stream.Recv()
	}
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Canceled {
		t.Errorf("the call ends with %v", err)
	}
	eventually(t, cancelBound, func() error {
		result, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{Target: session, Name: "given_up"})
		if err == nil && textOf(result) != "1" {
			err = fmt.Errorf("%s calls were cancelled at the server, want 1", textOf(result))
		}
		return err
	})
}

func (w way) testCompletion(t *testing.T, client mcpbridgev1.McpServiceClient) {
	request := completion("greet", "tone", "w")
	request.Target = target
	completed, err := client.Complete(bounded(t), request)
	if err != nil || !slices.Equal(completed.GetCompletion().GetValues(), []string{"warmly", "wearily"}) {
		t.Errorf("the values are %v, %v", completed, err)
	}
}

func (w way) testPing(t *testing.T, client mcpbridgev1.McpServiceClient) {
	for _, target := range []string{target, connect(t, client, &mcpbridgev1.ConnectRequest{})} {
		if _, err := client.Ping(bounded(t), &mcpbridgev1.PingRequest{Target: target}); err != nil {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// testContents reads what is neither text nor a tool's words.
func (w way) testContents(t *testing.T, client mcpbridgev1.McpServiceClient) {
	sum, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{
		Target: target, Name: "add", Arguments: arguments(t, `{"a":1,"b":2}`),
	})
	if err != nil || sum.GetStructuredContent().GetStructValue().GetFields()["sum"].GetNumberValue() != 3 {
		t.Errorf("the sum is %v, %v", sum, err)
	}
	for uri, want := range map[string]string{
		peers.TextURI: "some text", "test://item/7": "item 7", peers.BytesURI: "\x00\x01\x02",
	} {
		read, err := client.ReadResource(bounded(t), &mcpbridgev1.ReadResourceRequest{Target: target, Uri: uri})
		if err != nil || len(read.GetContents()) != 1 {
			t.Fatalf("%s: %v, %v", uri, read, err)
		}
		content := read.GetContents()[0]
		if got := content.GetText() + string(content.GetBlob()); !strings.HasPrefix(got, want) || content.GetUri() != uri {
			t.Errorf("%s is %.80q", uri, got)
		}
	}
	prompt, err := client.GetPrompt(bounded(t), &mcpbridgev1.GetPromptRequest{
		Target: target, Name: "greet", Arguments: map[string]string{"name": "Ada"},
	})
	if err != nil || prompt.GetMessages()[0].GetContent().GetText().GetText() != "Greet Ada" {
		t.Errorf("the prompt is %v, %v", prompt, err)
	}
}

// testErrors has the errors of the server in the API's words.
func (w way) testErrors(t *testing.T, client mcpbridgev1.McpServiceClient) {
	read := func(uri string) func(context.Context, ...grpc.CallOption) error {
		return func(ctx context.Context, o ...grpc.CallOption) error {
			_, err := client.ReadResource(ctx, &mcpbridgev1.ReadResourceRequest{Target: target, Uri: uri}, o...)
			return err
		}
	}
	for name, tt := range map[string]struct {
		call   func(context.Context, ...grpc.CallOption) error
		code   codes.Code
		reason string
		rpc    int64
	}{
		"tool": {
			call: func(ctx context.Context, o ...grpc.CallOption) error {
				_, err := client.CallTool(ctx, &mcpbridgev1.CallToolRequest{Target: target, Name: "none"}, o...)
				return err
			},
			code: codes.InvalidArgument, reason: "UPSTREAM_INVALID_PARAMS", rpc: -32602,
		},
		"prompt": {
			call: func(ctx context.Context, o ...grpc.CallOption) error {
				_, err := client.GetPrompt(ctx, &mcpbridgev1.GetPromptRequest{Target: target, Name: "none"}, o...)
				return err
			},
			code: codes.InvalidArgument, reason: "UPSTREAM_INVALID_PARAMS", rpc: -32602,
		},
		"resource":           {call: read("test://none"), code: codes.InvalidArgument, reason: "UPSTREAM_INVALID_PARAMS", rpc: -32602},
		"item of a template": {call: read("test://item/none"), code: codes.NotFound, reason: "RESOURCE_NOT_FOUND", rpc: -32002},
	} {
		var trailer metadata.MD
		err := tt.call(bounded(t), grpc.Trailer(&trailer))
		wantStatus(t, err, trailer, tt.code, tt.reason, "answered")
		if upstream := detail[*mcpbridgev1.UpstreamError](status.Convert(err)); upstream.GetCode() != tt.rpc || upstream.GetMessage() == "" {
			t.Errorf("%s: the error of the server is %s, want %d", name, protojson.Format(upstream), tt.rpc)
		}
	}
	failed, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{
		Target: target, Name: "fail", Arguments: arguments(t, `{"message":"no luck"}`),
	})
	if err != nil || !failed.GetIsError() || textOf(failed) != "no luck" {
		t.Errorf("a tool that fails: %v, %v", failed, err)
	}
}
