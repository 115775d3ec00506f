package restjson

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

const structured = `{"city":"Zürich","days":[{"day":1,"high":21.5,"low":12.0,"sky":"clear"},{"day":2,"high":19.0,"low":11.5,"sky":"rain"}],"unit":"C"}`

// response is a result of usual size: text of half a kilobyte and structured
// content, the latter as JsonFormat says.
func response(b *testing.B, format mcpbridgev1.JsonFormat) *mcpbridgev1.CallToolResponse {
	b.Helper()
	m := &mcpbridgev1.CallToolResponse{Content: []*mcpbridgev1.ContentBlock{text(strings.Repeat("Sunny, then rain.\n", 30))}}
	if format == mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT {
		m.StructuredContentJson = proto.String(structured)
		return m
	}
	m.StructuredContent = &structpb.Value{}
	if err := protojson.Unmarshal([]byte(structured), m.StructuredContent); err != nil {
		b.Fatal(err)
	}
	return m
}

func BenchmarkAppend(b *testing.B) {
	codec := &Codec{}
	for name, format := range map[string]mcpbridgev1.JsonFormat{
		"text": mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT, "struct": mcpbridgev1.JsonFormat_JSON_FORMAT_STRUCT,
	} {
		m := response(b, format)
		b.Run(name+"/restjson", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := codec.Append(nil, m); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/protojson", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := (protojson.MarshalOptions{EmitDefaultValues: true}).Marshal(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	codec := &Codec{}
	text := []byte(`{"arguments":` + structured + `,"timeout":"5s"}`)
	b.Run("restjson", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := codec.Decode(text, &mcpbridgev1.CallToolRequest{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("protojson", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := protojson.Unmarshal(text, &mcpbridgev1.CallToolRequest{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
