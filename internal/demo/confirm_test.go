package demo

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

func TestConfirm(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		answer mcpsdk.ElicitResult
		want   confirmOutput
	}{
		{
			name:   "yes",
			answer: mcpsdk.ElicitResult{Action: "accept", Content: map[string]any{"confirmed": true}},
			want:   confirmOutput{Action: "accept", Confirmed: true},
		},
		{
			name:   "no",
			answer: mcpsdk.ElicitResult{Action: "accept", Content: map[string]any{"confirmed": false}},
			want:   confirmOutput{Action: "accept"},
		},
		{name: "declined", answer: mcpsdk.ElicitResult{Action: "decline"}, want: confirmOutput{Action: "decline"}},
		{name: "cancelled", answer: mcpsdk.ElicitResult{Action: "cancel"}, want: confirmOutput{Action: "cancel"}},
	}
	for _, version := range []string{modern, legacy} {
		for _, test := range tests {
			t.Run(version+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				session := connect(t, version, &mcpsdk.ClientOptions{
					ElicitationHandler: func(_ context.Context, r *mcpsdk.ElicitRequest) (*mcpsdk.ElicitResult, error) {
						if r.Params.Message != "Launch?" || r.Params.RequestedSchema == nil {
							t.Errorf("asked %q with schema %v", r.Params.Message, r.Params.RequestedSchema)
						}
						answer := test.answer
						return &answer, nil
					},
				})
				result := call(t, session, "confirm", map[string]any{"question": "Launch?"})
				if got := structured[confirmOutput](t, result); got != test.want {
					t.Errorf("result is %+v, want %+v", got, test.want)
				}
			})
		}
	}
}

func TestConfirmNeedsElicitation(t *testing.T) {
	t.Parallel()
	for _, version := range []string{modern, legacy} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			_, err := connect(t, version, nil).CallTool(t.Context(), &mcpsdk.CallToolParams{
				Name: "confirm", Arguments: map[string]any{"question": "Launch?"},
			})
			var wire *jsonrpc.Error
			if !errors.As(err, &wire) || wire.Code != mcpsdk.CodeMissingRequiredClientCapabilities {
				t.Fatalf("error is %v, want code %d", err, mcpsdk.CodeMissingRequiredClientCapabilities)
			}
			var data struct {
				RequiredCapabilities struct {
					Elicitation struct {
						Form *struct{} `json:"form"`
					} `json:"elicitation"`
				} `json:"requiredCapabilities"`
			}
			if err := json.Unmarshal(wire.Data, &data); err != nil {
				t.Fatal(err)
			}
			if data.RequiredCapabilities.Elicitation.Form == nil {
				t.Errorf("error data is %s, want elicitation.form in it", wire.Data)
			}
		})
	}
}

func TestReadConfirmationRefusesOtherAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		response mcpsdk.InputResponse
	}{
		{name: "not an elicitation result", response: &mcpsdk.ListRootsResult{}},
		{name: "unknown action", response: &mcpsdk.ElicitResult{Action: "maybe"}},
		{name: "accepted without content", response: &mcpsdk.ElicitResult{Action: "accept"}},
		{
			name:     "accepted with a string",
			response: &mcpsdk.ElicitResult{Action: "accept", Content: map[string]any{"confirmed": "yes"}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got, err := readConfirmation(test.response); err == nil {
				t.Errorf("read as %+v", got)
			}
		})
	}
}
