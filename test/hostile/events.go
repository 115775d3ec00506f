package hostile

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// eventOutlet answers a POST with an event stream that begins with the first
// message. A modern request whose first answer is an error gets that instead, as
// JSON with a status (spec 2026-07-28, basic/transports/streamable-http).
type eventOutlet struct {
	modern   bool
	bytewise bool

	mu   sync.Mutex // held while writing
	w    http.ResponseWriter
	open bool
}

func (o *eventOutlet) send(message []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if status := modernStatus(message); o.modern && !o.open && status != 0 {
		o.open = true
		writeJSON(o.w, status, message)
		return nil
	}
	return o.writeLocked(event("", string(message)))
}

// modernStatus returns the HTTP status that an error goes with, or 0.
func modernStatus(message []byte) int {
	switch text := string(message); {
	case strings.Contains(text, `"error":{"code":-32601`):
		return http.StatusNotFound
	case strings.Contains(text, `"error":{"code":-32602`), strings.Contains(text, `"error":{"code":-32022`):
		return http.StatusBadRequest
	default:
		return 0
	}
}

func (o *eventOutlet) raw(data []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.writeLocked(data)
}

func (o *eventOutlet) writeLocked(data []byte) error {
	if !o.open {
		o.open = true
		beginEvents(o.w)
	}
	return writeTo(flushing{o.w}, data, o.bytewise)
}

func (o *eventOutlet) hang(ctx context.Context) { <-ctx.Done() }

func beginEvents(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush() // fails only if the client is gone, which the next write shows
}

// event returns one event of type message. fields are further lines, each with
// its line feed.
func event(fields, data string) []byte {
	return fmt.Appendf(nil, "%sevent: message\ndata: %s\n\n", fields, data)
}

// flushing sends every write on its way at once.
type flushing struct {
	http.ResponseWriter
}

func (f flushing) Write(data []byte) (int, error) {
	n, err := f.ResponseWriter.Write(data)
	if err != nil {
		return n, err
	}
	return n, http.NewResponseController(f.ResponseWriter).Flush()
}

// discard is the outlet of messages that have no answer.
type discard struct{}

func (discard) send([]byte) error    { return nil }
func (discard) raw([]byte) error     { return nil }
func (discard) hang(context.Context) {}
