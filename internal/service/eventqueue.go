package service

import (
	"bytes"
	"strings"
	"sync"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

// The bounds of an event queue.
const (
	maxQueuedEvents = 256
	maxQueuedBytes  = 1 << 20
)

// An eventQueue stands between a connection, whose reader must not wait, and a
// caller, who may read as slowly as it likes. What does not fit is dropped and
// counted, and so is what comes after it, until the caller has been told of the
// gap: what is left stays in order, and the gap is where it belongs.
type eventQueue struct {
	// mu guards what follows.
	mu      sync.Mutex
	events  []jsonrpc.Message
	bytes   int
	dropped int64
	closed  bool

	// wake holds a token while there may be something new.
	wake chan struct{}
}

func newEventQueue() *eventQueue {
	return &eventQueue{wake: make(chan struct{}, 1)}
}

// add queues an event. It never blocks.
func (q *eventQueue) add(msg jsonrpc.Message) {
	size := len(msg.Method) + len(msg.Params)
	q.mu.Lock()
	if q.dropped == 0 && len(q.events) < maxQueuedEvents && q.bytes+size <= maxQueuedBytes {
		// What is queued must not hold on to the line that it came on.
		msg.Method, msg.Params = strings.Clone(msg.Method), bytes.Clone(msg.Params)
		q.events = append(q.events, msg)
		q.bytes += size
	} else {
		q.dropped++
	}
	q.mu.Unlock()
	q.signal()
}

// close says that there will be no more events.
func (q *eventQueue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}

func (q *eventQueue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// next waits for an event. dropped counts those lost before it, to be told
// first. After the last event it returns more = false. It is for one reader.
func (q *eventQueue) next() (msg jsonrpc.Message, dropped int64, more bool) {
	for {
		q.mu.Lock()
		if len(q.events) > 0 {
			msg = q.events[0]
			q.events = q.events[1:]
			q.bytes -= len(msg.Method) + len(msg.Params)
			q.mu.Unlock()
			return msg, 0, true
		}
		dropped, q.dropped = q.dropped, 0
		closed := q.closed
		q.mu.Unlock()
		if dropped > 0 || closed {
			return msg, dropped, !closed
		}
		<-q.wake
	}
}
