package restjson

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   string
		want proto.Message
	}{
		{name: "nothing", in: ` { } `, want: &mcpbridgev1.CallToolRequest{}},
		{
			name: "free-form JSON is exact",
			in:   `{"arguments": {"z": 9007199254740993, "a":1.0, "n":null,"deep":[{"x":1e400}]} }`,
			want: &mcpbridgev1.CallToolRequest{
				ArgumentsJson: proto.String(`{"z": 9007199254740993, "a":1.0, "n":null,"deep":[{"x":1e400}]}`),
			},
		},
		{
			name: "as a string", in: `{"argumentsJson":" {\"a\":1}\n","meta_json":"{}"}`,
			want: &mcpbridgev1.CallToolRequest{ArgumentsJson: proto.String(`{"a":1}`), MetaJson: proto.String(`{}`)},
		},
		{
			name: "nulls", in: `{"arguments":null,"name":null,"timeout":null,"inputResponses":null,"logLevel":null}`,
			want: &mcpbridgev1.CallToolRequest{},
		},
		{
			name: "null where any JSON may be", in: `{"progressToken":null,"progress":1}`,
			want: &mcpbridgev1.SendProgressRequest{ProgressTokenJson: proto.String(`null`), Progress: 1},
		},
		{
			name: "names of the .proto file", in: `{"accept_input_required":true,"request_state":"\u00e9\n","log_level":"LOGGING_LEVEL_INFO"}`,
			want: &mcpbridgev1.CallToolRequest{
				AcceptInputRequired: true, RequestState: proto.String("é\n"), LogLevel: mcpbridgev1.LoggingLevel_LOGGING_LEVEL_INFO.Enum(),
			},
		},
		{
			name: "answers, deep down",
			in: `{"timeout":"1.5s","inputResponses":{
				"a":{"elicitation":{"action":"ELICITATION_ACTION_ACCEPT","content":{"n":1.0}}},
				"b":{"unknown":{"x":1.0}},
				"c":{"roots":{"roots":[{"uri":"file:///r","meta":{"k":[1.0]}}]}},
				"d":{"error":{"code":"-1","data":false}},
				"e":{"sampling":{"role":1,"content":[{"image":{"data":"+/8A"}},{"unknown":{"type":"t"}}]}}}}`,
			want: &mcpbridgev1.CallToolRequest{
				Timeout: &durationpb.Duration{Seconds: 1, Nanos: 500_000_000},
				InputResponses: map[string]*mcpbridgev1.InputResponse{
					"a": {Response: &mcpbridgev1.InputResponse_Elicitation{Elicitation: &mcpbridgev1.ElicitationResponse{
						Action: mcpbridgev1.ElicitationAction_ELICITATION_ACTION_ACCEPT, ContentJson: proto.String(`{"n":1.0}`),
					}}},
					"b": {Response: &mcpbridgev1.InputResponse_UnknownJson{UnknownJson: `{"x":1.0}`}},
					"c": {Response: &mcpbridgev1.InputResponse_Roots{Roots: &mcpbridgev1.RootsResponse{
						Roots: []*mcpbridgev1.Root{{Uri: "file:///r", MetaJson: proto.String(`{"k":[1.0]}`)}},
					}}},
					"d": {Response: &mcpbridgev1.InputResponse_Error{Error: &mcpbridgev1.InputError{Code: -1, DataJson: proto.String(`false`)}}},
					"e": {Response: &mcpbridgev1.InputResponse_Sampling{Sampling: &mcpbridgev1.SamplingResponse{
						Role: mcpbridgev1.Role_ROLE_USER,
						Content: []*mcpbridgev1.ContentBlock{
							{Block: &mcpbridgev1.ContentBlock_Image{Image: &mcpbridgev1.ImageContent{Data: []byte{0xfb, 0xff, 0}}}},
							{Block: &mcpbridgev1.ContentBlock_UnknownJson{UnknownJson: `{"type":"t"}`}},
						},
					}}},
				},
			},
		},
		{
			name: "maps of strings", in: `{"server":"servers/x","headers":{"A":"b"}}`,
			want: &mcpbridgev1.ConnectRequest{
				Peer: &mcpbridgev1.ConnectRequest_Server{Server: "servers/x"}, Headers: map[string]string{"A": "b"},
			},
		},
		{
			name: "64 levels of free-form JSON", in: `{"arguments":` + nested(64) + `}`,
			want: &mcpbridgev1.CallToolRequest{ArgumentsJson: proto.String(nested(64))},
		},
	}
	codec := &Codec{}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := tt.want.ProtoReflect().New().Interface()
			if err := codec.Decode([]byte(tt.in), got); err != nil || !proto.Equal(got, tt.want) {
				t.Errorf("got  %v, %v\nwant %v", got, err, tt.want)
			}
		})
	}
}

