package convert

import (
	"bytes"
	"encoding/base64"
	"errors"
	"math"
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
}

// object appends the fields of a message.
func (w *writer) object(p *plan, raw []byte) bool {
	if p.block {
		return w.contentBlock(p, raw)
	}
	var extra []byte
	var room [16]span
	seen := spans(room[:0])
	err := rawjson.Object(raw, func(key, v []byte) error {
		if w.member(p, key, v, &seen) {
			return nil
		}
		if p.extra == nil {
			return errMisfit
		}
		extra = appendMember(extra, key, v)
		return nil
	})
	if err != nil {
		return false
	}
	return extra == nil || w.twins(p.extra, append(extra, '}'))
}

// A span is where in the buffer a field of a message stands.
type span struct {
	field      *field
	start, end int
}

// spans are the fields of one message that have been written.
type spans []span

// taken reports whether another field of the same oneof has been written.
func (s spans) taken(f *field) bool {
	for _, x := range s {
		if f.oneof != 0 && x.field.oneof == f.oneof && x.field != f {
			return true
		}
	}
	return false
}

// drop cuts out what has been written of f, since of duplicates the last wins,
// and wire bytes would add up.
func (w *writer) drop(s *spans, f *field) {
	for i, x := range *s {
		if x.field != f {
			continue
		}
		n := x.end - x.start
		w.buf = append(w.buf[:x.start], w.buf[x.end:]...)
		*s = append((*s)[:i], (*s)[i+1:]...)
		for k := range *s {
			if (*s)[k].start >= x.end {
				(*s)[k].start -= n
				(*s)[k].end -= n
			}
		}
		return
	}
}

var errMisfit = errors.New("value does not fit")

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

// member appends one member, and leaves no trace of it if it does not fit.
func (w *writer) member(p *plan, key, v []byte, seen *spans) bool {
	f, ok := p.members[string(key)]
	if !ok || seen.taken(f) {
		return false
	}
	w.drop(seen, f)
	start := len(w.buf)
	if !w.value(f, v) {
		w.buf = w.buf[:start]
		return false
	}
	if len(w.buf) > start {
		*seen = append(*seen, span{f, start, len(w.buf)})
	}
	return true
}

func (w *writer) value(f *field, v []byte) bool {
	switch {
	case f.shape == shapeIgnored:
		return true
	case v[0] == 'n' && f.shape != shapeValue:
		return true // null where no null can stand is absence
	case f.repeated:
		return w.list(f, v)
	}
	return w.single(f, v)
}

func (w *writer) list(f *field, v []byte) bool {
	if v[0] == '{' && f.message != nil && f.message.block {
		return w.single(f, v) // sampling messages write a list of one block so
	}
	if v[0] != '[' {
		return false
	}
	return rawjson.Array(v, func(e []byte) error {
		if !w.single(f, e) {
			return errMisfit
		}
		return nil
	}) == nil
}

func (w *writer) single(f *field, v []byte) bool {
	switch f.shape {
	case shapeString:
		return v[0] == '"' && w.delimited(f.number, len(v), func() bool {
			w.buf, _ = rawjson.AppendUnquoted(w.buf, v)
			return true
		})
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
	case shapeMessage:
		return v[0] == '{' && w.delimited(f.number, len(v), func() bool { return w.object(f.message, v) })
	case shapeStruct:
		return v[0] == '{' && w.twins(f, v)
	case shapeValue:
		return w.twins(f, v)
	case shapeMillis:
		return w.millis(f, v)
	case shapeTime:
		return w.time(f, v)
	case shapeIgnored:
	}
	return true
}

// delimited appends a length-delimited field around what body appends. The
// length is known only afterwards; it nearly always takes as many bytes as hint,
// the length of the JSON text, would, and else the body is moved.
func (w *writer) delimited(number protowire.Number, hint int, body func() bool) bool {
	w.buf = protowire.AppendTag(w.buf, number, protowire.BytesType)
	start := w.open(hint)
	ok := body()
	w.close(start, hint)
	return ok
}

// open leaves room for a length and returns where the body starts.
func (w *writer) open(hint int) (start int) {
	w.buf = append(w.buf, 0)
	for ; hint >= 0x80; hint >>= 7 {
		w.buf = append(w.buf, 0)
	}
	return len(w.buf)
}

func (w *writer) close(start, hint int) {
	n := len(w.buf) - start
	if n < 0x80 && hint < 0x80 {
		w.buf[start-1] = byte(n) //nolint:gosec // below 0x80
		return
	}
	room := lengthSize(hint)
	if more := lengthSize(n) - room; more != 0 {
		for range more {
			w.buf = append(w.buf, 0)
		}
		copy(w.buf[start+more:], w.buf[start:start+n])
		w.buf = w.buf[:start+more+n]
	}
	protowire.AppendVarint(w.buf[:start-room], uint64(n)) //nolint:gosec // not negative
}

// lengthSize is how many bytes a length takes.
func lengthSize(n int) int { return protowire.SizeVarint(uint64(n)) } //nolint:gosec // not negative

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

// twins appends JSON in the form that the caller asked for, and as text besides
// where the other form would lose something.
func (w *writer) twins(f *field, v []byte) bool {
	exact := true
	if w.format != mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT {
		w.buf = protowire.AppendTag(w.buf, f.number, protowire.BytesType)
		start, c := w.open(len(v)), rawjson.NewCursor(v)
		if f.shape == shapeStruct {
			exact = w.structFields(&c)
		} else {
			token, _ := next(&c)
			exact = w.jsonValue(&c, token)
		}
		w.close(start, len(v))
	}
	if w.format == mcpbridgev1.JsonFormat_JSON_FORMAT_STRUCT || w.format == mcpbridgev1.JsonFormat_JSON_FORMAT_UNSPECIFIED {
		if exact {
			return true
		}
	}
	w.buf = protowire.AppendTag(w.buf, f.text, protowire.BytesType)
	w.buf = protowire.AppendBytes(w.buf, v)
	return true
}

// contentBlock appends the field of a ContentBlock that the block's type names,
// or the block as text if there is none or it does not fit.
func (w *writer) contentBlock(p *plan, raw []byte) bool {
	kind, _ := rawjson.String(rawjson.Get(raw, "type"))
	if f := p.members[kind]; f != nil && f.shape == shapeMessage {
		start := len(w.buf)
		if w.single(f, raw) {
			return true
		}
		w.buf = w.buf[:start]
	}
	w.buf = protowire.AppendTag(w.buf, p.members["unknown_json"].number, protowire.BytesType)
	w.buf = protowire.AppendBytes(w.buf, raw)
	return true
}
