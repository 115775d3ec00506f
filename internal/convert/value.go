package convert

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// The tags of the fields of google.protobuf.Struct, its entries, Value and
// ListValue. All are one byte.
const (
	tagStructFields = 1<<3 | byte(protowire.BytesType)
	tagEntryKey     = 1<<3 | byte(protowire.BytesType)
	tagEntryValue   = 2<<3 | byte(protowire.BytesType)
	tagNull         = 1<<3 | byte(protowire.VarintType)
	tagDouble       = 2<<3 | byte(protowire.Fixed64Type)
	tagString       = 3<<3 | byte(protowire.BytesType)
	tagBool         = 4<<3 | byte(protowire.VarintType)
	tagStruct       = 5<<3 | byte(protowire.BytesType)
	tagList         = 6<<3 | byte(protowire.BytesType)
	tagListValues   = 1<<3 | byte(protowire.BytesType)
)

// A guess says how long an array or object will be, which is known only when it
// has been written: as long as the last one was. If it takes fewer or more bytes
// to write that length, what was written is moved.
type guess struct{ list, object int }

// structFields appends the fields of a google.protobuf.Struct from the object
// that comes next, and reports whether it holds everything that the object does.
func (w *writer) structFields(c *rawjson.Cursor) (exact bool) {
	exact = true
	for c.Enter(); c.More(); {
		key, keyExact := w.entryKey(c)
		w.buf = append(w.buf, tagStructFields)
		exact = w.jsonValue(c, entry{key, true}) && keyExact && exact
	}
	return exact
}

// entryKey returns the text of the key that comes next, good until the next call.
func (w *writer) entryKey(c *rawjson.Cursor) (key []byte, exact bool) {
	key, plain := c.String()
	if plain {
		return key, true
	}
	w.scratch, exact = rawjson.AppendUnescaped(w.scratch[:0], key)
	return w.scratch, exact
}

func (w *writer) listValues(c *rawjson.Cursor) (exact bool) {
	exact = true
	for c.Enter(); c.More(); {
		w.buf = append(w.buf, tagListValues)
		exact = w.jsonValue(c, entry{}) && exact
	}
	return exact
}

// An entry is what a google.protobuf.Value is in. If that is an entry of a Struct,
// its length and key come before the Value's.
type entry struct {
	key []byte
	has bool
}

// appendLengths appends what comes before a Value of n bytes.
func (e entry) appendLengths(dst []byte, n int) []byte {
	if !e.has {
		return appendLength(dst, n)
	}
	if size := 4 + len(e.key) + n; size < 0x80 { // then all lengths are one byte
		dst = append(dst, byte(size), tagEntryKey, byte(len(e.key))) //nolint:gosec // below 0x80
		return append(append(dst, e.key...), tagEntryValue, byte(n)) //nolint:gosec // below 0x80
	}
	dst = appendLength(dst, 1+lengthSize(len(e.key))+len(e.key)+1+lengthSize(n)+n)
	return appendLength(e.appendKey(dst), n)
}

// appendKey appends the key, and the tag of the Value.
func (e entry) appendKey(dst []byte) []byte {
	dst = appendLength(append(dst, tagEntryKey), len(e.key))
	return append(append(dst, e.key...), tagEntryValue)
}

// jsonValue appends a google.protobuf.Value, lengths first, from the value that
// comes next, and reports whether it holds everything that the value does.
func (w *writer) jsonValue(c *rawjson.Cursor, e entry) (exact bool) {
	switch c.Peek() {
	case '{', '[':
		return w.unknownLength(c, e)
	case '"':
		from := *c
		text, plain := c.String()
		if !plain {
			*c = from
			return w.unknownLength(c, e)
		}
		w.buf = append(e.appendLengths(w.buf, 1+lengthSize(len(text))+len(text)), tagString)
		w.buf = append(appendLength(w.buf, len(text)), text...)
		return true
	case 'n':
		c.Token()
		w.buf = append(e.appendLengths(w.buf, 2), tagNull, 0)
	case 't':
		c.Token()
		w.buf = append(e.appendLengths(w.buf, 2), tagBool, 1)
	case 'f':
		c.Token()
		w.buf = append(e.appendLengths(w.buf, 2), tagBool, 0)
	default:
		n, exact := number(c.Token())
		w.buf = append(e.appendLengths(w.buf, 1+8), tagDouble)
		w.buf = binary.LittleEndian.AppendUint64(w.buf, math.Float64bits(n))
		return exact
	}
	return true
}

// unknownLength is jsonValue for what has a length that is known only afterwards:
// an array, an object, a string with escapes.
func (w *writer) unknownLength(c *rawjson.Cursor, e entry) (exact bool) {
	hint := w.guess(c)
	if e.has {
		start := w.open(len(e.key) + hint)
		w.buf = e.appendKey(w.buf)
		exact = w.unknownLength(c, entry{})
		w.close(start, len(e.key)+hint)
		return exact
	}
	outer := w.open(hint)
	var inner int
	switch c.Peek() {
	case '{':
		w.buf = append(w.buf, tagStruct)
		inner = w.open(hint)
		exact = w.structFields(c)
		w.last.object = len(w.buf) - inner
	case '[':
		w.buf = append(w.buf, tagList)
		inner = w.open(hint)
		exact = w.listValues(c)
		w.last.list = len(w.buf) - inner
	default:
		w.buf = append(w.buf, tagString)
		inner = w.open(hint)
		text, _ := c.String()
		w.buf, exact = rawjson.AppendUnescaped(slices.Grow(w.buf, len(text)), text)
	}
	w.close(inner, hint)
	w.close(outer, hint)
	return exact
}

// guess returns how long the value may become that comes next, of unknownLength.
func (w *writer) guess(c *rawjson.Cursor) int {
	switch c.Peek() {
	case '{':
		return w.last.object
	case '[':
		return w.last.list
	}
	return c.Left()
}

// number returns the double nearest to v, and whether it reads as the same
// number: one with at most 15 digits and no exponent always does.
func number(v []byte) (n float64, exact bool) {
	if n, short := decimal(v); short {
		return n, true
	}
	n, err := strconv.ParseFloat(string(v), 64)
	if err != nil { // out of range: the value must stay a JSON number
		return math.Copysign(math.MaxFloat64, n), false
	}
	return n, digits(string(v)) == digits(strconv.FormatFloat(n, 'e', -1, 64))
}

// decimal returns the value of a number with up to 15 digits and no exponent,
// which is what most numbers are. Such digits, and the power of ten below them,
// are doubles, and the division of two doubles is rounded to the nearest.
func decimal(v []byte) (n float64, ok bool) {
	const most = 15
	first := 0
	if len(v) > 0 && v[0] == '-' {
		first = 1
	}
	digits := len(v) - first
	var whole, power int64 // power is 0 before the point
	for _, c := range v[first:] {
		switch {
		case c >= '0' && c <= '9':
			whole, power = 10*whole+int64(c-'0'), 10*power
		case c == '.':
			power = 1
			digits--
		default:
			return 0, false
		}
		if whole >= 1e15 {
			return 0, false
		}
	}
	if digits > most {
		return 0, false
	}
	n = float64(whole)
	if power > 1 {
		n /= float64(power)
	}
	if first > 0 {
		n = -n
	}
	return n, digits > 0
}

// digits returns the significant digits of a number.
func digits(s string) string {
	s, _, _ = strings.Cut(strings.ToLower(s), "e")
	s = strings.Replace(strings.TrimPrefix(s, "-"), ".", "", 1)
	return strings.Trim(s, "0")
}