// nested is an object of so many levels.
func nested(levels int) string {
	return strings.Repeat(`{"a":`, levels-1) + `{}` + strings.Repeat(`}`, levels-1)
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in, field, problem string
	}{
		{"unknown field", `{"argument":{}}`, "argument", "no such field"},
		{"unknown field, deep down", `{"answers":{"rootz":true}}`, "answers.rootz", "no such field"},
		{"other case", `{"Name":"x"}`, "Name", "no such field"},
		{"field twice", `{"name":"a","name":"b"}`, "name", "given twice"},
		{"field twice, once null", `{"name":"a","name":null}`, "name", "given twice"},
		{"field twice under two names", `{"requestState":"a","request_state":"b"}`, "request_state", "given twice"},
		{"both twins", `{"arguments":{},"argumentsJson":"{}"}`, "argumentsJson", "given twice"},
		{"duplicate key", `{"arguments":{"a":{"k":1,"\u006b":2}}}`, "arguments", `duplicate key "k"`},
		{"duplicate key in a string", `{"argumentsJson":"{\"k\":1,\"k\":2}"}`, "argumentsJson", `duplicate key "k"`},
		{"duplicate key of a map", `{"inputResponses":{"k":{},"k":{}}}`, "inputResponses.k", "given twice"},
		{"duplicate key deep down", `{"inputResponses":{"k":{"unknown":{"a":1,"a":1}}}}`, "inputResponses.k.unknown", "duplicate key"},
		{"two of a oneof", `{"inputResponses":{"k":{"roots":{},"error":{}}}}`, "inputResponses.k.error", "excludes roots"},
		{"arguments are no object", `{"arguments":[1]}`, "arguments", "must be an object"},
		{"string is no JSON", `{"argumentsJson":"{"}`, "argumentsJson", "invalid JSON"},
		{"string is empty", `{"argumentsJson":""}`, "argumentsJson", "invalid JSON"},
		{"text is no string", `{"argumentsJson":{}}`, "argumentsJson", "must be a string"},
		{"65 levels", `{"arguments":` + nested(65) + `}`, "arguments", "nested too deep"},
		{"65 levels in a string", `{"argumentsJson":"` + strings.ReplaceAll(nested(65), `"`, `\"`) + `"}`, "argumentsJson", "nested too deep"},
		{"no string", `{"name":1}`, "name", "must be a string"},
		{"lone surrogate", `{"name":"\ud800"}`, "name", "must be a string"},
		{"no boolean", `{"acceptInputRequired":"true"}`, "acceptInputRequired", "must be true or false"},
		{"no duration", `{"timeout":5}`, "timeout", "is not a duration"},
		{"unknown value of an enumeration", `{"logLevel":"LOUD"}`, "logLevel", "is not the name of a LoggingLevel"},
		{"no enumeration", `{"logLevel":true}`, "logLevel", "must be the name of a LoggingLevel"},
		{"no message", `{"answers":true}`, "answers", "must be an object"},
		{"no map", `{"inputResponses":[]}`, "inputResponses", "must be an object"},
		{"null in a map", `{"inputResponses":{"k":null}}`, "inputResponses.k", "must be an object"},
		{"no list", `{"inputResponses":{"k":{"roots":{"roots":{}}}}}`, "inputResponses.k.roots.roots", "must be an array"},
		{"null in a list", `{"inputResponses":{"k":{"roots":{"roots":[null]}}}}`, "inputResponses.k.roots.roots", "must be an object"},
		{"no base64", `{"inputResponses":{"k":{"sampling":{"content":[{"image":{"data":"*"}}]}}}}`, "inputResponses.k.sampling.content.image.data", "base64"},
		{"no integer", `{"inputResponses":{"k":{"error":{"code":1.5}}}}`, "inputResponses.k.error.code", "64-bit integer"},
		{"long name", `{"` + strings.Repeat("x", 1000) + `":1}`, strings.Repeat("x", 64) + "...", "no such field"},
		{"array", `[]`, "", "must be an object"},
		{"null", `null`, "", "must be an object"},
	}
	codec := &Codec{}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := codec.Decode([]byte(tt.in), &mcpbridgev1.CallToolRequest{})
			var f *FieldError
			if !errors.As(err, &f) || f.Field != tt.field || !strings.Contains(f.Problem, tt.problem) {
				t.Errorf("got %v, want %s: ...%s", err, tt.field, tt.problem)
			}
		})
	}
	for name, in := range map[string]string{
		"empty": ``, "no JSON": `{`, "two values": `{}{}`, "trailing comma": `{"name":"a",}`, "bad UTF-8": "{\"name\":\"\xff\"}", "byte order mark": "\ufeff{}",
		"brackets": strings.Repeat("[", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var f *FieldError
			if err := codec.Decode([]byte(in), &mcpbridgev1.CallToolRequest{}); err == nil || errors.As(err, &f) {
				t.Errorf("got %v, want a syntax error", err)
			}
		})
	}
}

