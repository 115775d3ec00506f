package restjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// messages calls yield with every message type of the API.
func messages(yield func(protoreflect.MessageType)) {
	protoregistry.GlobalTypes.RangeMessages(func(mt protoreflect.MessageType) bool {
		d := mt.Descriptor()
		if d.ParentFile().Package() == "mcpbridge.v1" && !d.IsMapEntry() {
			yield(mt)
		}
		return true
	})
}

// object makes a Struct.
func object(t *testing.T, members map[string]any) *structpb.Struct {
	t.Helper()
	s, err := structpb.NewStruct(members)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// pack makes an Any.
func pack(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func text(content string) *mcpbridgev1.ContentBlock {
	return &mcpbridgev1.ContentBlock{Block: &mcpbridgev1.ContentBlock_Text{Text: &mcpbridgev1.TextContent{Text: content}}}
}

// tokens reads JSON into its tokens, numbers as text.
func tokens(t *testing.T, b []byte) []json.Token {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var all []json.Token
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%v in %s", err, b)
		}
		all = append(all, token)
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   proto.Message
		want string
	}{
		{
			name: "zero values without presence",
			in:   &mcpbridgev1.CallToolResponse{},
			want: `{"content":[],"isError":false}`,
		},
		{
			name: "text",
			in:   &mcpbridgev1.CallToolResponse{Content: []*mcpbridgev1.ContentBlock{text("a\n\"b\"\u2028")}},
			want: `{"content":[{"text":{"text":"a\n\"b\"\u2028"}}],"isError":false}`,
		},
		{
			name: "text wins over its twin and is exact",
			in: &mcpbridgev1.CallToolResponse{
				StructuredContent:     structpb.NewNumberValue(1),
				StructuredContentJson: proto.String(`{"z": 9007199254740993, "a":1.0,"n":null}`),
			},
			want: `{"content":[],"structuredContent":{"z": 9007199254740993, "a":1.0,"n":null},"isError":false}`,
		},
		{
			name: "text with line breaks",
			in:   &mcpbridgev1.CallToolResponse{MetaJson: proto.String("{\n \"a b\": \"c d\"\r\n}")},
			want: `{"content":[],"isError":false,"meta":{"a b":"c d"}}`,
		},
		{
			name: "twin without text",
			in:   &mcpbridgev1.CallToolResponse{Meta: object(t, map[string]any{"b": 1.5, "a": []any{nil, true, "x", map[string]any{}}})},
			want: `{"content":[],"isError":false,"meta":{"a":[null,true,"x",{}],"b":1.5}}`,
		},
		{
			name: "null is not absent",
			in:   &mcpbridgev1.CallToolResponse{StructuredContent: structpb.NewNullValue()},
			want: `{"content":[],"structuredContent":null,"isError":false}`,
		},
		{
			name: "text that is no JSON",
			in:   &mcpbridgev1.CallToolResponse{MetaJson: proto.String("")},
			want: `{"content":[],"isError":false,"meta":null}`,
		},
		{
			name: "unknown block",
			in:   &mcpbridgev1.ContentBlock{Block: &mcpbridgev1.ContentBlock_UnknownJson{UnknownJson: `{"type":"hologram"}`}},
			want: `{"unknown":{"type":"hologram"}}`,
		},
		{
			name: "params of an unknown notification",
			in:   &mcpbridgev1.UnknownNotification{Method: "x", ParamsJson: proto.String(`{"a":1}`)},
			want: `{"method":"x","params":{"a":1}}`,
		},
		{
			name: "bytes, numbers, enumerations",
			in: &mcpbridgev1.ResourceLink{
				Uri: "a:1", Size: proto.Int64(1 << 60),
				Annotations: &mcpbridgev1.Annotations{Priority: proto.Float64(0.25), Audience: []mcpbridgev1.Role{1, 77}},
			},
			want: `{"uri":"a:1","name":"","size":"1152921504606846976","icons":[],"annotations":{"audience":["ROLE_USER",77],"priority":0.25}}`,
		},
		{
			name: "image",
			in: &mcpbridgev1.ContentBlock{Block: &mcpbridgev1.ContentBlock_Image{
				Image: &mcpbridgev1.ImageContent{Data: []byte{0xfb, 0xff, 0}, MimeType: "image/png"},
			}},
			want: `{"image":{"data":"+/8A","mimeType":"image/png"}}`,
		},
		{
			name: "times",
			in: &mcpbridgev1.Task{
				TaskId: "t", CreateTime: &timestamppb.Timestamp{Seconds: 1}, Ttl: &durationpb.Duration{Seconds: 1, Nanos: 500_000_000},
			},
			want: `{"taskId":"t","status":"TASK_STATUS_UNSPECIFIED","createTime":"1970-01-01T00:00:01Z","ttl":"1.500s"}`,
		},
		{
			name: "map",
			in: &mcpbridgev1.InputRequired{Requests: map[string]*mcpbridgev1.InputRequest{
				"b": {Request: &mcpbridgev1.InputRequest_Roots{Roots: &mcpbridgev1.RootsRequest{}}}, "a": {},
			}},
			want: `{"requests":{"a":{},"b":{"roots":{}}},"requestState":""}`,
		},
		{
			name: "error with details",
			in: &spb.Status{Code: 5, Message: "no", Details: []*anypb.Any{
				pack(t, &errdetails.ErrorInfo{Reason: "R", Domain: "mcpbridge", Metadata: map[string]string{"server": "s"}}),
				pack(t, &errdetails.RetryInfo{RetryDelay: durationpb.New(3e9)}),
				pack(t, &mcpbridgev1.UpstreamError{Code: -32602, DataJson: proto.String(`{"n":1.0}`), Data: structpb.NewNullValue()}),
				pack(t, durationpb.New(1e9)),
				{TypeUrl: "type.example.com/acme.Unknown", Value: []byte("abc")},
			}},
			want: `{"code":5,"message":"no","details":[` +
				`{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"R","domain":"mcpbridge","metadata":{"server":"s"}},` +
				`{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"3s"},` +
				`{"@type":"type.googleapis.com/mcpbridge.v1.UpstreamError","code":"-32602","message":"","data":{"n":1.0}},` +
				`{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"},` +
				`{"@type":"type.example.com/acme.Unknown","value":"YWJj"}]}`,
		},
	}
	codec := &Codec{}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := codec.Append([]byte(">"), tt.in)
			if err != nil || string(got) != ">"+tt.want {
				t.Errorf("got  %s, %v\nwant >%s", got, err, tt.want)
			}
		})
	}
}

func TestAppendErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]proto.Message{
		"NaN in a Value":      &mcpbridgev1.LogMessage{Data: structpb.NewNumberValue(math.NaN())},
		"impossible duration": &mcpbridgev1.Task{Ttl: &durationpb.Duration{Seconds: 1, Nanos: -1}},
		"broken detail": &spb.Status{Details: []*anypb.Any{
			{TypeUrl: "type.googleapis.com/google.rpc.ErrorInfo", Value: []byte{0xff}},
		}},
	}
	for name, m := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := new(Codec).Append(nil, m); err == nil {
				t.Errorf("no error, but %s", got)
			}
		})
	}
}

func TestForceText(t *testing.T) {
	t.Parallel()
	codec := &Codec{}
	m := &mcpbridgev1.CallToolRequest{JsonFormat: mcpbridgev1.JsonFormat_JSON_FORMAT_BOTH}
	codec.ForceText(m)
	codec.ForceText(&mcpbridgev1.RespondRequest{}) // has no such field
	if m.JsonFormat != mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT {
		t.Errorf("got %v", m.JsonFormat)
	}
}

// TestAPI holds the types of the API to what the codec takes for granted.
func TestAPI(t *testing.T) {
	t.Parallel()
	messages(func(mt protoreflect.MessageType) {
		fields := mt.Descriptor().Fields()
		for i := range fields.Len() {
			fd := fields.Get(i)
			if fd.IsMap() && fd.MapKey().Kind() != protoreflect.StringKind {
				t.Errorf("%s: the keys of a map are not strings", fd.FullName())
			}
			if isFreeForm(fd) && fields.ByName(fd.Name()+rawSuffix) == nil {
				t.Errorf("%s: free-form JSON without its text", fd.FullName())
			}
			if (fd.IsList() || fd.IsMap()) && isRaw(fd) {
				t.Errorf("%s: raw JSON, but repeated", fd.FullName())
			}
		}
	})
}
