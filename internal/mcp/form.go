package mcp

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mcpbridge/mcpbridge/internal/jsonschema"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// A FormError says which part of a form's content is wrong, and what is.
type FormError struct {
	// Member is the JSON pointer to it, empty for the whole content.
	Member  string
	Problem string
}

func (e *FormError) Error() string {
	if e.Member == "" {
		return "the form's content " + e.Problem
	}
	return "the form's member " + e.Member + " " + e.Problem
}

// formDepth bounds the nesting of a form's content: a list in an object.
const formDepth = 8

// CompleteForm returns the content that a user gave for a form, with the defaults
// of what was left out (SEP-1034), after checking it against the form's
// requestedSchema. What was given stays as it is. Content that is nil is an empty
// object. Its errors are [*FormError] for what is wrong with the content, and
// [*ResultError] if the server's schema is broken.
func CompleteForm(schema, content json.RawMessage) (json.RawMessage, error) {
	if len(content) == 0 {
		content = json.RawMessage(`{}`)
	}
	content = rawjson.Trim(content)
	if err := rawjson.Check(content, formDepth); err != nil {
		return nil, &FormError{Problem: "is no JSON that a form can have: " + err.Error()}
	}
	if content[0] != '{' {
		return nil, &FormError{Problem: "must be an object"}
	}
	if err := rawjson.CheckUnique(content); err != nil {
		return nil, &FormError{Problem: "has a " + err.Error()}
	}
	compiled, err := jsonschema.Compile(schema, jsonschema.Options{Formats: true})
	if err != nil {
		return nil, &ResultError{Method: MethodElicitation, Problem: fmt.Sprintf("invalid requestedSchema: %v", err)}
	}
	content = withDefaults(schema, content)
	var wrong *jsonschema.Error
	if errors.As(compiled.Validate(content), &wrong) {
		return nil, &FormError{Member: wrong.Path, Problem: wrong.Problem}
	}
	return content, nil
}

// withDefaults appends the defaults of the members that are not there.
func withDefaults(schema, content []byte) []byte {
	if rawjson.Trim(schema)[0] != '{' {
		return content
	}
	properties := rawjson.Get(schema, "properties")
	if len(properties) == 0 || properties[0] != '{' {
		return content
	}
	given := make(map[string]bool)
	_ = rawjson.Object(content, func(key, _ []byte) error {
		given[string(key)] = true
		return nil
	})
	full := append([]byte(nil), content[:len(content)-1]...)
	_ = rawjson.Object(properties, func(key, property []byte) error {
		if given[string(key)] || property[0] != '{' {
			return nil
		}
		value := rawjson.Get(property, "default")
		if rawjson.IsNull(value) {
			return nil
		}
		if len(given) > 0 {
			full = append(full, ',')
		}
		given[string(key)] = true
		full = append(append(rawjson.AppendString(full, key), ':'), value...)
		return nil
	})
	return append(full, '}')
}
