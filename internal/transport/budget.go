package transport

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// A limitError says which limit was gone over.
type limitError struct {
	what  string
	limit int64
}

func (e *limitError) Error() string { return fmt.Sprintf("%s is over %d bytes", e.what, e.limit) }

// unlimited is the limit of a budget without one.
const unlimited = math.MaxInt64 / 2

// A budget reads from r and fails with a [*limitError] at the first byte past
// its limit. It is for one goroutine.
type budget struct {
	r     io.Reader
	limit int64
	used  int64
}

func (b *budget) Read(p []byte) (int, error) {
	// One byte more than is left tells a reply that is too long from one that
	// ends exactly at the limit.
	if left := b.limit - b.used; int64(len(p)) > left+1 {
		p = p[:left+1]
	}
	n, err := b.r.Read(p)
	b.used += int64(n)
	if over := b.used - b.limit; over > 0 {
		b.used = b.limit
		return n - int(over), &limitError{"all that was read for the call", b.limit}
	}
	return n, err
}

// How the buffer for a body grows: to what the server announced, but never to
// more than bodyTrust times what has come of it.
const (
	bodyStart = 1 << 10 // if nothing was announced
	bodyFirst = 128 << 10
	bodyTrust = 16
)

// readBody reads r to its end. size is what the server announced, -1 if
// nothing. More than limit bytes are a [*limitError].
func readBody(r io.Reader, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, &limitError{"the body", limit}
	}
	// The spare byte lets the last Read see the end of the body, after which
	// the connection is free for the next request.
	first := int64(bodyStart)
	if size >= 0 {
		first = min(size, bodyFirst) + 1
	}
	buf := make([]byte, 0, first)
	for {
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, grownBody(int64(len(buf)), size)), buf...)
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return nil, &limitError{"the body", limit}
		}
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// grownBody returns the capacity for a body of which got bytes have come.
func grownBody(got, size int64) int64 {
	if got >= size {
		return 2 * got
	}
	return min(size+1, bodyTrust*got)
}
