package mcp

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

const annotation = "x-mcp-header"

// The bounds of a tool's annotations. The specification has none.
const (
	maxParameters     = 16
	maxParameterBytes = 128
)

// A parameter is an argument of a tool that goes out as an HTTP header as well
// (spec 2026-07-28, basic/transports/streamable-http, "Custom Headers from Tool
// Parameters").
type parameter struct {
	// name is the header's without its prefix.
	name string
	// path are the names that lead to the argument.
	path []string
}

// A ParameterError says that an argument, which the server wants as an HTTP
// header too, cannot be one. The call was not sent.
type ParameterError struct {
	// Argument is the path to the argument.
	Argument string
	Problem  string
}

func (e *ParameterError) Error() string {
	return fmt.Sprintf("argument %s: %s", e.Argument, e.Problem)
}

// readParameters returns the annotated parameters of an input schema. Its error
// makes the tool invalid.
func readParameters(schema []byte) ([]parameter, error) {
	if len(schema) == 0 || !bytes.Contains(schema, []byte(annotation)) {
		return nil, nil
	}
	var f finder
	err := f.schema(schema, nil, true)
	return f.found, err
}

// A finder looks for annotations in a schema.
type finder struct{ found []parameter }

// schema looks through one schema, at the path of property names. reachable:
// nothing but "properties" led here.
func (f *finder) schema(text []byte, path []string, reachable bool) error {
	if text[0] != '{' {
		return nil
	}
	var name, kinds []byte
	err := rawjson.Object(text, func(key, v []byte) error {
		switch string(key) {
		case annotation:
			name = v
		case "type":
			kinds = v
		case "properties":
			return f.schemas(v, path, reachable)
		case "$defs", "definitions", "patternProperties", "dependentSchemas", "dependencies":
			return f.schemas(v, path, false)
		case "items", "prefixItems", "additionalItems", "unevaluatedItems", "contains",
			"additionalProperties", "unevaluatedProperties", "propertyNames", "contentSchema",
			"allOf", "anyOf", "oneOf", "not", "if", "then", "else":
			return f.elsewhere(v, path)
		}
		return nil
	})
	if err != nil || name == nil {
		return err
	}
	return f.add(name, kinds, path, reachable)
}

// schemas looks through an object of schemas.
func (f *finder) schemas(text []byte, path []string, reachable bool) error {
	if text[0] != '{' {
		return nil
	}
	return rawjson.Object(text, func(key, v []byte) error {
		return f.schema(v, append(slices.Clip(path), string(key)), reachable)
	})
}

// elsewhere looks through a schema, or an array of them, from which no path of
// properties leads to the arguments.
func (f *finder) elsewhere(text []byte, path []string) error {
	if text[0] != '[' {
		return f.schema(text, path, false)
	}
	return rawjson.Array(text, func(v []byte) error { return f.schema(v, path, false) })
}

// add checks one annotation by the rules of the specification.
func (f *finder) add(text, kinds []byte, path []string, reachable bool) error {
	name, err := rawjson.String(text)
	wrong := func(problem string) error {
		return fmt.Errorf("%s %s of %q %s", annotation, cut(string(text), maxParameterBytes), cut(strings.Join(path, "."), 200), problem)
	}
	switch {
	case err != nil:
		return wrong("is not a string")
	case !token(name):
		return wrong("is not the name of a header")
	case len(name) > maxParameterBytes:
		return wrong("is too long")
	case !reachable || len(path) == 0:
		return wrong("is not on a property that the schema's properties lead to")
	case !mirrorable(kinds):
		return wrong("is on a property that is not a string, an integer or a boolean")
	case slices.ContainsFunc(f.found, func(p parameter) bool { return strings.EqualFold(p.name, name) }):
		return wrong("is there twice")
	case len(f.found) == maxParameters:
		return wrong("is one too many")
	}
	f.found = append(f.found, parameter{name: name, path: path})
	return nil
}

// mirrorable reports whether a property of the type, or of all of the types, can
// be a header.
func mirrorable(kinds []byte) bool {
	one := func(v []byte) bool {
		switch kind, _ := rawjson.String(v); kind {
		case "string", "integer", "boolean":
			return true
		}
		return false
	}
	if len(kinds) == 0 || kinds[0] != '[' {
		return one(kinds)
	}
	count, all := 0, true
	_ = rawjson.Array(kinds, func(v []byte) error {
		count++
		all = all && one(v)
		return nil
	})
	return count > 0 && all
}

// token reports whether s is a field name (RFC 9110, section 5.1: 1*tchar).
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// mirror returns the headers of a call with the arguments.
func mirror(parameters []parameter, arguments []byte) ([]transport.Parameter, error) {
	var headers []transport.Parameter
	for _, p := range parameters {
		v := follow(arguments, p.path)
		text, present, err := headerText(v)
		if err != nil {
			return nil, &ParameterError{Argument: cut(strings.Join(p.path, "."), 200), Problem: err.Error()}
		}
		if present {
			headers = append(headers, transport.Parameter{Name: p.name, Value: text})
		}
	}
	return headers, nil
}

// follow returns the value at the path, nil if there is none.
func follow(v []byte, path []string) []byte {
	for _, name := range path {
		if len(v) == 0 || v[0] != '{' {
			return nil
		}
		v = rawjson.Get(v, name)
	}
	return v
}

// headerText is the value of a header, before it is encoded. What is absent or
// null has none, and neither has an array or object, which is for the server to
// refuse. "Integer values MUST be within the safe range for JavaScript".
func headerText(v []byte) (text string, present bool, err error) {
	if rawjson.IsNull(v) {
		return "", false, nil
	}
	switch v[0] {
	case '{', '[':
		return "", false, nil
	case '"':
		text, err = rawjson.String(v)
		return text, true, err
	case 't', 'f':
		return string(v), true, nil
	}
	n, ok := rawjson.SafeInteger(v)
	if !ok {
		return "", false, errors.New("it goes out as a header, for which it must be an integer within 2^53-1")
	}
	return strconv.FormatInt(n, 10), true, nil
}
