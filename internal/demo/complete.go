package demo

import (
	"context"
	"fmt"
	"strings"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// complete suggests the styles of the summarize prompt and a few well-known
// zones for the time template. An argument with nothing to suggest completes to
// nothing; an unknown prompt or template is an error.
func complete(_ context.Context, request *mcpsdk.CompleteRequest) (*mcpsdk.CompleteResult, error) {
	candidates, err := candidatesFor(request.Params.Ref, request.Params.Argument.Name)
	if err != nil {
		return nil, err
	}
	values := []string{}
	for _, candidate := range candidates {
		if hasPrefixFold(candidate, request.Params.Argument.Value) {
			values = append(values, candidate)
		}
	}
	return &mcpsdk.CompleteResult{
		Completion: mcpsdk.CompletionResultDetails{Values: values, Total: len(values)},
	}, nil
}

func candidatesFor(ref *mcpsdk.CompleteReference, argument string) ([]string, error) {
	switch {
	case ref.Type == "ref/prompt" && ref.Name == summarizeName:
		if argument == "style" {
			return summaryStyles(), nil
		}
		return nil, nil
	case ref.Type == "ref/resource" && ref.URI == timeTemplate:
		if argument == "zone" {
			return []string{"America/New_York", "Asia/Tokyo", "Australia/Sydney", "Europe/Berlin", "Europe/London", "UTC"}, nil
		}
		return nil, nil
	default:
		return nil, invalidParams(fmt.Sprintf("nothing to complete for %s %q", ref.Type, ref.Name+ref.URI))
	}
}

func hasPrefixFold(text, prefix string) bool {
	return len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix)
}
