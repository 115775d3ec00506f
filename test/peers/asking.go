package peers

import (
	"context"
	"encoding/json"
	"fmt"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// The asking tools return input requests. A client of 2026-07-28 sees those; for
// an older one the SDK turns them into requests of its own on the same call.
func addAskingTools(server *mcpsdk.Server) {
	mcpsdk.AddTool(server, &mcpsdk.Tool{Name: "ask", Description: "elicits a name"}, ask)
	mcpsdk.AddTool(server, &mcpsdk.Tool{Name: "visit", Description: "asks to open a page"}, visit)
	mcpsdk.AddTool(server, &mcpsdk.Tool{Name: "sample", Description: "asks for a completion"}, sample)
	mcpsdk.AddTool(server, &mcpsdk.Tool{Name: "roots", Description: "asks for the roots"}, roots)
}

const (
	askKey    = "name"
	visitKey  = "page"
	sampleKey = "completion"
	rootsKey  = "roots"
	// stateToken is the request state of every asking tool, chosen so that a
	// careless re-encoding would alter it.
	stateToken = `state "<&>" 1.0`
)

// ask elicits a form with a name and returns the result as JSON text.
func ask(_ context.Context, request *mcpsdk.CallToolRequest, _ struct{}) (*mcpsdk.CallToolResult, any, error) {
	return answerOrAsk(request, askKey, &mcpsdk.ElicitParams{
		Mode:    "form",
		Message: "What is your name?",
		RequestedSchema: json.RawMessage(`{
			"type": "object",
			"properties": {"name": {"type": "string"}, "loud": {"type": "boolean", "default": true}},
			"required": ["name"]
		}`),
	})
}

// VisitURL is the page that the visit tool asks to open.
const VisitURL = "https://example.com/consent"

// visit elicits that a page be opened and returns the result as JSON text.
func visit(_ context.Context, request *mcpsdk.CallToolRequest, _ struct{}) (*mcpsdk.CallToolResult, any, error) {
	return answerOrAsk(request, visitKey, &mcpsdk.ElicitParams{
		Mode: "url", Message: "Please agree.", URL: VisitURL, ElicitationID: "consent-1",
	})
}

// sample asks for a completion and returns the result as JSON text.
func sample(_ context.Context, request *mcpsdk.CallToolRequest, _ struct{}) (*mcpsdk.CallToolResult, any, error) {
	return answerOrAsk(request, sampleKey, &mcpsdk.CreateMessageParams{
		Messages:  []*mcpsdk.SamplingMessage{{Role: "user", Content: &mcpsdk.TextContent{Text: "Say hello."}}},
		MaxTokens: 100,
	})
}

// roots asks for the client's roots and returns the result as JSON text.
func roots(_ context.Context, request *mcpsdk.CallToolRequest, _ struct{}) (*mcpsdk.CallToolResult, any, error) {
	return answerOrAsk(request, rootsKey, &mcpsdk.ListRootsParams{})
}

func answerOrAsk(
	request *mcpsdk.CallToolRequest, key string, question mcpsdk.InputRequest,
) (*mcpsdk.CallToolResult, any, error) {
	answer, answered := request.Params.InputResponses[key]
	if !answered {
		return &mcpsdk.CallToolResult{
			InputRequests: mcpsdk.InputRequestMap{key: question},
			RequestState:  stateToken,
		}, nil, nil
	}
	if request.Params.RequestState != stateToken {
		return nil, nil, fmt.Errorf("request state came back as %q", request.Params.RequestState)
	}
	encoded, err := json.Marshal(answer)
	if err != nil {
		return nil, nil, err
	}
	return text(string(encoded)), nil, nil
}
