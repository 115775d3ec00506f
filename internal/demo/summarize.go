package demo

import (
	"context"
	"fmt"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

const summarizeName = "summarize"

// summaryStyles are the styles of the summarize prompt; the first is the default.
func summaryStyles() []string {
	return []string{"one paragraph", "one sentence", "bullet points", "executive summary", "plain language"}
}

func addSummarize(server *mcpsdk.Server) {
	server.AddPrompt(&mcpsdk.Prompt{
		Name:        summarizeName,
		Title:       "Summarize",
		Description: "Asks a model to summarize a text in a given style.",
		Arguments: []*mcpsdk.PromptArgument{
			{Name: "text", Description: "the text to summarize", Required: true},
			{Name: "style", Description: "how to write the summary; one paragraph if absent"},
		},
	}, summarize)
}

func summarize(_ context.Context, request *mcpsdk.GetPromptRequest) (*mcpsdk.GetPromptResult, error) {
	text := request.Params.Arguments["text"]
	if text == "" {
		return nil, invalidParams(`prompt "summarize" needs the argument "text"`)
	}
	style := request.Params.Arguments["style"]
	if style == "" {
		style = summaryStyles()[0]
	}
	if !slices.Contains(summaryStyles(), style) {
		return nil, invalidParams(fmt.Sprintf("unknown style %q; known are %q", style, summaryStyles()))
	}
	return &mcpsdk.GetPromptResult{
		Description: "Summarize as " + style,
		Messages: []*mcpsdk.PromptMessage{{
			Role:    "user",
			Content: &mcpsdk.TextContent{Text: fmt.Sprintf("Summarize the following text as %s.\n\n%s", style, text)},
		}},
	}, nil
}

func invalidParams(message string) *jsonrpc.Error {
	return &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: message}
}