func TestDecodeQuery(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, query string
		want        proto.Message
	}{
		{"nothing", "", &mcpbridgev1.ListToolsRequest{}},
		{"scalars", "all=true&cursor=&jsonFormat=JSON_FORMAT_BOTH", &mcpbridgev1.ListToolsRequest{
			All: true, Cursor: proto.String(""), JsonFormat: mcpbridgev1.JsonFormat_JSON_FORMAT_BOTH,
		}},
		{"free-form JSON", `meta={"a":+1.0}%0A`, &mcpbridgev1.ListToolsRequest{MetaJson: proto.String(`{"a": 1.0}`)}},
		{"free-form JSON by its other name", `metaJson={}`, &mcpbridgev1.ListToolsRequest{MetaJson: proto.String(`{}`)}},
		{"a string of JSON syntax", `uri=%22%5C`, &mcpbridgev1.ReadResourceRequest{Uri: `"\`}},
		{"path and duration", "answers.roots=true&answers.elicitation_url=true&timeout=1.5s", &mcpbridgev1.ReadResourceRequest{
			Answers: &mcpbridgev1.Answers{Roots: true, ElicitationUrl: true}, Timeout: &durationpb.Duration{Seconds: 1, Nanos: 500_000_000},
		}},
		{"list", "resourceUris=a:1&resourceUris=b:2", &mcpbridgev1.WatchEventsRequest{ResourceUris: []string{"a:1", "b:2"}}},
		{"number", "pageSize=7", &mcpbridgev1.ListSessionsRequest{PageSize: 7}},
	}
	codec := &Codec{}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			query, err := url.ParseQuery(tt.query)
			if err != nil {
				t.Fatal(err)
			}
			got := tt.want.ProtoReflect().New().Interface()
			if err := codec.DecodeQuery(query, got, map[string]string{"target": "servers/x"}); err != nil || !proto.Equal(got, tt.want) {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

func TestDecodeQueryErrors(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, query, field, problem string }{
		{"unknown", "al=true", "al", "no such field"},
		{"unknown, deep down", "answers.rootz=true", "answers.rootz", "no such field"},
		{"below a scalar", "uri.x=1", "uri.x", "no such field"},
		{"in the path already", "target=servers/y", "target", "given twice"},
		{"twice", "uri=a&uri=b", "uri", "given twice"},
		{"twice under two names", "requestState=a&request_state=b", "request_state", "given twice"},
		{"both twins", "meta={}&metaJson={}", "metaJson", "given twice"},
		{"no boolean", "acceptInputRequired=no", "acceptInputRequired", "must be true or false"},
		{"null", "acceptInputRequired=null", "acceptInputRequired", "must be true or false"},
		{"no boolean at all", "acceptInputRequired=", "acceptInputRequired", "must be true or false"},
		{"no JSON", "meta=x", "meta", "invalid JSON"},
		{"no object", "meta=1", "meta", "must be an object"},
		{"duplicate key", `meta={"a":1,"a":2}`, "meta", "duplicate key"},
		{"too deep", "meta=" + nested(65), "meta", "nested too deep"},
		{"message", "answers={}", "answers", "cannot be given in a URL"},
		{"map", "inputResponses={}", "inputResponses", "cannot be given in a URL"},
		{"member of a map", "inputResponses[k]=x", "inputResponses[k]", "no such field"},
		{"no duration", "timeout=5", "timeout", "is not a duration"},
		{"no UTF-8", "uri=%FF", "uri", "UTF-8"},
	}
	codec := &Codec{}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			query, err := url.ParseQuery(tt.query)
			if err != nil {
				t.Fatal(err)
			}
			err = codec.DecodeQuery(query, &mcpbridgev1.ReadResourceRequest{}, map[string]string{"target": "servers/x"})
			var f *FieldError
			if !errors.As(err, &f) || f.Field != tt.field || !strings.Contains(f.Problem, tt.problem) {
				t.Errorf("got %v, want %s: ...%s", err, tt.field, tt.problem)
			}
		})
	}
}
