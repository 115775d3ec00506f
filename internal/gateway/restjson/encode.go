package restjson

import (
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// An encoder appends messages to out.
type encoder struct {
	codec *Codec
	out   []byte
}

func (e *encoder) message(p *plan, m protoreflect.Message) (err error) {
	switch p.special {
	case freeForm:
		return e.freeForm(m.Interface())
	case packed:
		return e.packed(m)
	case wellKnown:
		e.out, err = protojson.MarshalOptions{}.MarshalAppend(e.out, m.Interface())
		return err
	default:
		e.out = append(e.out, '{')
		return e.members(p, m)
	}
}

// members writes what belongs between the braces of m, and the closing one.
func (e *encoder) members(p *plan, m protoreflect.Message) error {
	for _, s := range p.steps {
		f := s.member
		if s.oneof != nil {
			set := m.WhichOneof(s.oneof)
			if set == nil {
				continue
			}
			f = s.cases[set.Number()]
		}
		if err := e.member(f, m); err != nil {
			return err
		}
	}
	e.out = append(e.out, '}')
	return nil
}

func (e *encoder) member(f *member, m protoreflect.Message) error {
	if f.raw != nil && m.Has(f.raw) {
		e.key(f)
		e.text(m.Get(f.raw).String())
		return nil
	}
	fd := f.fd
	if fd == nil || fd.HasPresence() && !m.Has(fd) {
		return nil
	}
	e.key(f)
	switch v := m.Get(fd); {
	case fd.IsList():
		return e.list(f, v.List())
	case fd.IsMap():
		return e.dictionary(f, v.Map())
	default:
		return e.value(fd, f.plan, v)
	}
}

func (e *encoder) key(f *member) {
	if e.out[len(e.out)-1] != '{' {
		e.out = append(e.out, ',')
	}
	e.out = append(e.out, f.key...)
}

// text writes free-form JSON as it is, but for line breaks between its tokens:
// they would end a line of NDJSON and a field of an event stream.
func (e *encoder) text(text string) {
	if text == "" {
		text = "null" // no JSON, but what stands around it has to remain JSON
	}
	if !strings.ContainsAny(text, "\r\n") {
		e.out = append(e.out, text...)
		return
	}
	e.out = rawjson.AppendCompact(e.out, []byte(text))
}

func (e *encoder) list(f *member, list protoreflect.List) error {
	e.out = append(e.out, '[')
	for i := range list.Len() {
		if i > 0 {
			e.out = append(e.out, ',')
		}
		if err := e.value(f.fd, f.plan, list.Get(i)); err != nil {
			return err
		}
	}
	e.out = append(e.out, ']')
	return nil
}

func (e *encoder) dictionary(f *member, values protoreflect.Map) error {
	keys := make([]protoreflect.MapKey, 0, values.Len())
	values.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return strings.Compare(a.String(), b.String()) })

	e.out = append(e.out, '{')
	for i, k := range keys {
		if i > 0 {
			e.out = append(e.out, ',')
		}
		e.out = append(rawjson.AppendString(e.out, k.String()), ':')
		if err := e.value(f.fd.MapValue(), f.plan, values.Get(k)); err != nil {
			return err
		}
	}
	e.out = append(e.out, '}')
	return nil
}

// value writes one value of the kind that fd says; p is for messages.
func (e *encoder) value(fd protoreflect.FieldDescriptor, p *plan, v protoreflect.Value) error {
	switch fd.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return e.message(p, v.Message())
	case protoreflect.StringKind:
		e.out = rawjson.AppendString(e.out, v.String())
	case protoreflect.BytesKind:
		e.out = append(e.out, '"')
		e.out = base64.StdEncoding.AppendEncode(e.out, v.Bytes())
		e.out = append(e.out, '"')
	case protoreflect.BoolKind:
		e.out = strconv.AppendBool(e.out, v.Bool())
	case protoreflect.EnumKind:
		e.enum(fd.Enum(), v.Enum())
	case protoreflect.FloatKind:
		e.float(v.Float(), 32)
	case protoreflect.DoubleKind:
		e.float(v.Float(), 64)
	default:
		e.integer(fd.Kind(), v)
	}
	return nil
}

// integer writes 64-bit integers as strings: readers with doubles only would
// round them.
func (e *encoder) integer(kind protoreflect.Kind, v protoreflect.Value) {
	switch kind {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		e.out = strconv.AppendInt(e.out, v.Int(), 10)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		e.out = strconv.AppendUint(e.out, v.Uint(), 10)
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		e.out = append(e.out, '"')
		e.out = append(strconv.AppendUint(e.out, v.Uint(), 10), '"')
	default:
		e.out = append(e.out, '"')
		e.out = append(strconv.AppendInt(e.out, v.Int(), 10), '"')
	}
}

// enum writes the name, or the number of a value without one.
func (e *encoder) enum(d protoreflect.EnumDescriptor, n protoreflect.EnumNumber) {
	if v := d.Values().ByNumber(n); v != nil {
		e.out = append(e.out, '"')
		e.out = append(e.out, v.Name()...)
		e.out = append(e.out, '"')
		return
	}
	e.out = strconv.AppendInt(e.out, int64(n), 10)
}

// float writes the shortest number that reads as the same value, as protojson
// and ECMAScript do.
func (e *encoder) float(n float64, bits int) {
	switch {
	case math.IsNaN(n):
		e.out = append(e.out, `"NaN"`...)
	case math.IsInf(n, 1):
		e.out = append(e.out, `"Infinity"`...)
	case math.IsInf(n, -1):
		e.out = append(e.out, `"-Infinity"`...)
	case n != 0 && (math.Abs(n) < 1e-6 || math.Abs(n) >= 1e21):
		e.out = strconv.AppendFloat(e.out, n, 'e', -1, bits)
		if end := len(e.out); string(e.out[end-4:end-1]) == "e-0" {
			e.out = append(e.out[:end-2], e.out[end-1])
		}
	default:
		e.out = strconv.AppendFloat(e.out, n, 'f', -1, bits)
	}
}
