package http1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"sync"
)

// maxTrailers bounds the fields behind a chunked body, which nobody reads.
const maxTrailers = 64

// A body is the body of a response. When it has been read to its end, or is
// closed, its connection is given up: kept for another request after the end,
// closed before. Read and Close may be called from different goroutines.
type body struct {
	c *conn
	// r is where the body comes from.
	r io.Reader
	// left is what is left of a body of known length; -1: not known.
	left     int64
	reusable bool

	mu   sync.Mutex // guards over
	over bool
	// trailers: behind the end of r there are trailers to be read.
	trailers bool
}

// sized makes it a body of n bytes.
func (b *body) sized(resp *http.Response, n int64) {
	resp.ContentLength, b.left = n, n
	if n == 0 {
		b.finish(true)
	}
}

// chunked makes it a body that comes in chunks.
func (b *body) chunked() {
	b.trailers = true
	b.r = httputil.NewChunkedReader(b.c.r)
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	if b.isOver() {
		return 0, io.EOF
	}
	if b.left >= 0 && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	if b.left > 0 {
		b.left -= int64(n)
	}
	switch {
	case b.left == 0:
		err = io.EOF
	case errors.Is(err, io.EOF) && b.left > 0:
		err = io.ErrUnexpectedEOF
	case errors.Is(err, io.EOF) && b.trailers:
		err = b.skipTrailers()
	}
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		b.finish(true)
		return n, io.EOF
	}
	return n, b.fail(err)
}

// skipTrailers reads what is behind the last chunk, and returns io.EOF.
func (b *body) skipTrailers() error {
	left := b.c.t.headerBytes()
	for range maxTrailers {
		line, err := b.c.line(&left)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			return io.EOF
		}
	}
	return fmt.Errorf("%w: more than %d trailers", ErrMalformed, maxTrailers)
}

// fail ends the body before its end.
func (b *body) fail(err error) error {
	ctx := b.c.ctx
	b.finish(false)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (b *body) isOver() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.over
}

// finish gives the connection up, once.
func (b *body) finish(whole bool) {
	b.mu.Lock()
	first := !b.over
	b.over = true
	b.mu.Unlock()
	if first {
		b.c.end(whole && b.reusable && b.c.r.Buffered() == 0)
	}
}

// Close implements [io.Closer].
func (b *body) Close() error {
	b.finish(false)
	return nil
}
