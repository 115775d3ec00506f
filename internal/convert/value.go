package convert

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// The field numbers of google.protobuf.Struct, Value and ListValue.
const (
	structFieldsNumber = 1
	entryKeyNumber     = 1
	entryValueNumber   = 2
	valueNullNumber    = 1
	valueDoubleNumber  = 2
	valueStringNumber  = 3
	valueBoolNumber    = 4
	valueStructNumber  = 5
	valueListNumber    = 6
	listValuesNumber   = 1
)

// containerHint is the guess at the length of what an array or object becomes,
// which is known only when it has been written: two bytes' worth. If it is less,
// little has to be moved.
const containerHint = 0x80

// structFields appends the fields of a google.protobuf.Struct from the object
// that comes next, and reports whether it holds everything that the object does.
func (w *writer) structFields(c *rawjson.Cursor) (exact bool) {
	exact = true
	for c.Enter(); c.More(); {
		key := c.Token()
		token, hint := next(c)
		w.tag(structFieldsNumber, protowire.BytesType)
		entry := w.open(len(key) + hint)
		exact = w.text(entryKeyNumber, key) && exact
		w.tag(entryValueNumber, protowire.BytesType)
		value := w.open(hint)
		exact = w.jsonValue(c, token) && exact
		w.close(value, hint)
		w.close(entry, len(key)+hint)
	}
	return exact
}

// tag appends the tag of a field, which is one byte for numbers below 16.
func (w *writer) tag(number byte, t protowire.Type) { w.buf = append(w.buf, number<<3|byte(t)) } //nolint:gosec // at most 5

// text appends a field with the text of the JSON string v.
func (w *writer) text(number byte, v []byte) (exact bool) {
	w.tag(number, protowire.BytesType)
	start := w.open(len(v))
	w.buf, exact = rawjson.AppendUnquoted(w.buf, v)
	w.close(start, len(v))
	return exact
}

// next steps over the scalar that comes next and returns its text; of an array or
// object it returns nil. hint is the guess at what the value's length becomes.
func next(c *rawjson.Cursor) (token []byte, hint int) {
	if kind := c.Peek(); kind == '{' || kind == '[' {
		return nil, containerHint
	}
	token = c.Token()
	return token, len(token)
}

// jsonValue appends the field of a google.protobuf.Value: from token or, if that
// is nil, from the array or object that comes next. It reports whether the field
// holds everything that the value does.
func (w *writer) jsonValue(c *rawjson.Cursor, token []byte) (exact bool) {
	if token != nil {
		return w.scalar(token)
	}
	number, body := byte(valueStructNumber), w.structFields
	if c.Peek() == '[' {
		number, body = valueListNumber, w.listValues
	}
	w.tag(number, protowire.BytesType)
	start := w.open(containerHint)
	exact = body(c)
	w.close(start, containerHint)
	return exact
}

func (w *writer) scalar(v []byte) (exact bool) {
	if len(v) == 0 {
		return false
	}
	exact = true
	switch v[0] {
	case '"':
		return w.text(valueStringNumber, v)
	case 'n':
		w.tag(valueNullNumber, protowire.VarintType)
		w.buf = append(w.buf, 0)
	case 't', 'f':
		w.tag(valueBoolNumber, protowire.VarintType)
		w.buf = append(w.buf, byte(protowire.EncodeBool(v[0] == 't'))) //nolint:gosec // 0 or 1
	default:
		var n float64
		n, exact = number(v)
		w.tag(valueDoubleNumber, protowire.Fixed64Type)
		w.buf = protowire.AppendFixed64(w.buf, math.Float64bits(n))
	}
	return exact
}

func (w *writer) listValues(c *rawjson.Cursor) (exact bool) {
	exact = true
	for c.Enter(); c.More(); {
		token, hint := next(c)
		w.tag(listValuesNumber, protowire.BytesType)
		start := w.open(hint)
		exact = w.jsonValue(c, token) && exact
		w.close(start, hint)
	}
	return exact
}

// number returns the double nearest to v, and whether it reads as the same
// number: one with at most 15 digits and no exponent always does.
func number(v []byte) (n float64, exact bool) {
	if n, small := integer(v); small {
		return n, true
	}
	n, err := strconv.ParseFloat(string(v), 64)
	if err != nil { // out of range: the value must stay a JSON number
		return math.Copysign(math.MaxFloat64, n), false
	}
	if len(v) <= 15 && bytes.IndexByte(v, 'e') < 0 && bytes.IndexByte(v, 'E') < 0 {
		return n, true
	}
	return n, digits(string(v)) == digits(strconv.FormatFloat(n, 'e', -1, 64))
}

// integer returns the value of up to 15 digits and nothing else, which is what
// most numbers are.
func integer(v []byte) (n float64, ok bool) {
	if len(v) == 0 || len(v) > 15 {
		return 0, false
	}
	var i int64
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, false
		}
		i = 10*i + int64(c-'0')
	}
	return float64(i), true
}

// digits returns the significant digits of a number.
func digits(s string) string {
	s, _, _ = strings.Cut(strings.ToLower(s), "e")
	s = strings.Replace(strings.TrimPrefix(s, "-"), ".", "", 1)
	return strings.Trim(s, "0")
}
