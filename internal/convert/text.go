package convert

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// ErrBothTwins says that a request has a value in both of its forms.
var ErrBothTwins = errors.New("set this field or its _json twin, not both")

// Object returns the JSON text of an object that a request gives as one of the
// twins. Nil means that it gives neither. The text of a _json twin is used as
// it is; it must be one JSON object, nested no deeper than depth, without
// duplicate keys.
func Object(s *structpb.Struct, text *string, depth int) ([]byte, error) {
	switch {
	case s != nil && text != nil:
		return nil, ErrBothTwins
	case s != nil:
		return appendStruct(nil, s, depth)
	case text == nil:
		return nil, nil
	}
	v := rawjson.Trim([]byte(*text))
	if err := rawjson.Check(v, depth); err != nil {
		return nil, err
	}
	if v[0] != '{' {
		return nil, errors.New("the JSON is not an object")
	}
	return v, rawjson.CheckUnique(v)
}

// Value is [Object] for JSON of any shape.
func Value(v *structpb.Value, text *string, depth int) ([]byte, error) {
	switch {
	case v != nil && text != nil:
		return nil, ErrBothTwins
	case v != nil:
		return appendValue(nil, v, depth)
	case text == nil:
		return nil, nil
	}
	b := rawjson.Trim([]byte(*text))
	if err := rawjson.Check(b, depth); err != nil {
		return nil, err
	}
	return b, rawjson.CheckUnique(b)
}

func appendStruct(dst []byte, s *structpb.Struct, depth int) ([]byte, error) {
	if depth == 0 {
		return nil, rawjson.ErrDepth
	}
	dst = append(dst, '{')
	for i, key := range slices.Sorted(maps.Keys(s.GetFields())) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(rawjson.AppendString(dst, key), ':')
		var err error
		if dst, err = appendValue(dst, s.GetFields()[key], depth-1); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func appendValue(dst []byte, v *structpb.Value, depth int) ([]byte, error) {
	switch k := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		return rawjson.AppendString(dst, k.StringValue), nil
	case *structpb.Value_BoolValue:
		return strconv.AppendBool(dst, k.BoolValue), nil
	case *structpb.Value_NumberValue:
		return appendNumber(dst, k.NumberValue)
	case *structpb.Value_StructValue:
		return appendStruct(dst, k.StructValue, depth)
	case *structpb.Value_ListValue:
		return appendList(dst, k.ListValue, depth)
	case *structpb.Value_NullValue:
		return append(dst, "null"...), nil
	}
	return nil, errors.New("a google.protobuf.Value without a kind")
}

func appendList(dst []byte, l *structpb.ListValue, depth int) ([]byte, error) {
	if depth == 0 {
		return nil, rawjson.ErrDepth
	}
	dst = append(dst, '[')
	for i, v := range l.GetValues() {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendValue(dst, v, depth-1); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// appendNumber writes whole numbers as such: a double says nothing of whether
// its author meant 3 or 3.0, and servers insist on integers.
func appendNumber(dst []byte, n float64) ([]byte, error) {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return nil, fmt.Errorf("%v is not a JSON number", n)
	}
	if abs := math.Abs(n); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(dst, n, 'e', -1, 64), nil
	}
	return strconv.AppendFloat(dst, n, 'f', -1, 64), nil
}
