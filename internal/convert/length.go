package convert

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxGrow bounds what the buffer grows by on a guess.
const maxGrow = 128 << 10

// grow makes room for n bytes or so. Appending piece by piece would move what is
// there again and again; texts and blobs make exactly the room that they need.
func (w *writer) grow(n int) { w.buf = slices.Grow(w.buf, min(n, maxGrow)) }

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
func lengthSize(n int) int {
	if n < 0x80 {
		return 1
	}
	return protowire.SizeVarint(uint64(n))
}

func appendLength(dst []byte, n int) []byte {
	if n < 0x80 {
		return append(dst, byte(n)) //nolint:gosec // not negative
	}
	return protowire.AppendVarint(dst, uint64(n))
}
