package http1

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/net/http/httpguts"
)

// bufferBytes is what is read of a connection at once. The heads of most
// responses, and many whole responses, are smaller.
const bufferBytes = 4 << 10

// streamBytes is the same while a connection carries the answer to a GET, which
// is an event stream, and most of the time nothing.
const streamBytes = 512

// A conn is a connection. It belongs to one request at a time, until the body of
// the response is read or closed.
type conn struct {
	t       *Transport
	address string
	nc      net.Conn
	r       *bufio.Reader
	probe   *Probe
	// out is the memory for requests.
	out []byte
	// since is when it became idle; guarded by the pool's mu.
	since time.Time

	// What follows belongs to the request under way.

	ctx context.Context //nolint:containedctx // that of the request
	// stop ends the watch over ctx, and reports whether ctx has not ended it.
	stop func() bool
}

func newConn(t *Transport, address string, nc net.Conn) *conn {
	return &conn{t: t, address: address, nc: nc, r: bufio.NewReaderSize(nc, bufferBytes), probe: NewProbe(nc)}
}

// begin takes the connection for a request. It is torn down when ctx ends.
func (c *conn) begin(ctx context.Context) {
	if c.r.Size() < bufferBytes {
		c.r = bufio.NewReaderSize(c.nc, bufferBytes)
	}
	c.ctx = ctx
	c.stop = context.AfterFunc(ctx, c.close)
}

// slim gives up most of the connection's memory until the next request.
func (c *conn) slim() {
	if c.r.Buffered() == 0 {
		c.r, c.out = bufio.NewReaderSize(c.nc, streamBytes), nil
	}
}

// end gives the connection back, or closes it if it can carry no other request.
func (c *conn) end(reusable bool) {
	if stopped := c.stop(); stopped && reusable {
		c.ctx, c.stop = nil, nil
		c.t.keep(c)
		return
	}
	c.close()
}

// fail ends a request that went wrong. What went wrong because its context has
// ended is that.
func (c *conn) fail(err error) error {
	c.end(false)
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	return err
}

func (c *conn) close() { _ = c.nc.Close() }

// send writes the request, head and body in one piece, and returns how much of
// it was taken.
func (c *conn) send(req *http.Request, body []byte) (int, error) {
	out, err := appendHead(c.out[:0], req, len(body))
	if err != nil {
		return 0, err
	}
	out = append(out, body...)
	c.out = out
	wroteHeaders(c.ctx)
	n, err := c.nc.Write(c.out)
	if cap(c.out) > bufferBytes {
		c.out = nil // not worth holding on to
	}
	return n, err
}

// appendHead appends the head of the request.
func appendHead(b []byte, req *http.Request, length int) ([]byte, error) {
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	target := req.URL.RequestURI()
	if !httpguts.ValidHostHeader(host) || !validTarget(target) {
		return nil, fmt.Errorf("%w: host %.80q, path %.80q", errUnsendable, host, target)
	}
	b = append(b, req.Method...)
	b = append(b, ' ')
	b = append(b, target...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, host...)
	b = append(b, "\r\n"...)
	for name, values := range req.Header {
		if name == "Content-Length" || name == "Host" {
			continue
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(v) {
				return nil, fmt.Errorf("%w: header %.80q", errUnsendable, name)
			}
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, v...)
			b = append(b, "\r\n"...)
		}
	}
	if length > 0 || req.Method == http.MethodPost {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(length), 10)
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...), nil
}

// validTarget reports whether a request target has nothing that ends it early.
func validTarget(target string) bool {
	for i := range len(target) {
		if target[i] <= ' ' || target[i] == 0x7f {
			return false
		}
	}
	return true
}
