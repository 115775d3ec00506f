package convert

import (
	"bytes"
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/durationpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// A writer appends protobuf wire bytes. Its methods report whether the value
// fits; what they have appended of one that does not is for the caller to cut
// off again.
type writer struct {
	buf    []byte
	format Format
	// scratch is where keys with escapes are written out.
	scratch []byte
	// spans are the fields that have been written of the messages under way, each
	// message's behind those of the one that it is part of.
	spans []span
	// last is how long the last array and the last object became.
	last guess
}

// object appends the fields of a message from the object that comes next.
func (w *writer) object(p *plan, c *rawjson.Cursor) bool {
	if p.block {
		return w.contentBlock(p, c)
	}
	base := len(w.spans)
	defer func() { w.spans = w.spans[:base] }()
	var extra []byte
	for c.Enter(); c.More(); {
		key, plain := c.String()
		if !plain {
			key, _ = rawjson.AppendUnescaped(nil, key)
		}
		from := *c
		if w.member(p, base, key, c) {
			continue
		}
		if p.extra == nil {
			return false
		}
		*c = from
		extra = appendMember(extra, key, c.Token())
	}
	if extra == nil {
		return true
	}
	rest := rawjson.NewCursor(append(extra, '}'))
	return w.twins(p.extra, &rest)
}

func appendMember(dst, key, v []byte) []byte {
	if dst == nil {
		dst = append(dst, '{')
	} else {
		dst = append(dst, ',')
	}
	dst = rawjson.AppendString(dst, key)
	dst = append(dst, ':')
	return append(dst, v...)
}

// member appends one member of the message whose spans begin at base. Its value
// comes next. It leaves no trace of it if that does not fit.
func (w *writer) member(p *plan, base int, key []byte, c *rawjson.Cursor) bool {
	f, ok := p.members[string(key)]
	if !ok || w.taken(base, f) {
		return false
	}
	w.drop(base, f)
	start := len(w.buf)
	if !w.value(f, c) {
		w.buf = w.buf[:start]
		return false
	}
	if len(w.buf) > start {
		w.spans = append(w.spans, span{f, start, len(w.buf)})
	}
	return true
}

// value appends a field from the value that comes next. If that does not fit, it
// may stop anywhere in it.
func (w *writer) value(f *field, c *rawjson.Cursor) bool {
	switch {
	case f.shape == shapeIgnored, c.Peek() == 'n' && f.shape != shapeValue:
		c.Token()
		return true // null where no null can stand is absence
	case f.repeated:
		return w.list(f, c)
	}
	return w.single(f, c)
}

func (w *writer) list(f *field, c *rawjson.Cursor) bool {
	if c.Peek() == '{' && f.message != nil && f.message.block {
		return w.single(f, c) // sampling messages write a list of one block so
	}
	if c.Peek() != '[' {
		return false
	}
	if f.message != nil && !f.message.block {
		w.grow(c.Left() + c.Left()/8)
	}
	for c.Enter(); c.More(); {
		if !w.single(f, c) {
			return false
		}
	}
	return true
}

func (w *writer) single(f *field, c *rawjson.Cursor) bool {
	switch f.shape {
	case shapeMessage:
		return c.Peek() == '{' && w.delimited(f.number, c.Left(), func() bool { return w.object(f.message, c) })
	case shapeStruct:
		return c.Peek() == '{' && w.twins(f, c)
	case shapeValue:
		return w.twins(f, c)
	case shapeString:
		return c.Peek() == '"' && w.string(f.number, c)
	default:
		v := c.Token()
		return len(v) > 0 && w.token(f, v)
	}
}

// string appends a field from the JSON string that comes next.
func (w *writer) string(number protowire.Number, c *rawjson.Cursor) bool {
	text, plain := c.String()
	if plain {
		w.buf = protowire.AppendTag(w.buf, number, protowire.BytesType)
		w.buf = protowire.AppendBytes(w.buf, text)
		return true
	}
	return w.delimited(number, len(text), func() bool {
		w.buf, _ = rawjson.AppendUnescaped(slices.Grow(w.buf, len(text)), text)
		return true
	})
}

// token appends a field from the text of a value.
func (w *writer) token(f *field, v []byte) bool {
	switch f.shape {
	case shapeBytes:
		return v[0] == '"' && w.delimited(f.number, len(v)/4*3, func() bool { return w.base64(v) })
	case shapeBool:
		w.buf = protowire.AppendTag(w.buf, f.number, protowire.VarintType)
		w.buf = protowire.AppendVarint(w.buf, protowire.EncodeBool(v[0] == 't'))
		return v[0] == 't' || v[0] == 'f'
	case shapeInt:
		n, err := strconv.ParseInt(string(v), 10, 64)
		w.buf = protowire.AppendTag(w.buf, f.number, protowire.VarintType)
		w.buf = protowire.AppendVarint(w.buf, uint64(n)) //nolint:gosec // two's complement is what the wire wants
		return err == nil
	case shapeDouble:
		n, err := strconv.ParseFloat(string(v), 64)
		w.buf = protowire.AppendTag(w.buf, f.number, protowire.Fixed64Type)
		w.buf = protowire.AppendFixed64(w.buf, math.Float64bits(n))
		return err == nil
	case shapeEnum:
		word, _ := rawjson.String(v)
		n, ok := f.enum[word]
		w.buf = protowire.AppendTag(w.buf, f.number, protowire.VarintType)
		w.buf = protowire.AppendVarint(w.buf, uint64(n)) //nolint:gosec // our enumerations are not negative
		return ok
	case shapeMillis:
		return w.millis(f, v)
	case shapeTime:
		return w.time(f, v)
	default:
		return false
	}
}

func (w *writer) base64(v []byte) bool {
	text := v[1 : len(v)-1]
	if bytes.IndexByte(text, '\\') >= 0 {
		text, _ = rawjson.AppendUnquoted(nil, v)
	}
	enc := base64.StdEncoding
	if len(text)%4 != 0 {
		enc = base64.RawStdEncoding
	}
	var err error
	w.buf, err = enc.AppendDecode(w.buf, text)
	return err == nil
}

func (w *writer) millis(f *field, v []byte) bool {
	n, err := strconv.ParseFloat(string(v), 64)
	if err != nil || n < 0 || n > float64(math.MaxInt64/int64(time.Millisecond)) {
		return false
	}
	d := durationpb.New(time.Duration(n * float64(time.Millisecond)))
	return w.seconds(f, d.GetSeconds(), d.GetNanos())
}

func (w *writer) time(f *field, v []byte) bool {
	text, _ := rawjson.String(v)
	t, err := time.Parse(time.RFC3339Nano, text)
	return err == nil && w.seconds(f, t.Unix(), int32(t.Nanosecond())) //nolint:gosec // below a second
}

// seconds appends a google.protobuf.Duration or Timestamp.
func (w *writer) seconds(f *field, seconds int64, nanos int32) bool {
	return w.delimited(f.number, 0, func() bool {
		w.buf = appendVarintField(w.buf, 1, seconds)
		w.buf = appendVarintField(w.buf, 2, int64(nanos))
		return true
	})
}

func appendVarintField(dst []byte, number protowire.Number, n int64) []byte {
	if n == 0 {
		return dst
	}
	dst = protowire.AppendTag(dst, number, protowire.VarintType)
	return protowire.AppendVarint(dst, uint64(n)) //nolint:gosec // two's complement is what the wire wants
}

// twins appends the JSON that comes next in the form that the caller asked for,
// and as text besides where the other form would lose something.
func (w *writer) twins(f *field, c *rawjson.Cursor) bool {
	exact, from := true, *c
	if w.format != mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT {
		w.buf = protowire.AppendTag(w.buf, f.number, protowire.BytesType)
		hint := 2 * c.Left() // which is usual
		if f.shape == shapeValue {
			w.grow(hint)
		}
		w.last = guess{list: hint, object: hint}
		if f.shape == shapeStruct {
			start := w.open(hint)
			exact = w.structFields(c)
			w.close(start, hint)
		} else {
			exact = w.jsonValue(c, entry{})
		}
	}
	if w.format == mcpbridgev1.JsonFormat_JSON_FORMAT_STRUCT || w.format == mcpbridgev1.JsonFormat_JSON_FORMAT_UNSPECIFIED {
		if exact {
			return true
		}
	}
	*c = from
	w.buf = protowire.AppendTag(w.buf, f.text, protowire.BytesType)
	w.buf = protowire.AppendBytes(w.buf, c.Token())
	return true
}

// contentBlock appends the field of a ContentBlock that the block's type names,
// or the block as text if there is none or it does not fit.
func (w *writer) contentBlock(p *plan, c *rawjson.Cursor) bool {
	raw := c.Token()
	kind, _ := rawjson.String(rawjson.Get(raw, "type"))
	if f := p.members[kind]; f != nil && f.shape == shapeMessage {
		start, block := len(w.buf), rawjson.NewCursor(raw)
		if w.single(f, &block) {
			return true
		}
		w.buf = w.buf[:start]
	}
	w.buf = protowire.AppendTag(w.buf, p.members["unknown_json"].number, protowire.BytesType)
	w.buf = protowire.AppendBytes(w.buf, raw)
	return true
}
