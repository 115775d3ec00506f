// Package queue stands between those who must not wait and those who may take
// their time: a bounded queue that drops what does not fit, and says so in the
// place where it is missing.
package queue

import (
	"context"
	"errors"
	"sync"
)

// The bounds of a queue of events.
const (
	DefaultItems = 256
	DefaultBytes = 1 << 20
)

// The bounds of what is kept. A single item may be of any size.
const (
	maxKept      = 256
	maxKeptBytes = 8 << 20
)

// ErrSlow is what a queue is closed with when its reader does not take what may
// not be dropped.
var ErrSlow = errors.New("the reader is too slow")

// A Queue is a bounded queue of one reader and any number of writers. What does
// not fit is dropped and counted, and so is what comes after it until the
// reader has been told: what is left stays in order, and the gap is where it
// belongs. An empty queue holds no memory to speak of.
type Queue[T any] struct {
	maxItems, maxBytes int
	// wake holds a token while there may be something new.
	wake chan struct{}

	// mu guards what follows.
	mu      sync.Mutex
	entries []entry[T]
	bytes   int
	// kept and keptBytes are of those entries that are kept whatever the bounds
	// say.
	kept, keptBytes int
	// lost counts what was dropped after the last entry.
	lost int64
	// end is what the reader gets after the last entry; nil while there may be
	// more.
	end error
}

type entry[T any] struct {
	item T
	size int
	kept bool
	// lost counts what was dropped before it.
	lost int64
}

// New returns a queue of at most that many items and bytes.
func New[T any](maxItems, maxBytes int) *Queue[T] {
	return &Queue[T]{maxItems: maxItems, maxBytes: maxBytes, wake: make(chan struct{}, 1)}
}

// Add queues an item of that many bytes, or drops it. It never blocks.
func (q *Queue[T]) Add(item T, size int) {
	q.mu.Lock()
	switch {
	case q.end != nil:
	case q.lost == 0 && len(q.entries) < q.maxItems && q.bytes+size <= q.maxBytes:
		q.pushLocked(entry[T]{item: item, size: size})
	default:
		q.lost++
	}
	q.mu.Unlock()
	q.signal()
}

// Skip counts an item as dropped. It never blocks.
func (q *Queue[T]) Skip() {
	q.mu.Lock()
	if q.end == nil {
		q.lost++
	}
	q.mu.Unlock()
	q.signal()
}

// Keep queues an item that must not be dropped, whatever the bounds say, and
// reports whether it has. It never blocks. When too many such items wait, or too
// large ones, it closes the queue with [ErrSlow] instead.
func (q *Queue[T]) Keep(item T, size int) bool {
	q.mu.Lock()
	if q.end == nil && q.kept > 0 && (q.kept >= maxKept || q.keptBytes+size > maxKeptBytes) {
		q.end = ErrSlow
	}
	open := q.end == nil
	if open {
		q.pushLocked(entry[T]{item: item, size: size, kept: true})
		q.kept++
		q.keptBytes += size
	}
	q.mu.Unlock()
	q.signal()
	return open
}

func (q *Queue[T]) pushLocked(e entry[T]) {
	e.lost, q.lost = q.lost, 0
	q.entries = append(q.entries, e)
	q.bytes += e.size
}

// Close says that there will be no more items: after those that are queued, the
// reader gets err, which must not be nil. Only the first Close counts.
func (q *Queue[T]) Close(err error) {
	q.mu.Lock()
	if q.end == nil {
		q.end = err
	}
	q.mu.Unlock()
	q.signal()
}

func (q *Queue[T]) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Next waits for an item. If any were dropped before it, it returns their
// number alone first. Its error is the cause of ctx's end, or what the queue
// was closed with.
func (q *Queue[T]) Next(ctx context.Context) (item T, dropped int64, err error) {
	for {
		item, dropped, ok, err := q.pop()
		if ok {
			return item, dropped, err
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
			return item, 0, context.Cause(ctx)
		}
	}
}

// pop returns what Next returns; ok says that it need not wait for that.
func (q *Queue[T]) pop() (item T, dropped int64, ok bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lost := &q.lost
	if len(q.entries) > 0 {
		lost = &q.entries[0].lost
	}
	if dropped, *lost = *lost, 0; dropped > 0 {
		return item, dropped, true, nil
	}
	if len(q.entries) == 0 {
		return item, 0, q.end != nil, q.end
	}
	first := q.entries[0]
	q.entries[0] = entry[T]{} // for the garbage collector
	q.entries = q.entries[1:]
	q.bytes -= first.size
	if first.kept {
		q.kept--
		q.keptBytes -= first.size
	}
	if len(q.entries) == 0 {
		q.entries = nil
	}
	return first.item, 0, true, nil
}
