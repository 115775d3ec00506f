package jsonschema

import (
	"slices"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// A kind is one of the types of JSON Schema, as a set with one element.
type kind uint8

const (
	kindNull kind = 1 << iota
	kindBoolean
	kindString
	kindNumber
	kindInteger
	kindArray
	kindObject
)

// kindNames are the names of the kinds, in the order of their bits.
func kindNames() [7]string {
	return [7]string{"null", "boolean", "string", "number", "integer", "array", "object"}
}

func kindOf(name string) kind {
	names := kindNames()
	if i := slices.Index(names[:], name); i >= 0 {
		return 1 << i
	}
	return 0
}

// String lists the elements of the set.
func (k kind) String() string {
	s := ""
	for i, name := range kindNames() {
		if k&(1<<i) != 0 {
			if s != "" {
				s += " or "
			}
			s += name
		}
	}
	return s
}

// A value is JSON text, taken apart. Numbers with no fraction are of kind
// integer, which is a number too.
type value struct {
	kind   kind
	truth  bool
	number decimal
	text   string
	items  []*value
	// names are the names of an object's members in their order, without
	// duplicates, of which the last counts.
	names   []string
	members map[string]*value
}

// A parser takes values apart, up to a number of them: a value takes many times
// the memory of its text.
type parser struct{ left int }

// parse takes the text of a value apart, which has been checked. Its result is
// incomplete if fewer than none are left then.
func (p *parser) parse(text []byte) *value {
	if p.left--; p.left < 0 {
		return &value{kind: kindNull}
	}
	switch text[0] {
	case 'n':
		return &value{kind: kindNull}
	case 't', 'f':
		return &value{kind: kindBoolean, truth: text[0] == 't'}
	case '"':
		s, _ := rawjson.String(text)
		return &value{kind: kindString, text: s}
	case '[':
		v := &value{kind: kindArray}
		_ = rawjson.Array(text, func(item []byte) error {
			v.items = append(v.items, p.parse(item))
			return p.stop()
		})
		return v
	case '{':
		v := &value{kind: kindObject, members: make(map[string]*value)}
		_ = rawjson.Object(text, func(key, member []byte) error {
			name := string(key)
			if _, again := v.members[name]; !again {
				v.names = append(v.names, name)
			}
			v.members[name] = p.parse(member)
			return p.stop()
		})
		return v
	default:
		v := &value{kind: kindNumber, number: parseDecimal(text)}
		if v.number.integer() {
			v.kind = kindInteger
		}
		return v
	}
}

// stop returns an error when no values are left.
func (p *parser) stop() error {
	if p.left < 0 {
		return ErrUnchecked
	}
	return nil
}

// parse takes the text of a part of a schema apart, which is small.
func parse(text []byte) *value {
	p := parser{left: maxSchemaBytes}
	return p.parse(text)
}

// is reports whether the value is of one of the kinds.
func (v *value) is(k kind) bool {
	return v.kind&k != 0 || v.kind == kindInteger && k&kindNumber != 0
}

// append appends a text that equal values share, and no others.
func (v *value) append(b []byte) []byte {
	switch v.kind {
	case kindNull:
		return append(b, 'n')
	case kindBoolean:
		if v.truth {
			return append(b, 't')
		}
		return append(b, 'f')
	case kindString:
		return rawjson.AppendString(b, v.text)
	case kindArray:
		b = append(b, '[')
		for _, item := range v.items {
			b = append(item.append(b), ',')
		}
		return append(b, ']')
	case kindObject:
		names := slices.Sorted(slices.Values(v.names))
		b = append(b, '{')
		for _, name := range names {
			b = append(rawjson.AppendString(b, name), ':')
			b = append(v.members[name].append(b), ',')
		}
		return append(b, '}')
	default:
		return v.number.append(b)
	}
}
