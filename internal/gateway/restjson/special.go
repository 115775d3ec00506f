package restjson

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// errNotFinite is returned for a Value that holds NaN or an infinity, for which
// JSON has no words.
var errNotFinite = errors.New("number in a google.protobuf.Value is not finite")

// freeForm writes a Struct, Value or ListValue that has no text beside it.
func (e *encoder) freeForm(m proto.Message) error {
	switch m := m.(type) {
	case *structpb.Struct:
		return e.object(m)
	case *structpb.ListValue:
		return e.array(m)
	case *structpb.Value:
		return e.anything(m)
	}
	return fmt.Errorf("%T is not the generated type", m)
}

func (e *encoder) anything(v *structpb.Value) error {
	switch v := v.GetKind().(type) {
	case *structpb.Value_StructValue:
		return e.object(v.StructValue)
	case *structpb.Value_ListValue:
		return e.array(v.ListValue)
	case *structpb.Value_StringValue:
		e.out = rawjson.AppendString(e.out, v.StringValue)
	case *structpb.Value_BoolValue:
		e.out = strconv.AppendBool(e.out, v.BoolValue)
	case *structpb.Value_NumberValue:
		if math.IsNaN(v.NumberValue) || math.IsInf(v.NumberValue, 0) {
			return errNotFinite
		}
		e.float(v.NumberValue, 64)
	default:
		e.out = append(e.out, "null"...)
	}
	return nil
}

func (e *encoder) object(m *structpb.Struct) error {
	e.out = append(e.out, '{')
	for i, k := range slices.Sorted(maps.Keys(m.GetFields())) {
		if i > 0 {
			e.out = append(e.out, ',')
		}
		e.out = append(rawjson.AppendString(e.out, k), ':')
		if err := e.anything(m.GetFields()[k]); err != nil {
			return err
		}
	}
	e.out = append(e.out, '}')
	return nil
}

func (e *encoder) array(m *structpb.ListValue) error {
	e.out = append(e.out, '[')
	for i, v := range m.GetValues() {
		if i > 0 {
			e.out = append(e.out, ',')
		}
		if err := e.anything(v); err != nil {
			return err
		}
	}
	e.out = append(e.out, ']')
	return nil
}

// packed writes an Any: its type, and the members of what it holds. Of a type
// that this program does not know it writes the bytes.
func (e *encoder) packed(m protoreflect.Message) error {
	fields := m.Descriptor().Fields()
	url := m.Get(fields.ByName("type_url")).String()
	data := m.Get(fields.ByName("value")).Bytes()

	e.out = append(e.out, `{"@type":`...)
	e.out = rawjson.AppendString(e.out, url)

	known, _ := protoregistry.GlobalTypes.FindMessageByURL(url)
	if known == nil {
		e.out = append(e.out, `,"value":"`...)
		e.out = append(base64.StdEncoding.AppendEncode(e.out, data), `"}`...)
		return nil
	}
	held := known.New()
	if err := proto.Unmarshal(data, held.Interface()); err != nil {
		return fmt.Errorf("unpack %s: %w", url, err)
	}
	p := e.codec.plan(held.Descriptor())
	if p.special == ordinary {
		return e.members(p, held)
	}
	e.out = append(e.out, `,"value":`...)
	if err := e.message(p, held); err != nil {
		return err
	}
	e.out = append(e.out, '}')
	return nil
}
