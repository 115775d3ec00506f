package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// listenID is the id of the GET stream among the pending calls. There is one at
// most: a server sends each message on one stream only, and some refuse a
// second GET.
const listenID = 0

var (
	errListening   = errors.New("the GET stream is being listened to")
	errNoHandshake = errors.New("the GET stream comes after the handshake of a legacy session")
)

// Listen implements [Transport] with a GET stream (spec 2025-11-25,
// basic/transports#listening-for-messages-from-the-server).
func (t *httpTransport) Listen(ctx context.Context, opened func(resumed bool)) error {
	if !t.legacy.Load() {
		return &Error{Kind: KindProtocol, Delivery: NotSent, Err: errNoHandshake}
	}
	c := &httpCall{t: t, id: listenID, endless: true, session: t.session.Load(), version: t.headers.version()}
	callCtx, err := t.begin(ctx, c)
	if err != nil {
		return err
	}
	defer t.end(c)
	err = c.listen(callCtx, opened)
	if lost := t.Err(); lost != nil {
		return lost
	}
	return c.failure(ctx, err)
}

// listening reports whether there is a GET stream, or will be again.
func (t *httpTransport) listening() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pending.get(listenID) != nil
}

// listen reads GET streams, one after the other.
func (c *httpCall) listen(ctx context.Context, opened func(resumed bool)) error {
	events := newSSEReader(&c.in, c.t.dialer.cfg.Limits.MessageBytes)
	events.first = sseQuietBuffer
	back := &comeback{policy: c.t.dialer.cfg.Reconnect, events: events, before: c.t.heard.Load()}
	for {
		err := c.hear(ctx, back, opened)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if refused, ok := errors.AsType[*Error](err); ok {
			if err := back.refused(refused); err != nil {
				return err
			}
		} else {
			back.ended()
		}
		wait, _ := back.next()
		c.t.dialer.cfg.Logger.DebugContext(ctx, "GET stream ended", "error", err, "wait", wait)
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// hear reads a GET stream to its end. If there is none, the error is an [*Error].
func (c *httpCall) hear(ctx context.Context, back *comeback, opened func(resumed bool)) error {
	resp, err := c.reopenAside(ctx, back.id)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	c.listened = true
	c.t.heard.Store(true)
	back.began()
	back.events.Reset(&c.in)
	opened(back.id != "")
	for {
		// A response that nobody waits for changes nothing, and neither does one
		// that cannot be read.
		_, err := c.event(back.events)
		if _, ok := errors.AsType[*protocolError](err); err == nil || ok {
			continue
		}
		if _, ok := errors.AsType[*limitError](err); ok {
			c.t.dialer.cfg.Logger.WarnContext(ctx, "GET stream has a message that is too long", "error", err)
			// It would be the first to come again.
			back.events.Forget()
		}
		return err
	}
}

// reopenAside is reopen on a goroutine of its own. What it takes of the stack
// would stay with one that then waits for hours: half of 8 KiB.
func (c *httpCall) reopenAside(ctx context.Context, lastID string) (resp *http.Response, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		resp, err = c.reopen(ctx, lastID) //nolint:bodyclose // whoever is given the response closes it
	}()
	<-done
	return resp, err
}

// refused takes note of an attempt at the GET stream that the server refused
// with e. It returns an error if it is not worth another.
func (b *comeback) refused(e *Error) error {
	after, again := tryAgain(e)
	switch {
	case again && (e.Status != http.StatusConflict || b.before || !b.begun.IsZero()):
		b.missed(after)
		return nil
	case e.Kind == KindStatus && b.id != "":
		// The server may not have its events any more, but still a stream.
		b.events.Forget()
		b.id = ""
		return nil
	case e.Kind == KindStatus, e.Kind == KindProtocol && e.Status/100 == 2:
		none := *e
		none.Err = ErrNoStream
		if e.Err != nil {
			none.Err = fmt.Errorf("%w: %w", ErrNoStream, e.Err)
		}
		return &none
	}
	return e
}
