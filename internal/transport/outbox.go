package transport

import (
	"fmt"
	"slices"
	"sync"
)

const (
	// batchBytes bounds what goes out in one write unless a single message is
	// larger. It is what a pipe holds: more would not go out any sooner, and
	// what has been taken can no longer be withdrawn.
	batchBytes = 64 << 10
	// spareBuffers and spareBytes bound the buffers that are kept for reuse.
	spareBuffers = 64
	spareBytes   = 16 << 10
)

// An outgoing is one message on its way out.
type outgoing struct {
	waiter *waiter
	// line is the message as it is written: on stdio, with its line break.
	line []byte
	// onSend is called before the first byte is written; it may be nil.
	onSend func()
	// ack ends the waiter as soon as the line is written; without it the waiter
	// waits for a response.
	ack bool
}

// An outbox is the bounded queue between any number of callers and one writer.
type outbox struct {
	maxMessages, maxBytes int
	// wake holds a token while there may be something to take.
	wake chan struct{}

	// mu guards the fields below. messages and bytes include what is reserved.
	mu              sync.Mutex
	queue           []outgoing
	messages, bytes int
	spare           [][]byte
	closed          *Error
}

func newOutbox(maxMessages, maxBytes int) *outbox {
	return &outbox{maxMessages: maxMessages, maxBytes: maxBytes, wake: make(chan struct{}, 1)}
}

// reserve makes room for a line of about size bytes, for put to fill or release
// to give back, and returns an empty buffer for it. It refuses with [KindLimit]
// when the queue is full. Room is reserved before a line is built, so that the
// bounds hold for lines that are being built too.
func (o *outbox) reserve(size int) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed != nil:
		return nil, notSent(o.closed)
	case o.messages >= o.maxMessages || size > o.maxBytes-o.bytes:
		return nil, &Error{Kind: KindLimit, Err: fmt.Errorf(
			"queue a message of %d bytes: %d messages of %d bytes are waiting to be written",
			size, o.messages, o.bytes)}
	}
	o.messages++
	o.bytes += size
	last := len(o.spare) - 1
	if last < 0 {
		return nil, nil
	}
	b := o.spare[last]
	o.spare = o.spare[:last]
	return b[:0], nil
}

func (o *outbox) release(size int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.messages--
	o.bytes -= size
}

// put queues m in the room of reserved bytes.
func (o *outbox) put(m outgoing, reserved int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed != nil {
		return notSent(o.closed)
	}
	o.queue = append(o.queue, m)
	o.bytes += len(m.line) - reserved
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return nil
}

// withdraw removes the message of w unless the writer has taken it. Either way
// w's delivery is final afterwards, except that Unknown may turn into NotSent.
func (o *outbox) withdraw(w *waiter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, m := range o.queue {
		if m.waiter == w {
			o.queue = slices.Delete(o.queue, i, i+1)
			o.messages--
			o.bytes -= len(m.line)
			o.recycleLocked(m.line)
			return
		}
	}
}

// take moves what fits into one write from the queue to batch, oldest first,
// and marks it as sent. Nothing is taken after close.
func (o *outbox) take(batch []outgoing) []outgoing { return o.takeUpTo(batch, batchBytes) }

// takeUpTo is take for messages of at most limit bytes together; a message that
// is larger goes alone. With a limit of 0 all do.
func (o *outbox) takeUpTo(batch []outgoing, limit int) []outgoing {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed != nil {
		return batch
	}
	size := 0
	for _, m := range o.queue {
		if size += len(m.line); size > limit && len(batch) > 0 {
			break
		}
		m.waiter.sent.Store(true)
		o.messages--
		o.bytes -= len(m.line)
		batch = append(batch, m)
	}
	left := copy(o.queue, o.queue[len(batch):])
	clear(o.queue[left:])
	o.queue = o.queue[:left]
	return batch
}

// written ends the waiters that waited for the write of batch and nothing else.
func (o *outbox) written(batch []outgoing) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range batch {
		if m.ack {
			m.waiter.succeed(Response{})
		}
		o.recycleLocked(m.line)
	}
}

// broke settles a batch whose write ended after n bytes, the last write of all.
// It returns the waiter whose line was begun but not ended, nil if there is
// none. Messages that wait for no response stay until close says what happened.
func (o *outbox) broke(batch []outgoing, n int) (torn *waiter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range batch {
		switch {
		case n <= 0:
			m.waiter.sent.Store(false)
		case n < len(m.line):
			torn = m.waiter
		case m.ack:
			m.waiter.succeed(Response{})
		}
		n -= len(m.line)
		switch {
		case !m.ack:
		case o.closed != nil:
			m.waiter.fail(o.closed)
		default:
			o.queue = append(o.queue, m)
		}
	}
	return torn
}

// close fails the messages that wait for no response (a table of pending
// requests ends the others), refuses further ones, and keeps the writer from
// taking any. Only the first close counts.
func (o *outbox) close(e *Error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed != nil {
		return
	}
	o.closed = e
	for _, m := range o.queue {
		if m.ack {
			m.waiter.fail(e)
		}
	}
	o.queue, o.spare = nil, nil
}

func (o *outbox) recycleLocked(line []byte) {
	if len(o.spare) < spareBuffers && cap(line) <= spareBytes && o.closed == nil {
		o.spare = append(o.spare, line)
	}
}
