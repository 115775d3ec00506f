package convert

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// A FieldError says which field of a message does not become JSON, and why.
type FieldError struct {
	// Path leads to the field from the message, e.g. "content[0].text.meta".
	Path string
	Err  error
}

func (e *FieldError) Error() string { return e.Path + ": " + e.Err.Error() }
func (e *FieldError) Unwrap() error { return e.Err }

// Text returns the MCP object that msg stands for: the reverse of [Into]. A
// field goes to the member of the same name, a ContentBlock to the block of its
// type, the members of extra to the object itself. What is not set is left out,
// but for text and content that MCP demands. JSON is nested no deeper than
// depth.
//
// Its errors are of type [*FieldError].
func Text(msg proto.Message, depth int) ([]byte, error) {
	return appendMessage(nil, msg.ProtoReflect(), depth)
}

// A textMember is one member of an object that is being written.
type textMember struct {
	name string
	text []byte
}

func appendMessage(dst []byte, m protoreflect.Message, depth int) ([]byte, error) {
	if depth == 0 {
		return nil, &FieldError{Path: string(m.Descriptor().Name()), Err: rawjson.ErrDepth}
	}
	if m.Descriptor().Name() == "ContentBlock" {
		return appendBlock(dst, m, depth)
	}
	members, err := textMembers(nil, m, depth)
	if err != nil {
		return nil, err
	}
	return appendMembers(dst, members), nil
}

func appendMembers(dst []byte, members []textMember) []byte {
	dst = append(dst, '{')
	for i, member := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(rawjson.AppendString(dst, member.name), ':')
		dst = append(dst, member.text...)
	}
	return append(dst, '}')
}

// textMembers adds the members of the object that m stands for, in the order of
// its fields, to the ones that it has already.
func textMembers(members []textMember, m protoreflect.Message, depth int) ([]textMember, error) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if isTextTwin(fd) || fd.Name() == "extra" {
			continue
		}
		text, err := fieldText(m, fd, depth)
		if err != nil {
			return nil, within(string(fd.Name()), err)
		}
		if text != nil {
			members = append(members, textMember{memberName(fd), text})
		}
	}
	return withExtra(m, members, depth)
}

// withExtra adds the members of extra, none of which may have a field of its
// own.
func withExtra(m protoreflect.Message, members []textMember, depth int) ([]textMember, error) {
	fd := m.Descriptor().Fields().ByName("extra")
	if fd == nil {
		return members, nil
	}
	text, err := fieldText(m, fd, depth)
	if err != nil || text == nil {
		return members, within("extra", err)
	}
	known := planOf(m.Descriptor()).members
	err = rawjson.Object(text, func(key, v []byte) error {
		if _, taken := known[string(key)]; taken || slices.ContainsFunc(members, func(t textMember) bool { return t.name == string(key) }) {
			return fmt.Errorf("the member %.100q has a field of its own", key)
		}
		members = append(members, textMember{string(key), v})
		return nil
	})
	return members, within("extra", err)
}

// within puts the name of the field around an error.
func within(name string, err error) error {
	var inner *FieldError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &inner) && inner.Path[0] == '[':
		return &FieldError{Path: name + inner.Path, Err: inner.Err}
	case errors.As(err, &inner):
		return &FieldError{Path: name + "." + inner.Path, Err: inner.Err}
	}
	return &FieldError{Path: name, Err: err}
}

// isTextTwin reports whether a field is written together with its other form.
func isTextTwin(fd protoreflect.FieldDescriptor) bool {
	name, ok := strings.CutSuffix(string(fd.Name()), "_json")
	return ok && fd.ContainingMessage().Fields().ByName(protoreflect.Name(name)) != nil
}

