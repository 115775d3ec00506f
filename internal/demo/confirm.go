package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// confirmationKey names the one question of a confirm call in its input
// requests and in the responses that come back.
const confirmationKey = "confirmation"

func addConfirm(server *mcpsdk.Server) {
	mcpsdk.AddTool(server, &mcpsdk.Tool{
		Name:        "confirm",
		Title:       "Confirm",
		Description: "Asks the user a yes-or-no question through elicitation and returns what they said.",
		Annotations: &mcpsdk.ToolAnnotations{ReadOnlyHint: true, OpenWorldHint: new(false)},
	}, confirm)
}

type confirmInput struct {
	Question string `json:"question" jsonschema:"the question to put to the user"`
}

type confirmOutput struct {
	Action    string `json:"action" jsonschema:"accept, decline or cancel"`
	Confirmed bool   `json:"confirmed" jsonschema:"whether the user said yes"`
}

// confirm asks by returning an input request. A client of 2026-07-28 answers it
// by calling again; for an older one the SDK sends elicitation/create and calls
// confirm a second time itself.
func confirm(
	_ context.Context, request *mcpsdk.CallToolRequest, in confirmInput,
) (*mcpsdk.CallToolResult, confirmOutput, error) {
	if response, ok := request.Params.InputResponses[confirmationKey]; ok {
		out, err := readConfirmation(response)
		return nil, out, err
	}
	if err := requireFormElicitation(request.ClientCapabilities()); err != nil {
		return nil, confirmOutput{}, err
	}
	return &mcpsdk.CallToolResult{
		InputRequests: mcpsdk.InputRequestMap{confirmationKey: question(in.Question)},
	}, confirmOutput{}, nil
}

func question(text string) *mcpsdk.ElicitParams {
	return &mcpsdk.ElicitParams{
		Mode:    "form",
		Message: text,
		RequestedSchema: json.RawMessage(`{
			"type": "object",
			"properties": {
				"confirmed": {"type": "boolean", "title": "Yes", "default": false}
			},
			"required": ["confirmed"]
		}`),
	}
}

func readConfirmation(response mcpsdk.InputResponse) (confirmOutput, error) {
	elicited, ok := response.(*mcpsdk.ElicitResult)
	if !ok {
		return confirmOutput{}, errors.New("the answer is not an elicitation result")
	}
	switch elicited.Action {
	case "accept":
		confirmed, ok := elicited.Content["confirmed"].(bool)
		if !ok {
			return confirmOutput{}, errors.New(`the answer has no boolean "confirmed"`)
		}
		return confirmOutput{Action: elicited.Action, Confirmed: confirmed}, nil
	case "decline", "cancel":
		return confirmOutput{Action: elicited.Action}, nil
	default:
		return confirmOutput{}, fmt.Errorf("the answer has the unknown action %q", elicited.Action)
	}
}

// requireFormElicitation says, in the way 2026-07-28 prescribes, that the client
// did not declare that it can put forms to a user. An elicitation capability
// without a mode means form: that is how clients before 2025-11-25 declare it.
func requireFormElicitation(capabilities *mcpsdk.ClientCapabilities) error {
	if capabilities != nil && capabilities.Elicitation != nil {
		if declared := capabilities.Elicitation; declared.Form != nil || declared.URL == nil {
			return nil
		}
	}
	data, err := json.Marshal(mcpsdk.MissingRequiredClientCapabilityData{
		RequiredCapabilities: &mcpsdk.ClientCapabilities{
			Elicitation: &mcpsdk.ElicitationCapabilities{Form: &mcpsdk.FormElicitationCapabilities{}},
		},
	})
	if err != nil {
		return fmt.Errorf("encode the required capabilities: %w", err)
	}
	return &jsonrpc.Error{
		Code:    mcpsdk.CodeMissingRequiredClientCapabilities,
		Message: "confirm needs a client that answers form elicitation",
		Data:    data,
	}
}
