package service_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/service"
)

func TestCodec(t *testing.T) {
	t.Parallel()
	const raw = `{"content":[{"type":"text","text":"hello"}]}`
	sealed := new(mcpbridgev1.CallToolResponse)
	if err := convert.Seal(sealed, []byte(raw), mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT); err != nil {
		t.Fatal(err)
	}
	open := proto.CloneOf(sealed)
	if err := convert.Open(open); err != nil {
		t.Fatal(err)
	}
	both := proto.CloneOf(sealed)
	both.OutputValidationError = proto.String("no")
	want := proto.CloneOf(open)
	want.OutputValidationError = proto.String("no")
	tests := map[string]struct {
		in, out *mcpbridgev1.CallToolResponse
		same    bool // the wire bytes are not copied
	}{
		"sealed":             {in: sealed, out: open, same: true},
		"open":               {in: open, out: open},
		"sealed and a field": {in: both, out: want},
		"empty":              {in: &mcpbridgev1.CallToolResponse{}, out: &mcpbridgev1.CallToolResponse{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire, err := service.Codec().Marshal(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			defer wire.Free()
			got := new(mcpbridgev1.CallToolResponse)
			if err := service.Codec().Unmarshal(wire, got); err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(got, tt.out) {
				t.Errorf("%v, want %v", got, tt.out)
			}
			unknown := tt.in.ProtoReflect().GetUnknown()
			if same := len(wire) == 1 && len(unknown) > 0 && &wire[0].ReadOnlyData()[0] == &unknown[0]; same != tt.same {
				t.Errorf("not copied: %t", same)
			}
		})
	}
}
