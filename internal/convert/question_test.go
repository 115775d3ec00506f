package convert_test

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/convert"
)

func TestQuestion(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ method, params, want string }{
		"sampling": {
			method: "sampling/createMessage",
			params: `{"messages":[{"role":"user","content":{"type":"text","text":"hi"}},{"role":"assistant","content":[{"type":"image","data":"AAEC","mimeType":"image/png"},
				{"type":"tool_use","id":"i","name":"n","input":{"a":1}}],"_meta":{"x":1}}],"maxTokens":100,"includeContext":"thisServer","systemPrompt":"","temperature":0.5,
				"stopSequences":["a"],"metadata":{"p":1},"modelPreferences":{"hints":[{"name":"s"}],"costPriority":0},"tools":[{"name":"t","inputSchema":{"type":"object"}}],
				"toolChoice":{"mode":"required"},"task":{"ttl":1},"_meta":{"progressToken":7}}`,
			want: `{"sampling":{"messages":[{"role":"ROLE_USER","content":[{"text":{"text":"hi"}}]},{"role":"ROLE_ASSISTANT","content":[{"image":{"data":"AAEC","mimeType":"image/png"}},
				{"toolUse":{"id":"i","name":"n","input":{"a":1}}}],"meta":{"x":1}}],"maxTokens":"100","includeContext":"INCLUDE_CONTEXT_THIS_SERVER","systemPrompt":"","temperature":0.5,
				"stopSequences":["a"],"metadata":{"p":1},"modelPreferences":{"hints":[{"name":"s"}],"costPriority":0},"tools":[{"name":"t","inputSchema":{"type":"object"}}],
				"toolChoice":{"mode":"TOOL_CHOICE_MODE_REQUIRED"},"extra":{"task":{"ttl":1}},"meta":{"progressToken":7}}}`,
		},
		"form": {
			method: "elicitation/create", params: `{"message":"m","requestedSchema":{"type":"object","properties":{}},"x":1,"_meta":{}}`,
			want: `{"elicitation":{"message":"m","form":{"requestedSchema":{"type":"object","properties":{}}},"extra":{"x":1},"meta":{}}}`,
		},
		"form by its mode": {
			method: "elicitation/create", params: `{"mode":"form","message":"m","requestedSchema":{}}`,
			want: `{"elicitation":{"message":"m","form":{"requestedSchema":{}}}}`,
		},
		"url": {
			method: "elicitation/create", params: `{"mode":"url","message":"m","url":"https://x.test/?a=%20","elicitationId":"e"}`,
			want: `{"elicitation":{"message":"m","url":{"url":"https://x.test/?a=%20","elicitationId":"e"}}}`,
		},
		"url without an id": {
			method: "elicitation/create", params: `{"mode":"url","message":"m","url":"https://x.test"}`,
			want: `{"elicitation":{"message":"m","url":{"url":"https://x.test"}}}`,
		},
		"unknown mode": {
			method: "elicitation/create", params: `{"mode":"voice","message":"m","url":"u"}`,
			want: `{"elicitation":{"message":"m","extra":{"mode":"voice","url":"u"}}}`,
		},
		"roots without params": {method: "roots/list", want: `{"roots":{}}`},
		"roots":                {method: "roots/list", params: `{"_meta":{"a":1}}`, want: `{"roots":{"meta":{"a":1}}}`},
		"unknown":              {method: "acme/ask", params: `{"x":1.0}`, want: `{"unknown":{"method":"acme/ask","paramsJson":"{\"x\":1.0}"}}`},
		"unknown, no params":   {method: "acme/ask", want: `{"unknown":{"method":"acme/ask"}}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var params []byte
			if tt.params != "" {
				params = []byte(tt.params)
			}
			got, err := convert.Question(tt.method, params, asStruct)
			if err != nil {
				t.Fatal(err)
			}
			want := new(mcpbridgev1.InputRequest)
			if err := protojson.Unmarshal([]byte(tt.want), want); err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", protojson.Format(got), protojson.Format(want))
			}
		})
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in     string
		blocks bool
		want   string
	}{
		"sampling, one block": {
			in:   `{"sampling":{"content":[{"text":{"text":""}}],"model":"m","stopReason":"endTurn","metaJson":"{\"b\":1.0,\"a\":9007199254740993}"}}`,
			want: `{"role":"assistant","content":{"type":"text","text":""},"model":"m","stopReason":"endTurn","_meta":{"b":1.0,"a":9007199254740993}}`,
		},
		"sampling, many blocks": {
			in: `{"sampling":{"role":"ROLE_USER","content":[{"image":{"data":"AAEC","mimeType":"image/png"}},{"audio":{"data":"","mimeType":"audio/wav"}},
				{"toolUse":{"id":"i","name":"n"}},{"toolResult":{"toolUseId":"i","isError":true,"structuredContent":null}},
				{"resource":{"resource":{"uri":"u","text":"x"}}},{"resourceLink":{"uri":"u","name":"n","size":"3","annotations":{"audience":["ROLE_USER"],"priority":0.5}}},
				{"unknownJson":"{\"type\":\"hologram\"}"},{"text":{"text":"t","extra":{"x":1}}}],"model":"m"}}`,
			blocks: true,
			want: `{"role":"user","content":[{"type":"image","data":"AAEC","mimeType":"image/png"},{"type":"audio","data":"","mimeType":"audio/wav"},` +
				`{"type":"tool_use","id":"i","name":"n","input":{}},{"type":"tool_result","toolUseId":"i","content":[],"structuredContent":null,"isError":true},` +
				`{"type":"resource","resource":{"uri":"u","text":"x"}},{"type":"resource_link","uri":"u","name":"n","size":3,"annotations":{"audience":["user"],"priority":0.5}},` +
				`{"type":"hologram"},{"type":"text","text":"t","x":1}],"model":"m"}`,
		},
		"accept":                 {in: `{"elicitation":{"action":"ELICITATION_ACTION_ACCEPT","content":{"a":1}}}`, want: `{"action":"accept","content":{"a":1}}`},
		"accept of a URL":        {in: `{"elicitation":{"action":"ELICITATION_ACTION_ACCEPT"}}`, want: `{"action":"accept"}`},
		"decline":                {in: `{"elicitation":{"action":"ELICITATION_ACTION_DECLINE","meta":{"a":1}}}`, want: `{"action":"decline","_meta":{"a":1}}`},
		"cancel":                 {in: `{"elicitation":{"action":"ELICITATION_ACTION_CANCEL"}}`, want: `{"action":"cancel"}`},
		"roots":                  {in: `{"roots":{"roots":[{"uri":"file:///a","name":"A"},{"uri":"file:///b","meta":{"x":1}}],"meta":{}}}`, want: `{"roots":[{"uri":"file:///a","name":"A"},{"uri":"file:///b","_meta":{"x":1}}],"_meta":{}}`},
		"no roots":               {in: `{"roots":{}}`, want: `{"roots":[]}`},
		"unknown":                {in: `{"unknownJson":" {\"b\":1.0} "}`, want: `{"b":1.0}`},
		"an error has no result": {in: `{"error":{"message":"no"}}`, want: ``},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := convert.Answer(response(t, tt.in), tt.blocks, 64)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestAnswerRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ in, path string }{
		"nothing":                  {`{}`, "response"},
		"no model":                 {`{"sampling":{"content":[{"text":{"text":"x"}}]}}`, "sampling.model"},
		"no content":               {`{"sampling":{"model":"m"}}`, "sampling.content"},
		"more blocks than allowed": {`{"sampling":{"model":"m","content":[{"text":{}},{"text":{}}]}}`, "sampling.content"},
		"an empty block":           {`{"sampling":{"model":"m","content":[{}]}}`, "sampling.content[0].block"},
		"both twins":               {`{"sampling":{"model":"m","content":[{"text":{"meta":{},"metaJson":"{}"}}]}}`, "sampling.content[0].text.meta"},
		"extra with a field":       {`{"sampling":{"model":"m","content":[{"text":{"extra":{"annotations":{}}}}]}}`, "sampling.content[0].text.extra"},
		"a block of another type":  {`{"sampling":{"model":"m","content":[{"text":{"extra":{"type":"image"}}}]}}`, "sampling.content[0].text.extra"},
		"no action":                {`{"elicitation":{"content":{}}}`, "elicitation.action"},
		"an unknown action":        {`{"elicitation":{"action":99}}`, "elicitation.action"},
		"content of a decline":     {`{"elicitation":{"action":"ELICITATION_ACTION_DECLINE","content":{}}}`, "elicitation.content"},
		"content that is no JSON":  {`{"elicitation":{"action":"ELICITATION_ACTION_ACCEPT","contentJson":"{"}}`, "elicitation.content"},
		"a root without a URI":     {`{"roots":{"roots":[{"uri":"a"},{"name":"n"}]}}`, "roots.roots[1].uri"},
		"unknown, no object":       {`{"unknownJson":"[]"}`, "unknown_json"},
		"duplicate keys":           {`{"unknownJson":"{\"a\":1,\"a\":2}"}`, "unknown_json"},
		"too deep":                 {`{"unknownJson":"` + strings.Repeat("[", 70) + `"}`, "unknown_json"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := convert.Answer(response(t, tt.in), false, 64)
			var field *convert.FieldError
			if !errors.As(err, &field) || field.Path != tt.path {
				t.Errorf("got %v, want it to be about %s", err, tt.path)
			}
		})
	}
}

func response(t *testing.T, text string) *mcpbridgev1.InputResponse {
	t.Helper()
	r := new(mcpbridgev1.InputResponse)
	if err := protojson.Unmarshal([]byte(text), r); err != nil {
		t.Fatalf("the case is not an answer: %v", err)
	}
	return r
}
