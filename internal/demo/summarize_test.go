package demo

import (
	"slices"
	"strings"
	"testing"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

func TestSummarize(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		arguments map[string]string
		want      string
		wantErr   string
	}{
		{
			name:      "default style",
			arguments: map[string]string{"text": "A long story."},
			want:      "Summarize the following text as one paragraph.\n\nA long story.",
		},
		{
			name:      "given style",
			arguments: map[string]string{"text": "A long story.", "style": "bullet points"},
			want:      "Summarize the following text as bullet points.\n\nA long story.",
		},
		{name: "no text", arguments: map[string]string{"style": "bullet points"}, wantErr: `needs the argument "text"`},
		{
			name:      "unknown style",
			arguments: map[string]string{"text": "t", "style": "haiku"},
			wantErr:   `unknown style "haiku"`,
		},
	}
	session := connect(t, modern, nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result, err := session.GetPrompt(t.Context(), &mcpsdk.GetPromptParams{
				Name: "summarize", Arguments: test.arguments,
			})
			if test.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantErr) {
					t.Errorf("error is %v, want %q in it", err, test.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := textOf(t, result.Messages[0].Content); got != test.want {
				t.Errorf("prompt is %q, want %q", got, test.want)
			}
		})
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	prompt := &mcpsdk.CompleteReference{Type: "ref/prompt", Name: "summarize"}
	template := &mcpsdk.CompleteReference{Type: "ref/resource", URI: "demo://time/{+zone}"}
	tests := []struct {
		name     string
		ref      *mcpsdk.CompleteReference
		argument string
		value    string
		want     []string
		wantErr  bool
	}{
		{name: "style by prefix", ref: prompt, argument: "style", value: "One", want: []string{"one paragraph", "one sentence"}},
		{name: "no such style", ref: prompt, argument: "style", value: "haiku", want: []string{}},
		{name: "argument without suggestions", ref: prompt, argument: "text", value: "a", want: []string{}},
		{name: "zone", ref: template, argument: "zone", value: "europe/", want: []string{"Europe/Berlin", "Europe/London"}},
		{name: "other template variable", ref: template, argument: "city", want: []string{}},
		{
			name: "unknown prompt", argument: "style", wantErr: true,
			ref: &mcpsdk.CompleteReference{Type: "ref/prompt", Name: "rhyme"},
		},
	}
	session := connect(t, modern, nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result, err := session.Complete(t.Context(), &mcpsdk.CompleteParams{
				Ref:      test.ref,
				Argument: mcpsdk.CompleteParamsArgument{Name: test.argument, Value: test.value},
			})
			if test.wantErr {
				if err == nil {
					t.Errorf("completed to %q, want an error", result.Completion.Values)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := result.Completion; !slices.Equal(got.Values, test.want) || got.Total != len(test.want) {
				t.Errorf("completed to %q (total %d), want %q", got.Values, got.Total, test.want)
			}
		})
	}
}
