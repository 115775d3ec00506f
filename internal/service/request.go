package service

import (
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/mcpbridge/mcpbridge/internal/convert"
)

// A fieldError says what is wrong with a field of a request.
type fieldError struct {
	Field   string
	Problem string
}

func (e *fieldError) Error() string { return e.Field + ": " + e.Problem }

// An unsupportedError says that the bridge does not do something that the API
// has a place for.
type unsupportedError struct{ What string }

func (e *unsupportedError) Error() string { return e.What + " is not supported" }

// required checks that a text field is there.
func required(field, value string) error {
	if value == "" {
		return &fieldError{Field: field, Problem: "is required"}
	}
	return nil
}

// object returns the JSON text of the object that a request gives in the field
// or its twin.
func (s *Service) object(field string, v *structpb.Struct, text *string) ([]byte, error) {
	b, err := convert.Object(v, text, s.opts.JSONDepth)
	if err != nil {
		return nil, &fieldError{Field: field, Problem: err.Error()}
	}
	return b, nil
}
