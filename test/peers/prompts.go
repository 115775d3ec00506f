package peers

import (
	"context"
	"strings"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

func addGreet(server *mcpsdk.Server) {
	server.AddPrompt(&mcpsdk.Prompt{
		Name:        "greet",
		Description: "asks for a greeting",
		Arguments: []*mcpsdk.PromptArgument{
			{Name: "name", Required: true},
			{Name: "tone"},
		},
	}, greet)
}

func greet(_ context.Context, request *mcpsdk.GetPromptRequest) (*mcpsdk.GetPromptResult, error) {
	arguments := request.Params.Arguments
	message := strings.TrimSpace("Greet " + arguments["name"] + " " + arguments["tone"])
	return &mcpsdk.GetPromptResult{
		Messages: []*mcpsdk.PromptMessage{{Role: "user", Content: &mcpsdk.TextContent{Text: message}}},
	}, nil
}

// completeTone completes any argument of anything from the tones of greet.
func completeTone(_ context.Context, request *mcpsdk.CompleteRequest) (*mcpsdk.CompleteResult, error) {
	values := []string{}
	for _, tone := range []string{"warmly", "wearily", "formally"} {
		if strings.HasPrefix(tone, request.Params.Argument.Value) {
			values = append(values, tone)
		}
	}
	return &mcpsdk.CompleteResult{
		Completion: mcpsdk.CompletionResultDetails{Values: values, Total: len(values)},
	}, nil
}
