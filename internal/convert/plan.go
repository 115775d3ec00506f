package convert

import (
	"strings"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A plan says where the members of an MCP object go in a message.
type plan struct {
	members map[string]*field
	// extra takes what has no place; nil where the message has no such field.
	extra *field
	// block: the message is a ContentBlock, whose field is chosen by "type".
	block bool
}

// A field is where one member goes.
type field struct {
	number   protowire.Number
	shape    shape
	repeated bool
	// oneof numbers the oneof of the message that the field belongs to, from 1;
	// 0 is none.
	oneof int
	// text is the number of the x_json twin, for shapeStruct and shapeValue.
	text protowire.Number
	// enum maps MCP's words to numbers, for shapeEnum.
	enum map[string]protoreflect.EnumNumber
	// message is the plan of the nested message, for shapeMessage.
	message *plan
}

// A shape is the kind of value that a field takes.
type shape uint8

const (
	shapeIgnored shape = iota
	shapeString
	shapeBytes
	shapeBool
	shapeInt
	shapeDouble
	shapeEnum
	shapeMessage
	shapeStruct
	shapeValue
	// shapeMillis is a google.protobuf.Duration that MCP gives in milliseconds.
	shapeMillis
	// shapeTime is a google.protobuf.Timestamp that MCP gives as RFC 3339 text.
	shapeTime
)

// plans caches the plan of each message type. Plans never change.
var plans sync.Map //nolint:gochecknoglobals // a cache of what the descriptors say

func planOf(md protoreflect.MessageDescriptor) *plan {
	if p, ok := plans.Load(md.FullName()); ok {
		return p.(*plan) //nolint:forcetypeassert // nothing else is stored
	}
	b := builder{built: make(map[protoreflect.FullName]*plan)}
	p, _ := plans.LoadOrStore(md.FullName(), b.plan(md))
	return p.(*plan) //nolint:forcetypeassert // nothing else is stored
}

// A builder makes the plans of a message and of those nested in it, which may
// nest each other.
type builder struct {
	built map[protoreflect.FullName]*plan
}

func (b *builder) plan(md protoreflect.MessageDescriptor) *plan {
	if p, ok := b.built[md.FullName()]; ok {
		return p
	}
	p := &plan{members: make(map[string]*field), block: md.Name() == "ContentBlock"}
	b.built[md.FullName()] = p
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		f := b.field(fd)
		switch {
		case f == nil:
		case fd.Name() == "extra":
			p.extra = f
		case p.block:
			p.members[string(fd.Name())] = f
		default:
			p.members[memberName(fd)] = f
		}
	}
	if md.Name() == "Task" { // as the tasks extension spells them
		p.members["ttlMs"], p.members["pollIntervalMs"] = p.members["ttl"], p.members["pollInterval"]
	}
	for _, name := range understood(md) {
		p.members[name] = &field{shape: shapeIgnored}
	}
	if p.block {
		for _, f := range p.members {
			if f.message != nil {
				f.message.members["type"] = &field{shape: shapeIgnored}
			}
		}
	}
	return p
}

// understood are the members of an object that the bridge has acted on, and
// that say nothing to callers.
func understood(md protoreflect.MessageDescriptor) []string {
	switch {
	case md.Name() == "Session" || md.Name() == "Server":
		return []string{"resultType", "protocolVersion"}
	case md.Fields().ByName("next_cursor") != nil:
		return []string{"resultType", "nextCursor"}
	case strings.HasSuffix(string(md.Name()), "Response"), md.Name() == "Task":
		return []string{"resultType"}
	}
	return nil
}

// memberName is the name under which MCP knows a field.
func memberName(fd protoreflect.FieldDescriptor) string {
	task := fd.ContainingMessage().Name() == "Task"
	switch name := fd.Name(); {
	case name == "meta":
		return "_meta"
	case name == "ttl" && !task:
		return "ttlMs"
	case name == "create_time" && task:
		return "createdAt"
	case name == "update_time" && task:
		return "lastUpdatedAt"
	}
	return fd.JSONName()
}

// ours reports whether a field is the bridge's own and not to be filled from
// what a server sends, even under the same name.
func ours(fd protoreflect.FieldDescriptor) bool {
	switch fd.ContainingMessage().Name() {
	case "Session", "Server":
		// Of these only what a server says of itself.
		switch fd.Name() {
		case "server_info", "instructions", "capabilities", "meta", "extra":
			return false
		}
		return true
	}
	switch fd.Name() {
	case "origin", "missing", "input_required", "task", "output_validation_error", "next_cursor", "request_state", "expire_time":
		return true
	}
	// The text twins are filled together with their others.
	return strings.HasSuffix(string(fd.Name()), "_json") && fd.Name() != "unknown_json"
}

// field returns nil for a field that is not filled from a member.
func (b *builder) field(fd protoreflect.FieldDescriptor) *field {
	if ours(fd) || fd.IsMap() {
		return nil
	}
	f := &field{number: fd.Number(), repeated: fd.IsList()}
	if o := fd.ContainingOneof(); o != nil && !o.IsSynthetic() {
		f.oneof = o.Index() + 1
	}
	switch fd.Kind() {
	case protoreflect.StringKind:
		f.shape = shapeString
	case protoreflect.BytesKind:
		f.shape = shapeBytes
	case protoreflect.BoolKind:
		f.shape = shapeBool
	case protoreflect.Int64Kind, protoreflect.Int32Kind:
		f.shape = shapeInt
	case protoreflect.DoubleKind:
		f.shape = shapeDouble
	case protoreflect.EnumKind:
		f.shape, f.enum = shapeEnum, words(fd.Enum())
	case protoreflect.MessageKind:
		b.message(f, fd)
	default:
		return nil
	}
	return f
}

func (b *builder) message(f *field, fd protoreflect.FieldDescriptor) {
	switch fd.Message().FullName() {
	case "google.protobuf.Struct":
		f.shape = shapeStruct
	case "google.protobuf.Value":
		f.shape = shapeValue
	case "google.protobuf.Duration":
		f.shape = shapeMillis
	case "google.protobuf.Timestamp":
		f.shape = shapeTime
	default:
		f.shape, f.message = shapeMessage, b.plan(fd.Message())
	}
	if twin := fd.ContainingMessage().Fields().ByName(fd.Name() + "_json"); twin != nil {
		f.text = twin.Number()
	}
}

// words maps MCP's spelling of an enumeration, e.g. "user", to the numbers of
// ours, e.g. ROLE_USER.
func words(ed protoreflect.EnumDescriptor) map[string]protoreflect.EnumNumber {
	m := make(map[string]protoreflect.EnumNumber, ed.Values().Len())
	for i := range ed.Values().Len() {
		n := ed.Values().Get(i).Number()
		if word, ok := wordOf(ed, n); ok {
			m[word] = n
		}
	}
	return m
}

// wordOf returns MCP's spelling of a value of an enumeration; the zero value
// has none.
func wordOf(ed protoreflect.EnumDescriptor, n protoreflect.EnumNumber) (string, bool) {
	v := ed.Values().ByNumber(n)
	if v == nil || n == 0 {
		return "", false
	}
	prefix := strings.TrimSuffix(string(ed.Values().ByNumber(0).Name()), "UNSPECIFIED")
	word := strings.ToLower(strings.TrimPrefix(string(v.Name()), prefix))
	// MCP writes "input_required", but "thisServer".
	if first, rest, two := strings.Cut(word, "_"); two && ed.Name() == "IncludeContext" {
		word = first + strings.ToUpper(rest[:1]) + rest[1:]
	}
	return word, true
}
