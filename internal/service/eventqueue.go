package service

import (
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
// counted, the newest first: the order of what is left stays.
type eventQueue struct {
	// mu guards what follows.
	mu      sync.Mutex
	events  []jsonrpc.Message
	bytes   int
	dropped int64
	closed  bool

	// wake holds a token while there may be something new.
	wake chan struct{}
	done chan struct{}
}

func newEventQueue() *eventQueue {
	return &eventQueue{wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// add queues an event. It never blocks.
func (q *eventQueue) add(msg jsonrpc.Message) {
	q.mu.Lock()
	if len(q.events) < maxQueuedEvents && q.bytes+len(msg.Params) <= maxQueuedBytes {
		q.events = append(q.events, msg)
		q.bytes += len(msg.Params)
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
	close(q.done)
}

// wait returns once close has been called.
func (q *eventQueue) wait() { <-q.done }

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
			q.bytes -= len(msg.Params)
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
