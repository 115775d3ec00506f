package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// A stream is the way in of a transport on which all messages of the server's
// come one after the other, so that answers are found by their id, and the end
// of that transport. Its methods may be called concurrently, except that handle
// is for the reading goroutine.
type stream struct {
	receive Receiver
	depth   int
	calls   *pending
	noise   *noise
	done    chan struct{}

	// mu guards end, which is set once, before done is closed.
	mu  sync.Mutex
	end *Error
}

func newStream(r Receiver, depth int, log *slog.Logger, n *noise) *stream {
	return &stream{receive: r, depth: depth, calls: newPending(log), noise: n, done: make(chan struct{})}
}

// Done implements [Transport].
func (s *stream) Done() <-chan struct{} { return s.done }

// Err implements [Transport].
func (s *stream) Err() error {
	if e := s.ending(); e != nil && e.Kind != KindClosed {
		return e
	}
	return nil
}

// ending returns what the transport ended with, nil while it has not.
func (s *stream) ending() *Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end
}

// finish ends the transport with e, once: whoever waits is told, and Done is
// closed. It reports whether this was the end.
func (s *stream) finish(e *Error) bool {
	s.mu.Lock()
	first := s.end == nil
	if first {
		s.end = e
	}
	s.mu.Unlock()
	if first {
		s.calls.close(e)
		close(s.done)
	}
	return first
}

func (s *stream) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// Listen implements [Transport].
func (s *stream) Listen(ctx context.Context, opened func(resumed bool)) error {
	if ctx.Err() != nil {
		return canceled(ctx, NotSent)
	}
	if e := s.ending(); e != nil {
		return notSent(e)
	}
	opened(false)
	select {
	case <-s.done:
		return notSent(s.ending())
	case <-ctx.Done():
		return canceled(ctx, NotSent)
	}
}

// handle takes text that holds a message or a batch; the text becomes part of
// the messages. What cannot be read fails the call that it answers, as far as
// that can be told, and is passed to skip otherwise.
func (s *stream) handle(text []byte, skip func(text []byte, err error)) {
	err := jsonrpc.ParseAll(text, s.depth, s.dispatch, func(err error) { skip(text, err) })
	if err == nil {
		return
	}
	kind := KindProtocol
	if errors.Is(err, rawjson.ErrDepth) {
		kind = KindLimit
	}
	var sniff sniffer
	sniff.feed(text)
	id, ok := sniff.response()
	if !ok || !s.calls.fail(id, &Error{Kind: kind, Err: fmt.Errorf("read response: %w", err)}) {
		skip(text, err)
	}
}

func (s *stream) dispatch(m jsonrpc.Message) {
	if m.IsResponse() {
		s.calls.deliver(m)
	} else {
		s.receive(m, 0)
	}
}

// A noise counts and logs what comes on a stream and is not MCP. It belongs to
// the reading goroutine.
type noise struct {
	log   *slog.Logger
	quota quota
	total int
}

func newNoise(log *slog.Logger, perMinute int) *noise {
	return &noise{log: log, quota: quota{max: perMinute, window: time.Minute}}
}

// skip reports false when there is too much.
func (n *noise) skip(text []byte, err error) bool {
	n.total++
	if !n.quota.take(time.Now()) {
		return false
	}
	n.log.Warn("not an MCP message, skipped", "line", quote(text), "error", err)
	return true
}

// tooMuch is the cause of the end of a stream that held too much else.
func (n *noise) tooMuch() error {
	return fmt.Errorf("more than %d messages within a minute that are not MCP", n.quota.max)
}
