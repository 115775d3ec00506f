// Package convert turns the JSON of MCP into the protobuf messages of the API,
// and the JSON in those messages back into text.
//
// The mapping is the messages' own: a member of an MCP object goes to the field
// of the same name (_meta to meta), JSON of any shape to a pair of twins (x and
// x_json), and every member that has no field, or whose value does not fit the
// one it has, to extra. So nothing that a server sent is lost.
//
// JSON becomes protobuf wire bytes in a single pass, with no objects in
// between; a plan for each message type is made from its descriptor.
package convert

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// A Format says in which of its twins JSON is handed over.
type Format = mcpbridgev1.JsonFormat

// Seal adds what the JSON object raw says to msg, in the form of wire bytes
// that msg carries along and writes out as they are when it is marshalled. To
// whoever receives msg over the wire the fields are there; in this process they
// are not, until [Open] is called. raw must have passed [rawjson.Check].
//
// Sealing again adds to what is there, as concatenated wire bytes do: lists
// grow, single fields are replaced.
func Seal(msg proto.Message, raw []byte, format Format) error {
	m := msg.ProtoReflect()
	wire, err := appendWire(m.GetUnknown(), m.Descriptor(), raw, format)
	if err != nil {
		return err
	}
	m.SetUnknown(wire)
	return nil
}

// Open turns what was sealed into fields. It does nothing to a message that is
// not sealed.
func Open(msg proto.Message) error {
	wire := msg.ProtoReflect().GetUnknown()
	if len(wire) == 0 {
		return nil
	}
	msg.ProtoReflect().SetUnknown(nil)
	if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(wire, msg); err != nil {
		return fmt.Errorf("open %s: %w", msg.ProtoReflect().Descriptor().Name(), err)
	}
	return nil
}

// Into sets the fields of msg to what the JSON object raw says.
func Into(msg proto.Message, raw []byte, format Format) error {
	if err := Seal(msg, raw, format); err != nil {
		return err
	}
	return Open(msg)
}

func appendWire(dst []byte, md protoreflect.MessageDescriptor, raw []byte, format Format) ([]byte, error) {
	if len(raw) == 0 || raw[0] != '{' {
		return dst, fmt.Errorf("%s: the JSON is not an object", md.Name())
	}
	// The wire bytes of small results take about as much as the text does. Of larger
	// ones the parts that are large make room for themselves.
	const small = 1 << 10
	w := struct {
		writer

		room [8]span // nearly always enough
	}{writer: writer{buf: slices.Grow(dst, min(len(raw), small)), format: format}}
	w.spans = w.room[:0]
	if c := rawjson.NewCursor(raw); !w.object(planOf(md), &c) {
		return dst, fmt.Errorf("%s: malformed JSON", md.Name())
	}
	return w.buf, nil
}
