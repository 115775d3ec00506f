package transport

import (
	"bytes"
	"strings"
	"sync"
)

// A ring keeps the last bytes that were written to it. Its methods may be
// called concurrently.
type ring struct {
	size int

	// mu guards the fields below. buf grows up to size; from then on at is the
	// index of its oldest byte.
	mu  sync.Mutex
	buf []byte
	at  int
}

func newRing(size int) *ring { return &ring{size: size} }

// Write keeps p, or its end if p is larger than the ring. It never fails.
func (r *ring) Write(p []byte) (int, error) {
	n := len(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	p = p[max(0, n-r.size):]
	room := min(r.size-len(r.buf), len(p))
	r.buf = append(r.buf, p[:room]...)
	for p = p[room:]; len(p) > 0; {
		k := copy(r.buf[r.at:], p)
		p = p[k:]
		r.at = (r.at + k) % r.size
	}
	return n, nil
}

// tail returns the last n bytes, or what there is.
func (r *ring) tail(n int) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = min(n, len(r.buf))
	out := make([]byte, 0, n)
	if n > r.at {
		out = append(out, r.buf[len(r.buf)-(n-r.at):]...)
	}
	return append(out, r.buf[r.at-min(n, r.at):r.at]...)
}

// lastLines returns the last lines that fit into n bytes, whole lines where at
// least one fits, as valid UTF-8.
func (r *ring) lastLines(n int) string {
	text := bytes.TrimRight(r.tail(r.size), "\r\n\t ")
	if len(text) > n {
		text = text[len(text)-n-1:]
		// Without a break the last line is longer than n, and loses its start.
		text = text[max(1, bytes.IndexByte(text, '\n')+1):]
	}
	return strings.ToValidUTF8(string(text), "\uFFFD")
}
