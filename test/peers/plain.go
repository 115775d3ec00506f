package peers

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

func addPlainTools(server *mcpsdk.Server) {
	mcpsdk.AddTool(server, &mcpsdk.Tool{Name: "echo", Description: "returns the message"}, echo)
	mcpsdk.AddTool(server, &mcpsdk.Tool{Name: "add", Description: "adds two numbers"}, add)
	mcpsdk.AddTool(server, &mcpsdk.Tool{Name: "fail", Description: "fails with the message"}, fail)
	mcpsdk.AddTool(server, &mcpsdk.Tool{Name: "blob", Description: "returns that many KiB of text"}, blob)

	anything := json.RawMessage(`{"type":"object"}`)
	server.AddTool(&mcpsdk.Tool{Name: "mirror", Description: "returns its arguments", InputSchema: anything}, mirror)
	server.AddTool(&mcpsdk.Tool{Name: "meta", Description: "returns _meta and headers", InputSchema: anything}, meta)
}

type messageInput struct {
	Message string `json:"message"`
}

// echo returns the message as text.
func echo(_ context.Context, _ *mcpsdk.CallToolRequest, in messageInput) (*mcpsdk.CallToolResult, any, error) {
	return text(in.Message), nil, nil
}

type addInput struct {
	A float64 `json:"a"`
	B float64 `json:"b"`
}

type addOutput struct {
	Sum float64 `json:"sum"`
}

// add returns structured content and has an output schema.
func add(_ context.Context, _ *mcpsdk.CallToolRequest, in addInput) (*mcpsdk.CallToolResult, addOutput, error) {
	return nil, addOutput{Sum: in.A + in.B}, nil
}

// fail returns a result with isError and the message as its text.
func fail(_ context.Context, _ *mcpsdk.CallToolRequest, in messageInput) (*mcpsdk.CallToolResult, any, error) {
	return nil, nil, errors.New(in.Message)
}

type blobInput struct {
	KiB int `json:"kib"`
}

// blob returns kib times 1024 letters x as text.
func blob(_ context.Context, _ *mcpsdk.CallToolRequest, in blobInput) (*mcpsdk.CallToolResult, any, error) {
	return text(strings.Repeat("x", in.KiB<<10)), nil, nil
}

// mirror returns the exact JSON of its arguments as structured content, so that
// a test can see what becomes of numbers on the way there and back.
func mirror(_ context.Context, request *mcpsdk.CallToolRequest) (*mcpsdk.CallToolResult, error) {
	arguments := request.Params.Arguments
	if arguments == nil {
		arguments = json.RawMessage(`{}`)
	}
	result := text(string(arguments))
	result.StructuredContent = arguments
	return result, nil
}

// Received is what the meta tool saw of its call. The tool returns it as JSON text.
type Received struct {
	Meta   map[string]any `json:"meta"`
	Header http.Header    `json:"header"` // empty over stdio
}

// meta returns a Received.
func meta(_ context.Context, request *mcpsdk.CallToolRequest) (*mcpsdk.CallToolResult, error) {
	received := Received{Meta: request.Params.Meta}
	if request.Extra != nil {
		received.Header = request.Extra.Header
	}
	encoded, err := json.Marshal(received)
	if err != nil {
		return nil, err
	}
	return text(string(encoded)), nil
}

func text(content string) *mcpsdk.CallToolResult {
	return &mcpsdk.CallToolResult{Content: []mcpsdk.Content{&mcpsdk.TextContent{Text: content}}}
}
