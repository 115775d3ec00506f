// Package jsonschema checks JSON text against schemas of the drafts 4 to
// 2020-12. Both may come from a hostile server: nothing is ever fetched, and
// the work of compiling and of validating is bounded.
package jsonschema

import (
	"errors"
	"fmt"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// ErrUnchecked says that nothing is known of a value, since to check it would
// cost too much, or takes what this package does not have: schemas that stand
// elsewhere.
var ErrUnchecked = errors.New("not checked against its schema")

// The bounds of a schema and of one validation.
const (
	maxSchemaBytes = 256 << 10
	maxSchemaDepth = 64
	maxSchemaNodes = 10_000
	// maxPointerBytes bounds the JSON pointers to all nodes, which repeat the names
	// on the way to each.
	maxPointerBytes  = 4 << 20
	maxInstanceBytes = 4 << 20
	maxInstanceDepth = 64
	// maxInstanceValues bounds the values in a value, which take some 200 bytes each.
	maxInstanceValues = 250_000
	// maxDepth bounds the schemas inside one another while a value is checked,
	// where a reference may lead back to itself.
	maxDepth = 300
	// maxFuel bounds the steps of one validation: visits of a schema, values
	// compared, bytes matched. They take about 0.2 s.
	maxFuel = 1_000_000
)

// Options change how a schema is read.
type Options struct {
	// Formats makes "format" an assertion, for email, uri, date and date-time.
	// By itself it is an annotation (JSON Schema 2020-12 validation, 7.2.1).
	Formats bool
}

// A Schema is a compiled schema. It is immutable.
type Schema struct{ root *node }

// An Error says where a value does not match its schema, and why. It quotes
// the schema, not the value.
type Error struct {
	// Path is the JSON pointer to what is wrong, empty for the whole value.
	Path string
	// Problem completes the sentence that begins with the path.
	Problem string
}

func (e *Error) Error() string {
	if e.Path == "" {
		return e.Problem
	}
	return e.Path + ": " + e.Problem
}

// Compile reads a schema. Its error is [ErrUnchecked] if the schema is beyond
// the bounds or refers to another document; otherwise the schema is broken.
func Compile(text []byte, o Options) (*Schema, error) {
	if len(text) > maxSchemaBytes {
		return nil, fmt.Errorf("%w: the schema has more than %d bytes", ErrUnchecked, maxSchemaBytes)
	}
	switch err := rawjson.Check(text, maxSchemaDepth); {
	case errors.Is(err, rawjson.ErrDepth):
		return nil, fmt.Errorf("%w: the schema is nested deeper than %d", ErrUnchecked, maxSchemaDepth)
	case err != nil:
		return nil, err
	}
	c := newCompiler(rawjson.Trim(text), o)
	root, err := c.compileRoot()
	if err != nil {
		return nil, err
	}
	return &Schema{root: root}, nil
}

// Validate checks the JSON text of a value. Its error is an [*Error] for what
// does not match, and [ErrUnchecked] if the bounds end the check.
func (s *Schema) Validate(text []byte) error {
	if len(text) > maxInstanceBytes {
		return fmt.Errorf("%w: the value has more than %d bytes", ErrUnchecked, maxInstanceBytes)
	}
	if err := rawjson.Check(text, maxInstanceDepth); err != nil {
		return fmt.Errorf("%w: %w", ErrUnchecked, err)
	}
	p := parser{left: maxInstanceValues}
	v := p.parse(rawjson.Trim(text))
	if p.left < 0 {
		return fmt.Errorf("%w: the value has more than %d values in it", ErrUnchecked, maxInstanceValues)
	}
	r := run{fuel: maxFuel}
	err := r.check(s.root, v, nil)
	switch {
	case r.exhausted:
		return fmt.Errorf("%w: the check takes too many steps", ErrUnchecked)
	case err != nil:
		return err
	}
	return nil
}
