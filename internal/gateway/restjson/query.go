package restjson

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// DecodeQuery sets the fields of m that the parameters of a URL name, each by
// its path: "answers.roots=true". Lists are parameters that stand several
// times; free-form JSON is given as text. Fields of the names in bound are set
// already. Parameters that name no field, or one in bound, are errors; the
// error is a [*FieldError].
func (c *Codec) DecodeQuery(query url.Values, m proto.Message, bound map[string]string) error {
	d := decoder{codec: c, depth: c.depth(), deep: true}
	seen := make(map[string]bool, len(query))
	for _, key := range slices.Sorted(maps.Keys(query)) {
		err := d.parameter(m.ProtoReflect(), strings.Split(key, "."), query[key], func(path string) bool {
			_, twice := bound[path]
			twice = twice || seen[path]
			seen[path] = true
			return twice
		})
		if err != nil {
			return within(key, err)
		}
	}
	return nil
}

// parameter sets the field at path. It asks taken, with the path in the words
// of the .proto file, whether that was done before.
func (d *decoder) parameter(m protoreflect.Message, path, values []string, taken func(string) bool) error {
	p := d.codec.plan(m.Descriptor())
	names := make([]string, len(path))
	for i, key := range path {
		to, known := p.byKey[key]
		if !known {
			return problem("no such field")
		}
		f := to.member
		names[i] = string(f.field().Name())
		if i == len(path)-1 {
			if taken(strings.Join(names, ".")) {
				return problem("is given twice")
			}
			return d.argument(f, m, values)
		}
		if f.plan == nil || f.plan.special != ordinary || f.isList() || f.fd.IsMap() {
			return problem("no such field")
		}
		m, p = m.Mutable(f.fd).Message(), f.plan
	}
	return nil
}

// argument sets a field of m to the values of a parameter.
func (d *decoder) argument(f *member, m protoreflect.Message, values []string) error {
	for _, v := range values {
		if !utf8.ValidString(v) {
			return problem("is not valid UTF-8")
		}
	}
	if f.isList() && f.plan == nil {
		return d.elements(f, m.Mutable(f.fd).List(), values)
	}
	switch {
	case len(values) != 1:
		return problem("is given twice")
	case f.oneof != nil && m.WhichOneof(f.oneof) != nil:
		return problem("excludes %s", m.WhichOneof(f.oneof).JSONName())
	case f.raw != nil:
		return d.text(target{member: f}, m, rawjson.Trim([]byte(values[0])))
	case f.fd.IsMap() || f.isList() || f.plan != nil && f.plan.special != wellKnown:
		return problem("cannot be given in a URL")
	case f.plan != nil:
		return d.message(f.plan, m.Mutable(f.fd).Message(), rawjson.AppendString(nil, values[0]))
	}
	v, err := scalar(f.fd, literal(f.fd, values[0]))
	if err != nil {
		return err
	}
	m.Set(f.fd, v)
	return nil
}

func (d *decoder) elements(f *member, list protoreflect.List, values []string) error {
	for _, value := range values {
		v, err := scalar(f.fd, literal(f.fd, value))
		if err != nil {
			return err
		}
		list.Append(v)
	}
	return nil
}

// literal is the JSON of a value that stands bare in a URL. Numbers may be
// strings there.
func literal(fd protoreflect.FieldDescriptor, value string) []byte {
	if fd.Kind() == protoreflect.BoolKind && value != "" {
		return []byte(value)
	}
	return rawjson.AppendString(nil, value)
}
