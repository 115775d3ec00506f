// Package restjson is the JSON of the REST API: protobuf's own mapping, but
// that free-form JSON stands in it as itself.
//
// The .proto files carry such JSON in twins, a Struct or Value x and its exact
// text x_json, because protobuf cannot hold it otherwise. JSON can, so here
// there is one member x, which is the very text: no digit of a number and no
// order of keys is lost in either direction. A field x_json without a twin is
// written as x likewise.
package restjson

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

const (
	// defaultDepth is how deep free-form JSON may be nested.
	defaultDepth = 64
	// frameDepth is how deep the messages around it may be nested.
	frameDepth = 32
)

// A Codec turns messages into JSON and back. The zero value is ready to use; it
// must not be copied. All methods may be called concurrently.
type Codec struct {
	// MaxDepth is how deep arrays and objects may be nested in free-form JSON
	// from a caller. Zero means 64.
	MaxDepth int

	mu    sync.Mutex // held while plans are made
	plans sync.Map   // protoreflect.MessageDescriptor to *plan
}

// Append appends m as JSON without line breaks. Fields without presence are
// written even if they are zero, like protojson's EmitDefaultValues. Text of
// free-form JSON is taken to be valid.
func (c *Codec) Append(dst []byte, m proto.Message) ([]byte, error) {
	e := encoder{codec: c, out: dst}
	r := m.ProtoReflect()
	if err := e.message(c.plan(r.Descriptor()), r); err != nil {
		return dst, fmt.Errorf("write %s as JSON: %w", r.Descriptor().FullName(), err)
	}
	return e.out, nil
}

// Decode sets the fields of m that text, one JSON object, has. Unknown members,
// members that stand twice and duplicate keys within free-form JSON are errors.
// The error is a [*FieldError], a [*rawjson.SyntaxError] or [rawjson.ErrDepth];
// m is in no particular state then. m does not alias text.
func (c *Codec) Decode(text []byte, m proto.Message) error {
	d := decoder{codec: c, depth: c.depth()}
	err := rawjson.Check(text, d.depth)
	if errors.Is(err, rawjson.ErrDepth) {
		d.deep = true
		err = rawjson.Check(text, d.depth+frameDepth)
	}
	if err != nil {
		return err
	}
	r := m.ProtoReflect()
	return d.message(c.plan(r.Descriptor()), r, rawjson.Trim(text))
}

func (c *Codec) depth() int {
	if c.MaxDepth == 0 {
		return defaultDepth
	}
	return c.MaxDepth
}

// ForceText sets the field json_format of a request, if it has one, to text.
// The other forms would be made for nothing: [Codec.Append] writes the text.
func (c *Codec) ForceText(m proto.Message) {
	r := m.ProtoReflect()
	if p := c.plan(r.Descriptor()); p.format != nil {
		r.Set(p.format, protoreflect.ValueOfEnum(p.formatText))
	}
}

// A FieldError says which field of a request is wrong.
type FieldError struct {
	// Field is the path to it by JSON names, e.g. "inputResponses.k.roots".
	// Empty: the message itself.
	Field string
	// Problem says what is wrong with it.
	Problem string
}

func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.Problem
	}
	return e.Field + ": " + e.Problem
}

// maxName bounds how much of a caller's own key an error repeats.
const maxName = 64

// within puts name before the path of err.
func within(name string, err error) error {
	var f *FieldError
	if !errors.As(err, &f) {
		return &FieldError{Field: name, Problem: err.Error()}
	}
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "") + "..."
	}
	if f.Field != "" {
		name += "." + f.Field
	}
	return &FieldError{Field: name, Problem: f.Problem}
}

func problem(format string, args ...any) error {
	return &FieldError{Problem: fmt.Sprintf(format, args...)}
}
