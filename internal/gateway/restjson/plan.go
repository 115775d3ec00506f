package restjson

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

const (
	// rawSuffix marks the fields that hold JSON as text.
	rawSuffix = "_json"
	// rawSuffixJSON is what becomes of it in JSON names.
	rawSuffixJSON = "Json"

	structName protoreflect.FullName = "google.protobuf.Struct"
	valueName  protoreflect.FullName = "google.protobuf.Value"
	listName   protoreflect.FullName = "google.protobuf.ListValue"
	anyName    protoreflect.FullName = "google.protobuf.Any"
)

// A plan is what a type of message looks like in JSON, worked out once.
type plan struct {
	special special
	steps   []step            // in the order of declaration
	byKey   map[string]target // by JSON name and by the name in the .proto file
	slots   int               // how many members there are

	format     protoreflect.FieldDescriptor // json_format; nil if there is none
	formatText protoreflect.EnumNumber      // its value for text
}

// special says which types have a JSON form of their own.
type special int

const (
	ordinary  special = iota
	freeForm          // Struct, Value, ListValue
	packed            // Any
	wellKnown         // the other types of package google.protobuf
)

// A step of writing a message: a member, or the one that is set of a oneof.
type step struct {
	member *member
	oneof  protoreflect.OneofDescriptor // nil for a member
	cases  map[protoreflect.FieldNumber]*member
}

// A member is a member of the JSON object: a field, or a field of raw JSON with
// or without its twin.
type member struct {
	name string // JSON name
	key  []byte // the name as JSON, with the colon
	slot int    // numbers the members of a message

	fd    protoreflect.FieldDescriptor // nil for raw JSON without a twin
	raw   protoreflect.FieldDescriptor // holds the text; nil if it is not raw JSON
	oneof protoreflect.OneofDescriptor // that it is one of; nil if there is none
	plan  *plan                        // of the message, or messages, that it holds
}

// field is the field that f is named after.
func (f *member) field() protoreflect.FieldDescriptor {
	if f.fd != nil {
		return f.fd
	}
	return f.raw
}

func (f *member) isList() bool { return f.fd != nil && f.fd.IsList() }

// A target is where the value under a key goes.
type target struct {
	member *member
	quoted bool // the value is raw JSON within a JSON string
}

// plan returns the plan for d.
func (c *Codec) plan(d protoreflect.MessageDescriptor) *plan {
	if p := c.known(d); p != nil {
		return p
	}
	c.mu.Lock()
	defer c.mu.Unlock()

	made := planner{codec: c, fresh: make(map[protoreflect.MessageDescriptor]*plan)}
	p := made.plan(d)
	for d, p := range made.fresh {
		c.plans.Store(d, p)
	}
	return p
}

// known returns the plan for d, nil if it has not been made.
func (c *Codec) known(d protoreflect.MessageDescriptor) *plan {
	v, _ := c.plans.Load(d)
	p, _ := v.(*plan)
	return p
}

// A planner makes plans. None is to be seen by others before all are complete,
// since messages refer to each other in circles.
type planner struct {
	codec *Codec
	fresh map[protoreflect.MessageDescriptor]*plan
}

func (m *planner) plan(d protoreflect.MessageDescriptor) *plan {
	if p := m.codec.known(d); p != nil {
		return p
	}
	if p, ok := m.fresh[d]; ok {
		return p
	}
	p := &plan{special: specialOf(d), byKey: make(map[string]target)}
	m.fresh[d] = p
	if p.special == ordinary {
		m.fill(p, d)
	}
	return p
}

func specialOf(d protoreflect.MessageDescriptor) special {
	switch d.FullName() {
	case structName, valueName, listName:
		return freeForm
	case anyName:
		return packed
	}
	if d.ParentFile().Package() == "google.protobuf" {
		return wellKnown
	}
	return ordinary
}

func (m *planner) fill(p *plan, d protoreflect.MessageDescriptor) {
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		f := m.member(d, fd)
		if f == nil {
			continue
		}
		f.slot = p.slots
		p.slots++
		p.schedule(f, fd)
		p.address(f, fd)
		if fd.Name() == "json_format" && fd.Enum() != nil {
			p.format, p.formatText = fd, fd.Enum().Values().ByName("JSON_FORMAT_TEXT").Number()
		}
	}
}

// member describes fd; nil if it is the text of a twin, which the other twin
// takes care of.
func (m *planner) member(d protoreflect.MessageDescriptor, fd protoreflect.FieldDescriptor) *member {
	f := &member{name: fd.JSONName(), fd: fd}
	if od := fd.ContainingOneof(); od != nil && !od.IsSynthetic() {
		f.oneof = od
	}
	switch {
	case isRaw(fd):
		if twinOf(d, fd) != nil {
			return nil
		}
		f.name, f.fd, f.raw = strings.TrimSuffix(fd.JSONName(), rawSuffixJSON), nil, fd
	case isFreeForm(fd):
		f.raw = d.Fields().ByName(fd.Name() + rawSuffix)
	}
	switch {
	case fd.IsMap() && fd.MapValue().Message() != nil:
		f.plan = m.plan(fd.MapValue().Message())
	case !fd.IsMap() && fd.Message() != nil:
		f.plan = m.plan(fd.Message())
	}
	f.key = append(rawjson.AppendString(nil, f.name), ':')
	return f
}

// schedule enters f among the steps. The fields of a oneof share one.
func (p *plan) schedule(f *member, fd protoreflect.FieldDescriptor) {
	if f.oneof == nil {
		p.steps = append(p.steps, step{member: f})
		return
	}
	last := len(p.steps) - 1
	if last < 0 || p.steps[last].oneof != f.oneof {
		p.steps = append(p.steps, step{oneof: f.oneof, cases: make(map[protoreflect.FieldNumber]*member)})
		last++
	}
	p.steps[last].cases[fd.Number()] = f
}

// address enters f under its keys.
func (p *plan) address(f *member, fd protoreflect.FieldDescriptor) {
	name := strings.TrimSuffix(string(fd.Name()), rawSuffix)
	if f.raw == nil {
		name = string(fd.Name())
	} else {
		p.byKey[string(f.raw.Name())] = target{member: f, quoted: true}
		p.byKey[f.raw.JSONName()] = target{member: f, quoted: true}
	}
	p.byKey[name] = target{member: f}
	p.byKey[f.name] = target{member: f}
}

// isRaw reports whether fd holds JSON as text.
func isRaw(fd protoreflect.FieldDescriptor) bool {
	return strings.HasSuffix(string(fd.Name()), rawSuffix) && fd.Kind() == protoreflect.StringKind && !fd.IsList()
}

// isFreeForm reports whether fd can be the twin of a text.
func isFreeForm(fd protoreflect.FieldDescriptor) bool {
	d := fd.Message()
	return d != nil && (d.FullName() == structName || d.FullName() == valueName) && !fd.IsList() && !fd.IsMap()
}

func twinOf(d protoreflect.MessageDescriptor, fd protoreflect.FieldDescriptor) protoreflect.FieldDescriptor {
	twin := d.Fields().ByName(protoreflect.Name(strings.TrimSuffix(string(fd.Name()), rawSuffix)))
	if twin == nil || !isFreeForm(twin) {
		return nil
	}
	return twin
}
