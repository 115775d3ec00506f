package convert

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
