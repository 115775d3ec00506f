package gateway

import (
	"net/http"
	"sync"
	"time"
)

// A heartbeat writes an event stream, and a comment whenever there was no event
// for an interval. It takes each Write for one or more whole events.
type heartbeat struct {
	http.ResponseWriter
	interval time.Duration

	mu      sync.Mutex  // guards the writer and what follows
	timer   *time.Timer // nil before the first event
	stopped bool
}

// Write writes whole events.
func (h *heartbeat) Write(events []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.Header().Get("Content-Type") == typeEvents && len(events) > 0 {
		h.rewindLocked()
	}
	return h.ResponseWriter.Write(events)
}

// FlushError makes the heartbeat an http.Flusher to http.ResponseController.
func (h *heartbeat) FlushError() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return http.NewResponseController(h.ResponseWriter).Flush()
}

func (h *heartbeat) rewindLocked() {
	if h.timer == nil {
		h.timer = time.AfterFunc(h.interval, h.beat)
		return
	}
	h.timer.Reset(h.interval)
}

func (h *heartbeat) beat() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return
	}
	if _, err := h.ResponseWriter.Write([]byte(": keep-alive\n\n")); err != nil {
		return // the handler will learn of it by its context
	}
	_ = http.NewResponseController(h.ResponseWriter).Flush() // likewise
	h.rewindLocked()
}

// stop ends it. No comment is being written when it returns.
func (h *heartbeat) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	if h.timer != nil {
		h.timer.Stop()
	}
}
