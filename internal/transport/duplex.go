package transport

import (
	"context"
	"fmt"
	"slices"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

// requestBytes is what a request takes beside its method and its params.
const requestBytes = 64

// A duplex is a stream that messages also go out on one after the other: a pipe
// or a socket, which one goroutine writes to from an outbox, so that no caller
// waits for it any longer than the caller wants.
type duplex struct {
	*stream

	out *outbox
	// frame turns a message, which it may change, into what is written.
	frame func(msg []byte) ([]byte, error)
}

// RoundTrip implements [Transport].
func (d *duplex) RoundTrip(ctx context.Context, req *Request) (*Response, error) {
	if ctx.Err() != nil {
		return nil, canceled(ctx, NotSent)
	}
	w, err := d.calls.add(req.ID)
	if err != nil {
		return nil, err
	}
	err = d.queue(outgoing{waiter: w, onSend: req.OnSend}, requestBytes+len(req.Method)+len(req.Params),
		func(dst []byte) []byte { return jsonrpc.AppendRequest(dst, req.ID, req.Method, req.Params) })
	if err != nil {
		d.calls.remove(req.ID)
		return nil, err
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		if d.calls.remove(req.ID) {
			d.out.withdraw(w)
			delivery := w.delivery()
			if delivery != NotSent {
				req.canceled(context.WithoutCancel(ctx))
			}
			return nil, canceled(ctx, delivery)
		}
		<-w.done
	}
	return w.result()
}

// Send implements [Transport]. A message is handed over when the pipe or socket
// has it.
func (d *duplex) Send(ctx context.Context, msg *Message) error {
	if ctx.Err() != nil {
		return canceled(ctx, NotSent)
	}
	w := newWaiter()
	m := outgoing{waiter: w, ack: true}
	err := d.queue(m, len(msg.Body), func(dst []byte) []byte { return append(dst, msg.Body...) })
	if err != nil {
		return err
	}
	select {
	case <-w.done:
		_, err := w.result()
		return err
	case <-ctx.Done():
		d.out.withdraw(w)
		return canceled(ctx, w.delivery())
	}
}

// queue puts m in the outbox with the message that build appends, of about size
// bytes.
func (d *duplex) queue(m outgoing, size int, build func(dst []byte) []byte) error {
	size++ // the line break of a line
	buf, err := d.out.reserve(size)
	if err != nil {
		return err
	}
	m.line, err = d.frame(build(slices.Grow(buf, size)))
	if err != nil {
		d.out.release(size)
		return &Error{Kind: KindProtocol, Err: fmt.Errorf("frame message: %w", err)}
	}
	return d.out.put(m, size)
}

// finish is the stream's, after which nothing more is sent. The outbox comes
// first: what it still gave away would be sent, and said not to have been.
func (d *duplex) finish(e *Error) bool {
	d.out.close(e)
	return d.stream.finish(e)
}
