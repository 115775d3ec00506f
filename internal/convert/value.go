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

// structFields appends the fields of a google.protobuf.Struct and reports
// whether it holds everything that the object v does.
func (w *writer) structFields(v []byte) (exact bool) {
	exact = true
	_ = rawjson.Object(v, func(key, member []byte) error {
		w.buf = protowire.AppendTag(w.buf, structFieldsNumber, protowire.BytesType)
		entry := w.open()
		w.buf = protowire.AppendTag(w.buf, entryKeyNumber, protowire.BytesType)
		w.buf = protowire.AppendBytes(w.buf, key)
		w.buf = protowire.AppendTag(w.buf, entryValueNumber, protowire.BytesType)
		value := w.open()
		exact = w.jsonValue(member) && exact
		w.close(value)
		w.close(entry)
		return nil
	})
	return exact
}

// jsonValue appends the field of a google.protobuf.Value and reports whether it
// holds everything that v does.
func (w *writer) jsonValue(v []byte) (exact bool) {
	switch v[0] {
	case 'n':
		w.buf = append(w.buf, valueNullNumber<<3|byte(protowire.VarintType), 0)
	case 't', 'f':
		w.buf = append(w.buf, valueBoolNumber<<3|byte(protowire.VarintType), byte(protowire.EncodeBool(v[0] == 't'))) //nolint:gosec // 0 or 1
	case '"':
		w.buf = protowire.AppendTag(w.buf, valueStringNumber, protowire.BytesType)
		start := w.open()
		w.buf, exact = rawjson.AppendUnquoted(w.buf, v)
		w.close(start)
		return exact
	case '{':
		w.buf = protowire.AppendTag(w.buf, valueStructNumber, protowire.BytesType)
		start := w.open()
		exact = w.structFields(v)
		w.close(start)
		return exact
	case '[':
		w.buf = protowire.AppendTag(w.buf, valueListNumber, protowire.BytesType)
		start := w.open()
		exact = w.listValues(v)
		w.close(start)
		return exact
	default:
		n, exact := number(v)
		w.buf = protowire.AppendTag(w.buf, valueDoubleNumber, protowire.Fixed64Type)
		w.buf = protowire.AppendFixed64(w.buf, math.Float64bits(n))
		return exact
	}
	return true
}

func (w *writer) listValues(v []byte) (exact bool) {
	exact = true
	_ = rawjson.Array(v, func(e []byte) error {
		w.buf = protowire.AppendTag(w.buf, listValuesNumber, protowire.BytesType)
		start := w.open()
		exact = w.jsonValue(e) && exact
		w.close(start)
		return nil
	})
	return exact
}

// number returns the double nearest to v, and whether it reads as the same
// number: one with at most 15 digits and no exponent always does.
func number(v []byte) (n float64, exact bool) {
	n, err := strconv.ParseFloat(string(v), 64)
	if err != nil { // out of range: the value must stay a JSON number
		return math.Copysign(math.MaxFloat64, n), false
	}
	if len(v) <= 15 && bytes.IndexByte(v, 'e') < 0 && bytes.IndexByte(v, 'E') < 0 {
		return n, true
	}
	return n, digits(string(v)) == digits(strconv.FormatFloat(n, 'e', -1, 64))
}

// digits returns the significant digits of a number.
func digits(s string) string {
	s, _, _ = strings.Cut(strings.ToLower(s), "e")
	s = strings.Replace(strings.TrimPrefix(s, "-"), ".", "", 1)
	return strings.Trim(s, "0")
}
