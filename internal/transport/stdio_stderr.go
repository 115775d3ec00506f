package transport

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"time"
)

const (
	// stderrBytes is how much of stderr is kept.
	stderrBytes = 64 << 10
	// stderrLines is how many lines of stderr are logged per second.
	stderrLines = 20
	// detailBytes is how much of stderr goes into an [Error].
	detailBytes = 400
)

// readStderr is the goroutine that reads stderr: always and to the end, since a
// child blocks once the pipe is full. That something is written there is no
// error (spec 2025-11-25, basic/transports#stdio).
func (c *stdioConn) readStderr() {
	var w io.Writer = c.stderr
	if c.log.Enabled(context.Background(), slog.LevelDebug) {
		lines := &lineLogger{log: c.log, quota: quota{max: stderrLines, window: time.Second}}
		defer lines.flush()
		w = io.MultiWriter(w, lines)
	}
	_, _ = io.Copy(w, c.proc.stderr)
}

// A lineLogger logs text by the line, cut to length and only so many lines.
type lineLogger struct {
	log   *slog.Logger
	quota quota

	line       []byte // the start of a line whose end is still to come
	suppressed int
}

// Write never fails.
func (l *lineLogger) Write(p []byte) (int, error) {
	n := len(p)
	for {
		text, rest, found := bytes.Cut(p, []byte("\n"))
		l.line = append(l.line, text[:min(len(text), quotedBytes-len(l.line))]...)
		if !found {
			return n, nil
		}
		l.flush()
		p = rest
	}
}

// flush logs the current line unless it is empty.
func (l *lineLogger) flush() {
	line := bytes.TrimRight(l.line, "\r")
	l.line = l.line[:0]
	switch {
	case len(line) == 0:
	case !l.quota.take(time.Now()):
		l.suppressed++
	default:
		l.log.Debug("stderr of stdio server", "line", quote(line), "suppressed", l.suppressed)
		l.suppressed = 0
	}
}
