package restjson

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// scalar reads one value of the kind that fd says. What strings, booleans and
// enumerations leave over is left to protojson, whose wrapper types have the
// JSON form of what they wrap.
func scalar(fd protoreflect.FieldDescriptor, text []byte) (protoreflect.Value, error) {
	var wrapper proto.Message
	switch fd.Kind() {
	case protoreflect.StringKind:
		if isPlainString(text) {
			return protoreflect.ValueOfString(string(text[1 : len(text)-1])), nil
		}
		wrapper = &wrapperspb.StringValue{}
	case protoreflect.EnumKind:
		return enum(fd.Enum(), text)
	case protoreflect.BoolKind:
		wrapper = &wrapperspb.BoolValue{}
	case protoreflect.BytesKind:
		wrapper = &wrapperspb.BytesValue{}
	case protoreflect.DoubleKind:
		wrapper = &wrapperspb.DoubleValue{}
	case protoreflect.FloatKind:
		wrapper = &wrapperspb.FloatValue{}
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		wrapper = &wrapperspb.Int32Value{}
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		wrapper = &wrapperspb.UInt32Value{}
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		wrapper = &wrapperspb.UInt64Value{}
	default:
		wrapper = &wrapperspb.Int64Value{}
	}
	if text[0] == 'n' || protojson.Unmarshal(text, wrapper) != nil {
		return protoreflect.Value{}, problem("must be %s", kindNames(fd.Kind()))
	}
	m := wrapper.ProtoReflect()
	return m.Get(m.Descriptor().Fields().Get(0)), nil
}

func enum(d protoreflect.EnumDescriptor, text []byte) (protoreflect.Value, error) {
	if name, err := rawjson.String(text); err == nil {
		if v := d.Values().ByName(protoreflect.Name(name)); v != nil {
			return protoreflect.ValueOfEnum(v.Number()), nil
		}
		return protoreflect.Value{}, problem("is not the name of a %s", d.Name())
	}
	var n wrapperspb.Int32Value
	if text[0] == 'n' || protojson.Unmarshal(text, &n) != nil {
		return protoreflect.Value{}, problem("must be the name of a %s", d.Name())
	}
	return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n.GetValue())), nil
}

// kindNames says what a value of a kind looks like in JSON.
func kindNames(kind protoreflect.Kind) string {
	switch kind {
	case protoreflect.StringKind:
		return "a string"
	case protoreflect.BoolKind:
		return "true or false"
	case protoreflect.BytesKind:
		return "a string in base64"
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		return "a number"
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind,
		protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return "a 32-bit integer"
	default:
		return "a 64-bit integer, as a number or a string"
	}
}

// describe says what a well-known type looks like in JSON.
func describe(d protoreflect.MessageDescriptor) string {
	switch d.FullName() {
	case "google.protobuf.Duration":
		return `a duration such as "1.5s"`
	case "google.protobuf.Timestamp":
		return `a time such as "2026-01-31T12:00:00Z"`
	default:
		return fmt.Sprintf("a valid %s", d.FullName())
	}
}