// fieldText returns the JSON of a field, nil for none.
func fieldText(m protoreflect.Message, fd protoreflect.FieldDescriptor, depth int) ([]byte, error) {
	if twin := m.Descriptor().Fields().ByName(fd.Name() + "_json"); twin != nil {
		return twinText(m, fd, twin, depth)
	}
	switch {
	case !m.Has(fd) && !demanded(fd):
		return nil, nil
	case !fd.IsList():
		return appendSingle(nil, fd, m.Get(fd), depth-1)
	}
	list := m.Get(fd).List()
	dst := []byte{'['}
	for i := range list.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendSingle(dst, fd, list.Get(i), depth-2); err != nil { //nolint:mnd // the object and the array
			var inner *FieldError
			if errors.As(err, &inner) {
				return nil, &FieldError{Path: fmt.Sprintf("[%d].%s", i, inner.Path), Err: inner.Err}
			}
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// demanded reports whether a field stands for a member that MCP demands, so
// that an empty value is written too: text that cannot be absent, the content of
// whatever has content, and the roots of an answer.
func demanded(fd protoreflect.FieldDescriptor) bool {
	switch fd.Kind() {
	case protoreflect.StringKind, protoreflect.BytesKind:
		return !fd.HasPresence() && !fd.IsList()
	case protoreflect.MessageKind:
		return fd.IsList() && (fd.Message().Name() == "ContentBlock" || fd.Message().Name() == "Root")
	default:
		return false
	}
}

// twinText returns the JSON of a pair of twins.
func twinText(m protoreflect.Message, fd, twin protoreflect.FieldDescriptor, depth int) ([]byte, error) {
	var text *string
	if m.Has(twin) {
		s := m.Get(twin).String()
		text = &s
	}
	if !m.Has(fd) {
		if text == nil && m.Descriptor().Name() == "ToolUseContent" && fd.Name() == "input" {
			return []byte("{}"), nil // MCP demands it
		}
		if fd.Message().FullName() == "google.protobuf.Struct" {
			return Object(nil, text, depth-1)
		}
		return Value(nil, text, depth-1)
	}
	switch v := m.Get(fd).Message().Interface().(type) {
	case *structpb.Struct:
		return Object(v, text, depth-1)
	case *structpb.Value:
		return Value(v, text, depth-1)
	}
	return nil, fmt.Errorf("a %s has no JSON", fd.Message().Name())
}

func appendSingle(dst []byte, fd protoreflect.FieldDescriptor, v protoreflect.Value, depth int) ([]byte, error) {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return rawjson.AppendString(dst, v.String()), nil
	case protoreflect.BytesKind:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, v.Bytes())
		return append(dst, '"'), nil
	case protoreflect.BoolKind:
		return strconv.AppendBool(dst, v.Bool()), nil
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case protoreflect.DoubleKind:
		return appendNumber(dst, v.Float())
	case protoreflect.EnumKind:
		word, ok := wordOf(fd.Enum(), v.Enum())
		if !ok {
			return nil, fmt.Errorf("%d is not one of the %s values", v.Enum(), fd.Enum().Name())
		}
		return rawjson.AppendString(dst, word), nil
	case protoreflect.MessageKind:
		return appendMessage(dst, v.Message(), depth)
	default:
		return nil, fmt.Errorf("a %v has no JSON", fd.Kind())
	}
}

// appendBlock appends a content block.
func appendBlock(dst []byte, m protoreflect.Message, depth int) ([]byte, error) {
	fd := m.WhichOneof(m.Descriptor().Oneofs().ByName("block"))
	switch {
	case fd == nil:
		return nil, &FieldError{Path: "block", Err: errors.New("is required")}
	case fd.Kind() == protoreflect.StringKind:
		text := m.Get(fd).String()
		block, err := Object(nil, &text, depth)
		return append(dst, block...), within(string(fd.Name()), err)
	}
	kind := textMember{"type", rawjson.AppendString(nil, string(fd.Name()))}
	members, err := textMembers([]textMember{kind}, m.Get(fd).Message(), depth)
	if err != nil {
		return nil, within(string(fd.Name()), err)
	}
	return appendMembers(dst, members), nil
}
