package convert_test

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

const (
	asStruct = mcpbridgev1.JsonFormat_JSON_FORMAT_UNSPECIFIED
	asText   = mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT
	asBoth   = mcpbridgev1.JsonFormat_JSON_FORMAT_BOTH
)

// into converts and writes the message down as protobuf's own JSON, which the
// cases below are written in.
func into(t *testing.T, msg proto.Message, raw string, format convert.Format) {
	t.Helper()
	if err := rawjson.Check([]byte(raw), 64); err != nil {
		t.Fatalf("the case is not JSON: %v", err)
	}
	if err := convert.Into(msg, []byte(raw), format); err != nil {
		t.Fatal(err)
	}
}

func TestInto(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		msg    proto.Message
		format convert.Format
		in     string
		want   string
	}{
		"text": {
			msg: &mcpbridgev1.CallToolResponse{}, in: `{"content":[{"type":"text","text":"h\u00e9\n"}],"isError":false}`,
			want: `{"content":[{"text":{"text":"hé\n"}}]}`,
		},
		"image is decoded once": {
			msg: &mcpbridgev1.CallToolResponse{}, in: `{"content":[{"type":"image","data":"AAEC","mimeType":"image/png","annotations":{"audience":["user"],"priority":0.5}}]}`,
			want: `{"content":[{"image":{"data":"AAEC","mimeType":"image/png","annotations":{"audience":["ROLE_USER"],"priority":0.5}}}]}`,
		},
		"base64 without padding": {
			msg: &mcpbridgev1.ImageContent{}, in: `{"data":"AAECAw"}`, want: `{"data":"AAECAw=="}`,
		},
		"every kind of block": {
			msg: &mcpbridgev1.CallToolResponse{},
			in: `{"content":[{"type":"resource_link","uri":"u","name":"n","size":3},{"type":"resource","resource":{"uri":"u","blob":"AA=="}},
				{"type":"tool_use","id":"i","name":"n","input":{"a":1}},{"type":"tool_result","toolUseId":"i","content":[{"type":"text","text":"x"}],"isError":true}]}`,
			want: `{"content":[{"resourceLink":{"uri":"u","name":"n","size":"3"}},{"resource":{"resource":{"uri":"u","blob":"AA=="}}},
				{"toolUse":{"id":"i","name":"n","input":{"a":1}}},{"toolResult":{"toolUseId":"i","content":[{"text":{"text":"x"}}],"isError":true}}]}`,
		},
		"unknown and malformed blocks stay text": {
			msg: &mcpbridgev1.CallToolResponse{}, in: `{"content":[{"type":"hologram","x":[1.0]},{"notype":1},{"type":"unknown_json"}]}`,
			want: `{"content":[{"unknownJson":"{\"type\":\"hologram\",\"x\":[1.0]}"},{"unknownJson":"{\"notype\":1}"},{"unknownJson":"{\"type\":\"unknown_json\"}"}]}`,
		},
		"what has no field goes to extra": {
			msg: &mcpbridgev1.Tool{}, in: `{"name":"n","vendor":{"x":1},"title":7,"origin":{"server":"no"}}`,
			want: `{"name":"n","extra":{"vendor":{"x":1},"title":7,"origin":{"server":"no"}}}`,
		},
		"what does not fit leaves no trace": {
			msg: &mcpbridgev1.TextContent{}, in: `{"text":"t","annotations":{"audience":["user","robot"],"priority":1}}`,
			want: `{"text":"t","annotations":{"priority":1,"extra":{"audience":["user","robot"]}}}`,
		},
		"null is absent, but not in a value": {
			msg: &mcpbridgev1.CallToolResponse{}, in: `{"content":null,"structuredContent":null,"_meta":null}`, want: `{"structuredContent":null}`,
		},
		"task": {
			msg:  &mcpbridgev1.Task{},
			in:   `{"taskId":"t","status":"input_required","createdAt":"2026-01-02T03:04:05.5Z","lastUpdatedAt":"yesterday","ttl":60000,"pollInterval":1500}`,
			want: `{"taskId":"t","status":"TASK_STATUS_INPUT_REQUIRED","createTime":"2026-01-02T03:04:05.500Z","ttl":"60s","pollInterval":"1.500s","extra":{"lastUpdatedAt":"yesterday"}}`,
		},
		"text format": {
			msg: &mcpbridgev1.CallToolResponse{}, format: asText, in: `{"structuredContent":{"b":1.0,"a":[]},"_meta":{"k":null}}`,
			want: `{"structuredContentJson":"{\"b\":1.0,\"a\":[]}","metaJson":"{\"k\":null}"}`,
		},
		"both formats": {
			msg: &mcpbridgev1.Tool{}, format: asBoth, in: `{"inputSchema":{"type":"object"}}`,
			want: `{"inputSchema":{"type":"object"},"inputSchemaJson":"{\"type\":\"object\"}"}`,
		},
		"text is added where a double loses something": {
			msg: &mcpbridgev1.CallToolResponse{}, in: `{"structuredContent":{"big":9007199254740993}}`,
			want: `{"structuredContent":{"big":9007199254740992},"structuredContentJson":"{\"big\":9007199254740993}"}`,
		},
		"and where a string does": {
			msg: &mcpbridgev1.CallToolResponse{}, in: `{"structuredContent":["\ud800"]}`,
			want: `{"structuredContent":["\ufffd"],"structuredContentJson":"[\"\\ud800\"]"}`,
		},
		"a page": {
			msg: &mcpbridgev1.ListToolsResponse{}, in: `{"tools":[{"name":"a"}],"nextCursor":"c","ttlMs":1500,"cacheScope":"public","resultType":"complete"}`,
			want: `{"tools":[{"name":"a"}],"ttl":"1.500s","cacheScope":"CACHE_SCOPE_PUBLIC"}`,
		},
		"of duplicates the last wins": {
			msg:  &mcpbridgev1.CallToolResponse{},
			in:   `{"content":[{"type":"text","text":"a"}],"structuredContent":{"a":1},"isError":true,"content":[{"type":"text","text":"b"}],"structuredContent":{"b":2},"isError":false}`,
			want: `{"content":[{"text":{"text":"b"}}],"structuredContent":{"b":2}}`,
		},
		"one body, the other kept": {
			msg: &mcpbridgev1.ResourceContents{}, in: `{"uri":"u","text":"t","blob":"AA=="}`, want: `{"uri":"u","text":"t","extra":{"blob":"AA=="}}`,
		},
		"what a field's type is called is kept": {
			msg: &mcpbridgev1.PromptArgument{}, in: `{"name":"n","type":"integer"}`, want: `{"name":"n","extra":{"type":"integer"}}`,
		},
		"tiny numbers": {
			msg: &mcpbridgev1.CallToolResponse{}, in: `{"structuredContent":[1e-400]}`,
			want: `{"structuredContent":[0],"structuredContentJson":"[1e-400]"}`,
		},
		"a session says only of itself what a server may": {
			msg: &mcpbridgev1.Session{}, in: `{"name":"evil","state":1,"serverInfo":{"name":"s","version":"1"},"instructions":"i","capabilities":{},"protocolVersion":"2025-11-25"}`,
			want: `{"serverInfo":{"name":"s","version":"1"},"instructions":"i","capabilities":{},"extra":{"name":"evil","state":1}}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			into(t, tt.msg, tt.in, tt.format)
			want := tt.msg.ProtoReflect().New().Interface()
			if err := protojson.Unmarshal([]byte(tt.want), want); err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(tt.msg, want) {
				t.Errorf("got  %s\nwant %s", protojson.Format(tt.msg), protojson.Format(want))
			}
		})
	}
}

func TestSealAddsPages(t *testing.T) {
	t.Parallel()
	msg := new(mcpbridgev1.ListToolsResponse)
	for _, page := range []string{`{"tools":[{"name":"a"}]}`, `{"tools":[{"name":"b"},{"name":"c"}]}`} {
		if err := convert.Seal(msg, []byte(page), asStruct); err != nil {
			t.Fatal(err)
		}
	}
	msg.NextCursor = proto.String("x")
	wire, err := proto.Marshal(msg)
	if err != nil {
		t.Fatal(err)
	}
	got := new(mcpbridgev1.ListToolsResponse)
	if err := proto.Unmarshal(wire, got); err != nil {
		t.Fatal(err)
	}
	if len(got.GetTools()) != 3 || got.GetTools()[2].GetName() != "c" || got.GetNextCursor() != "x" {
		t.Errorf("over the wire: %s", protojson.Format(got))
	}
	if err := convert.Open(msg); err != nil || !proto.Equal(msg, got) {
		t.Errorf("opened: %s, %v", protojson.Format(msg), err)
	}
}

func TestIntoRefuses(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{``, `null`, `[]`, `"x"`} {
		if err := convert.Into(new(mcpbridgev1.CallToolResponse), []byte(raw), asStruct); err == nil {
			t.Errorf("%q passed for an object", raw)
		}
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	value, err := structpb.NewStruct(map[string]any{"b": []any{1, 2.5, true, nil, "x\"y"}, "a": map[string]any{}, "big": 1e21, "small": 1e-7, "n": -3})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		s    *structpb.Struct
		text *string
		want string
		bad  bool
	}{
		"neither":          {},
		"struct":           {s: value, want: `{"a":{},"b":[1,2.5,true,null,"x\"y"],"big":1e+21,"n":-3,"small":1e-07}`},
		"text as it is":    {text: text(` {"b": 9007199254740993, "a":1.0} `), want: `{"b": 9007199254740993, "a":1.0}`},
		"both":             {s: value, text: text(`{}`), bad: true},
		"no object":        {text: text(`[]`), bad: true},
		"no JSON":          {text: text(`{"a":}`), bad: true},
		"empty":            {text: text(``), bad: true},
		"duplicate key":    {text: text(`{"x":{"a":1,"\u0061":2}}`), bad: true},
		"too deep":         {text: text(strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65)), bad: true},
		"not a number":     {s: &structpb.Struct{Fields: map[string]*structpb.Value{"a": structpb.NewNumberValue(math.NaN())}}, bad: true},
		"value of no kind": {s: &structpb.Struct{Fields: map[string]*structpb.Value{"a": {}}}, bad: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := convert.Object(tt.s, tt.text, 64)
			if (err != nil) != tt.bad || !tt.bad && string(got) != tt.want {
				t.Errorf("got %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

// TestValueLengths: whatever length is guessed, the lengths on the wire are those
// that protobuf itself would write.
func TestValueLengths(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 100, 120, 127, 128, 200, 16_300, 16_384, 70_000} {
		plain, escaped := `"`+strings.Repeat("x", n)+`"`, `"\n`+strings.Repeat("x", n)+`"`
		for _, raw := range []string{
			plain, escaped, `[` + plain + `,` + escaped + `]`, `{` + plain + `:1,` + escaped + `:` + escaped + `}`,
			`[[` + plain + `],["a"],[` + plain + `,[]]]`, `{"a":{"b":[` + escaped + `,{"c":` + plain + `}],"d":true}}`,
		} {
			msg := new(mcpbridgev1.CallToolResponse)
			if err := convert.Seal(msg, []byte(`{"structuredContent":`+raw+`}`), asStruct); err != nil {
				t.Fatal(err)
			}
			sealed := len(msg.ProtoReflect().GetUnknown())
			if err := convert.Open(msg); err != nil {
				t.Fatalf("%d, %.40s: %v", n, raw, err)
			}
			want := new(structpb.Value)
			if err := protojson.Unmarshal([]byte(raw), want); err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(msg.GetStructuredContent(), want) || sealed != proto.Size(msg) {
				t.Errorf("%d, %.40s: %d bytes, want %d of %.100v", n, raw, sealed, proto.Size(msg), want)
			}
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"0", "-0", "-0.0", "7", "-7", "0.1", "-12.25", "0.3", "999999999999999", "-999999999999999", "9999999999999999", "0.00000000000001",
		"123456789012.345", "0.123456789012345", "0.1234567890123456", "1.7976931348623157e308", "1e3", "1E-3", "4.35", "100.10", "5e-324",
	} {
		msg := new(mcpbridgev1.CallToolResponse)
		into(t, msg, `{"structuredContent":`+raw+`}`, asStruct)
		want, err := strconv.ParseFloat(raw, 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := msg.GetStructuredContent().GetNumberValue(); math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("%s is %v", raw, got)
		}
	}
}

// FuzzValue holds the JSON to wire writer against protojson.
func FuzzValue(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,-3e7,"x",null,true,{"b":{}}]}`, `9007199254740993`, `"\ud83d\ude00"`, `[[[]]]`, `1e400`, `{"a":1,"a":2}`, `{"a\n":"\u00e9","b":["\t",[]]}`, `[-0,0.30,1.25]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if rawjson.Check([]byte(raw), 64) != nil {
			return
		}
		got := new(mcpbridgev1.CallToolResponse)
		if err := convert.Into(got, []byte(`{"structuredContent":`+raw+`}`), asStruct); err != nil {
			t.Fatal(err)
		}
		want := new(structpb.Value)
		if protojson.Unmarshal([]byte(raw), want) != nil {
			return // protojson refuses lone surrogates, duplicate keys and large numbers
		}
		if !proto.Equal(got.GetStructuredContent(), want) {
			t.Fatalf("%s: got %s", raw, protojson.Format(got))
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	row := `{"id":12345,"name":"some name","tags":["a","b"],"score":0.25,"ok":true}`
	long := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 23302)
	for name, raw := range map[string]string{
		"echo":       `{"content":[{"type":"text","text":"hello world"}]}`,
		"structured": `{"content":[],"structuredContent":{"rows":[` + strings.Repeat(row+",", 150) + row + `]}}`,
		"1MiB":       `{"content":[{"type":"text","text":"` + long + `"}]}`,
		"image":      `{"content":[{"type":"image","mimeType":"image/png","data":"` + strings.Repeat("QUJD", 64<<10) + `"}]}`,
		"link":       `{"content":[{"type":"resource_link","uri":"file:///a","name":"a","annotations":{"audience":["user"]}}]}`,
		"resource":   `{"content":[{"type":"resource","resource":{"uri":"file:///a","text":"hello","mimeType":"text/plain"}}]}`,
		"unknown":    `{"content":[{"type":"hologram","depth":3}]}`,
	} {
		for format, f := range map[string]convert.Format{"struct": asStruct, "text": asText} {
			b.Run(name+"/"+format, func(b *testing.B) { benchSeal(b, []byte(raw), f) })
		}
	}
}

func benchSeal(b *testing.B, raw []byte, f convert.Format) {
	b.Helper()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	var last *mcpbridgev1.CallToolResponse
	for b.Loop() {
		last = new(mcpbridgev1.CallToolResponse)
		if err := convert.Seal(last, raw, f); err != nil {
			b.Fatal(err)
		}
	}
	want := new(mcpbridgev1.CallToolResponse)
	if err := errors.Join(convert.Open(last), convert.Into(want, raw, f)); err != nil || !proto.Equal(last, want) {
		b.Fatalf("%v is not %v: %v", last, want, err)
	}
	if last.GetExtra() != nil || len(last.GetContent()) == 0 && last.GetStructuredContent() == nil && last.GetStructuredContentJson() == "" {
		b.Fatalf("nothing came of it: %v", last)
	}
}
