package mcp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// A Session is one open MCP session. Its methods may be called concurrently.
// Whoever connected it closes it.
type Session struct {
	*base

	peer *transport.Peer
	// dialling is held until tr is set, or will never be. Whoever runs before that
	// gets tr by dialled.
	dialling sync.Mutex
	tr       transport.Transport
	// agreed is nil until the end of the handshake.
	agreed atomic.Pointer[agreement]

	nextID        atomic.Int64
	calls         calls
	subscriptions subscriptions
	tasks         tasks
	// level is the log level that a modern server is asked for, nil for none.
	level atomic.Pointer[string]
	// book is what is known of the tools, private what is known of results for this
	// session alone.
	book    book
	private cache
	// background counts the goroutines that Close waits for, replies those of
	// them that answer the server at once, questions those that have to ask.
	background sync.WaitGroup
	questions  questions
	replies    atomic.Int32
	// closing is set before background is waited for; spawning guards it.
	closing  bool
	spawning sync.Mutex
}

// dialled waits until there is a transport, or will never be one, and returns it.
func (s *Session) dialled() transport.Transport {
	s.dialling.Lock()
	defer s.dialling.Unlock()
	return s.tr
}

// Peer describes the far end.
func (s *Session) Peer() transport.Peer { return *s.peer }

// Done is closed when the session can carry no further call. Err then says why.
func (s *Session) Done() <-chan struct{} { return s.tr.Done() }

// Err returns why the session ended, nil while it has not.
func (s *Session) Err() error { return s.tr.Err() }

// closeGrace is what is left of the session's goroutines to end in when the time
// for closing it is over.
const closeGrace = 100 * time.Millisecond

// Close ends the session. Calls in flight fail. It returns when the transport
// is closed and nothing of the session runs any more, or within 100 ms of the
// end of ctx: an [Ask] that does not end with its context may go on after that.
func (s *Session) Close(ctx context.Context) error {
	err := s.tr.Close(ctx)
	s.spawning.Lock()
	s.closing = true
	s.spawning.Unlock()
	return errors.Join(err, s.awaitEnd(ctx))
}

// awaitEnd waits for the session's goroutines.
func (s *Session) awaitEnd(ctx context.Context) error {
	over := make(chan struct{})
	go func() {
		s.background.Wait()
		close(over)
	}()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
	}
	timer := time.NewTimer(closeGrace)
	defer timer.Stop()
	select {
	case <-over:
		return nil
	case <-timer.C:
		return fmt.Errorf("wait for the answers to the server: %w", context.Cause(ctx))
	}
}

// spawn runs f, which must end when the session does, on a goroutine that Close
// waits for. It reports false, and does not run f, once the session is closed.
func (s *Session) spawn(f func()) bool {
	s.spawning.Lock()
	defer s.spawning.Unlock()
	if !s.closing {
		s.background.Go(f)
	}
	return !s.closing
}

// onEnd calls f when the session has ended, unless it is stopped before. stop
// waits until nothing of it runs any more. It holds a goroutine.
func (s *Session) onEnd(f func()) (stop func()) {
	stopped, done := make(chan struct{}), make(chan struct{})
	wait := func() {
		defer close(done)
		select {
		case <-s.Done():
			f()
		case <-stopped:
		}
	}
	if !s.spawn(wait) {
		close(done)
		f()
	}
	return func() {
		close(stopped)
		<-done
	}
}

// alive reports whether the session can carry further calls.
func (s *Session) alive() bool {
	select {
	case <-s.Done():
		return false
	default:
		return true
	}
}

// Call makes a call and waits for its result. When ctx ends first, the server
// is told in the way of its era, and Call returns within 100 ms, or as soon as
// the call's Ask does. What the server asks in between is answered by the call's
// Ask; a modern server is sent the call again, with the answers, so one Call may
// take several rounds.
//
// Its errors are listed in this package's error.go.
func (s *Session) Call(ctx context.Context, c *Call) (*Result, error) {
	if c.Method == methodToolsCall && (c.Task != nil || s.era().augments()) {
		return s.callTask(ctx, c)
	}
	result, err := s.rounds(ctx, c)
	if err != nil {
		if result, err = s.pursueStarted(ctx, c, err); err != nil {
			return nil, err
		}
	}
	s.checkOutput(ctx, c, result)
	return result, nil
}

