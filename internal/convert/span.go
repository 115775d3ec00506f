package convert

import "slices"

// A span is where in the buffer a field of a message stands.
type span struct {
	field      *field
	start, end int
}

// taken reports whether another field of the same oneof has been written of the
// message whose spans begin at base.
func (w *writer) taken(base int, f *field) bool {
	for _, x := range w.spans[base:] {
		if f.oneof != 0 && x.field.oneof == f.oneof && x.field != f {
			return true
		}
	}
	return false
}

// drop cuts out what has been written of f for that message, since of duplicates
// the last wins, and wire bytes would add up.
func (w *writer) drop(base int, f *field) {
	i := slices.IndexFunc(w.spans[base:], func(x span) bool { return x.field == f })
	if i < 0 {
		return
	}
	x := w.spans[base+i]
	n := x.end - x.start
	w.buf = slices.Delete(w.buf, x.start, x.end)
	w.spans = slices.Delete(w.spans, base+i, base+i+1)
	for k := base; k < len(w.spans); k++ {
		if s := &w.spans[k]; s.start >= x.end {
			s.start -= n
			s.end -= n
		}
	}
}
