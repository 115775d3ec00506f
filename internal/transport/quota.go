package transport

import (
	"strconv"
	"time"
)

// A quota allows so many events within a window of time. A window starts with
// the first event after the end of the one before.
type quota struct {
	max    int
	window time.Duration

	start time.Time
	used  int
}

// take counts one event and reports whether it is within the quota.
func (q *quota) take(now time.Time) bool {
	if q.used == 0 || now.Sub(q.start) >= q.window {
		q.start, q.used = now, 0
	}
	q.used++
	return q.used <= q.max
}

// quotedBytes is how much of a foreign text goes into one log attribute.
const quotedBytes = 1 << 10

// quote makes foreign text fit for a log: one line, printable, of bounded size.
func quote[T ~[]byte](b T) string {
	return strconv.Quote(string(b[:min(len(b), quotedBytes)]))
}