// rounds makes all rounds of a call.
func (s *Session) rounds(ctx context.Context, c *Call) (*Result, error) {
	result, err := s.first(ctx, c)
	if err != nil {
		return s.goOn(ctx, c, err)
	}
	return result, nil
}

// once makes one round of a call.
func (s *Session) once(ctx context.Context, c *Call) (*Result, error) {
	id := s.nextID.Add(1)
	ctx, op := s.inst.start(ctx, s, c, id)
	result, err := s.call(ctx, c, id)
	op.end(result, err)
	return result, err
}

func (s *Session) call(ctx context.Context, c *Call, id int64) (*Result, error) {
	envelope := s.era().envelope(c.Name)
	var err error
	if envelope.Parameters, err = s.parameters(c); err != nil {
		return nil, err
	}
	if c.life != nil {
		c.life.join(id)
	} else {
		var w *watched
		ctx, w = s.watch(ctx, c)
		if counts(c) {
			forget := s.calls.add(id, w)
			defer forget()
		}
	}
	req := &transport.Request{
		ID:       id,
		Method:   c.Method,
		Params:   s.params(ctx, c, id),
		Envelope: envelope,
		OnSend:   c.OnSend,
	}
	resp, err := s.roundTrip(ctx, req)
	switch {
	case err != nil:
		return nil, unanswered(ctx, err)
	case resp.Error != nil:
		return nil, resp.Error
	}
	if err := s.era().accept(c.Method, resp.Result); err != nil {
		return nil, err
	}
	return &Result{JSON: resp.Result}, nil
}

// cancelGrace bounds how long a cancelled call waits for its cancellation to be
// handed over.
const cancelGrace = 100 * time.Millisecond

// roundTrip has the server told when the caller goes, where the era does not
// take the end of the stream for that (spec 2025-11-25, basic/transports: a
// disconnect is not a cancel).
func (s *Session) roundTrip(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	if !s.era().cancels() {
		return s.tr.RoundTrip(ctx, req)
	}
	req.OnCancel = func(detached context.Context) { s.cancel(detached, req.ID, context.Cause(ctx)) }
	resp, err := s.tr.RoundTrip(ctx, req)
	if ctx.Err() == nil {
		return resp, err
	}
	// The caller is gone. What the server made of that, an answer or an event
	// stream that ends without one, is of no interest.
	delivery := transport.Unknown
	if err != nil {
		delivery = DeliveryOf(err)
	}
	return nil, &transport.Error{Kind: transport.KindCanceled, Delivery: delivery, Err: context.Cause(ctx)}
}

// cancel tells the server that the caller of a request has gone.
func (s *Session) cancel(ctx context.Context, id int64, cause error) {
	ctx, done := context.WithTimeout(ctx, cancelGrace)
	defer done()
	reason := "the caller cancelled the call"
	var unanswered *InputRequiredError
	switch {
	case errors.As(cause, &unanswered):
		reason = "nobody answers what was asked during the call"
	case errors.Is(cause, context.DeadlineExceeded):
		reason = "the call's deadline passed"
	}
	params := marshal(map[string]any{"requestId": id, "reason": reason})
	if err := s.notify(ctx, notificationCancelled, params); err != nil {
		s.opts.Logger.Debug("cancellation not delivered", "request_id", id, "error", err)
	}
}

func (s *Session) notify(ctx context.Context, method string, params []byte) error {
	return s.tr.Send(ctx, &transport.Message{
		Body:     jsonrpc.AppendNotification(nil, method, params),
		Method:   method,
		Envelope: s.era().envelope(""),
	})
}

// Ping asks the server for a sign of life: ping, or server/discover in the era
// that has no ping. meta is the text of the caller's _meta object, nil for none.
func (s *Session) Ping(ctx context.Context, meta []byte) (*Result, error) {
	return s.Call(ctx, &Call{Method: s.era().pingMethod(), Meta: meta})
}
