package gateway

import (
	"net/http"
	"time"
)

// pieceBytes is how much of a response a client has to take in one go.
const pieceBytes = 256 << 10

// A pacer writes a response to a client that has to take each piece of it
// within a limit. Else clients that have vanished, or that read nothing, would
// hold responses and streams for good: http.Server.WriteTimeout is no help
// where a call may take minutes.
type pacer struct {
	http.ResponseWriter
	limit time.Duration
}

// Write writes p in pieces.
func (w *pacer) Write(p []byte) (written int, err error) {
	for len(p) > 0 && err == nil {
		var n int
		w.hurry()
		n, err = w.ResponseWriter.Write(p[:min(len(p), pieceBytes)])
		written += n
		p = p[n:]
	}
	return written, err
}

// FlushError makes the pacer an http.Flusher to http.ResponseController. There
// is no limit on the time to the next event, which the server takes.
func (w *pacer) FlushError() error {
	w.hurry()
	rc := http.NewResponseController(w.ResponseWriter)
	if err := rc.Flush(); err != nil {
		return err
	}
	_ = rc.SetWriteDeadline(time.Time{}) // as in hurry
	return nil
}

// hurry starts the limit. A writer that knows no deadlines is no connection.
func (w *pacer) hurry() {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.limit))
}
