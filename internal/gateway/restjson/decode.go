package restjson

import (
	"bytes"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// A decoder reads text that has passed [rawjson.Check].
type decoder struct {
	codec *Codec
	depth int  // of free-form JSON, at most
	deep  bool // the whole text is nested deeper than that
}

func (d *decoder) message(p *plan, m protoreflect.Message, text []byte) error {
	if p.special != ordinary {
		if err := protojson.Unmarshal(text, m.Interface()); err != nil {
			return problem("is not %s", describe(m.Descriptor()))
		}
		return nil
	}
	if text[0] != '{' {
		return problem("must be an object")
	}
	seen := make([]bool, p.slots)
	return rawjson.Object(text, func(key, value []byte) error {
		to, known := p.byKey[string(key)]
		if !known {
			return within(string(key), problem("no such field"))
		}
		if seen[to.member.slot] {
			return within(string(key), problem("is given twice"))
		}
		seen[to.member.slot] = true
		if err := d.member(to, m, value); err != nil {
			return within(string(key), err)
		}
		return nil
	})
}

func (d *decoder) member(to target, m protoreflect.Message, value []byte) error {
	f := to.member
	switch {
	case rawjson.IsNull(value) && !to.holdsNull():
		return nil // to protobuf's mapping null is the field not being there
	case f.oneof != nil && m.WhichOneof(f.oneof) != nil:
		return problem("excludes %s", m.WhichOneof(f.oneof).JSONName())
	case f.raw != nil:
		return d.text(to, m, value)
	case f.fd.IsList():
		return d.list(f, m.Mutable(f.fd).List(), value)
	case f.fd.IsMap():
		return d.dictionary(f, m.Mutable(f.fd).Map(), value)
	case f.plan != nil:
		return d.message(f.plan, m.Mutable(f.fd).Message(), value)
	}
	v, err := scalar(f.fd, value)
	if err != nil {
		return err
	}
	m.Set(f.fd, v)
	return nil
}

// holdsNull reports whether null is a value like any other there.
func (t target) holdsNull() bool {
	f := t.member
	return !t.quoted && f.raw != nil && f.fd != nil && f.fd.Message().FullName() == valueName
}

// text takes free-form JSON as the text that it is.
func (d *decoder) text(to target, m protoreflect.Message, value []byte) error {
	if to.quoted {
		quoted, err := rawjson.String(value)
		if err != nil {
			return problem("must be a string with JSON text in it")
		}
		value = rawjson.Trim([]byte(quoted))
	}
	if to.quoted || d.deep {
		if err := rawjson.Check(value, d.depth); err != nil {
			return problem("%v", err)
		}
	}
	f := to.member
	if f.fd != nil && f.fd.Message().FullName() == structName && value[0] != '{' {
		return problem("must be an object")
	}
	if err := rawjson.CheckUnique(value); err != nil {
		return problem("%v", err)
	}
	m.Set(f.raw, protoreflect.ValueOfString(string(value)))
	return nil
}

func (d *decoder) list(f *member, list protoreflect.List, text []byte) error {
	if text[0] != '[' {
		return problem("must be an array")
	}
	return rawjson.Array(text, func(value []byte) error {
		if f.plan == nil {
			v, err := scalar(f.fd, value)
			if err == nil {
				list.Append(v)
			}
			return err
		}
		v := list.NewElement()
		list.Append(v)
		return d.message(f.plan, v.Message(), value)
	})
}

func (d *decoder) dictionary(f *member, values protoreflect.Map, text []byte) error {
	if text[0] != '{' {
		return problem("must be an object")
	}
	return rawjson.Object(text, func(key, value []byte) error {
		k := protoreflect.ValueOfString(string(key)).MapKey()
		if values.Has(k) {
			return within(string(key), problem("is given twice"))
		}
		v := values.NewValue()
		var err error
		if f.plan == nil {
			v, err = scalar(f.fd.MapValue(), value)
		} else {
			err = d.message(f.plan, v.Message(), value)
		}
		if err != nil {
			return within(string(key), err)
		}
		values.Set(k, v)
		return nil
	})
}

// isPlainString reports whether the JSON string text means what stands between
// its quotes.
func isPlainString(text []byte) bool {
	return text[0] == '"' && bytes.IndexByte(text, '\\') < 0
}
