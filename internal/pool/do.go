package pool

import (
	"context"
	"errors"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// A Target is what calls go to: the upstream behind a server's name, or a
// caller's session.
type Target interface {
	// Do runs fn with an open session, and once more with a fresh one where
	// that can do no harm: if the request certainly did not reach the server,
	// or if repeatable says that fn may run twice. Errors are of type
	// [*CallError] around those of fn, or those of getting a session.
	Do(ctx context.Context, repeatable bool, fn func(context.Context, *Live) error) (Outcome, error)
	// Watch begins to watch what the server does of its own accord, connecting if
	// need be. uris are the resources to be told of, on a server's name only: a
	// session subscribes. The caller closes the Watcher.
	Watch(ctx context.Context, uris []string) (*Watcher, error)
	// Server is whose target it is.
	Server() *Server
	// Status returns a snapshot of the upstream.
	Status() Status
}

// An Outcome is how a call came about.
type Outcome struct {
	// Generation numbers the session that served it.
	Generation int64
	// Reinitialized: the session of a legacy server was lost during the call, and
	// the call went on with another one, so what the server kept for it is gone.
	Reinitialized bool
}

// maxAttempts bounds how often one call is sent.
const maxAttempts = 2

// Do implements [Target].
func (u *Upstream) Do(ctx context.Context, repeatable bool, fn func(context.Context, *Live) error) (Outcome, error) {
	return u.do(ctx, repeatable, true, fn)
}

// do is Do, anywhere or on the first session.
func (u *Upstream) do(ctx context.Context, repeatable, anywhere bool, fn func(context.Context, *Live) error) (Outcome, error) {
	var out Outcome
	// The least that can be said of any attempt holds for the whole call.
	sent := transport.NotSent
	var last *Live
	for n := 1; ; n++ {
		live, err := u.acquire(ctx, anywhere)
		if err != nil {
			return out, u.wrap(err, sent, n)
		}
		out.Reinitialized = last != nil && last != live && last.left.Load() && last.Info().Era == mcp.EraLegacy
		out.Generation, last = live.Generation, live
		err = u.run(ctx, live, fn)
		if err == nil {
			return out, nil
		}
		if needsAuthorization(err) {
			u.hub.wantConsent(err)
		}
		if d := mcp.DeliveryOf(err); d != transport.NotSent {
			sent = d
		}
		if n == maxAttempts || !u.mayRepeat(ctx, live.Session, err, repeatable) {
			return out, u.wrap(err, sent, n)
		}
	}
}

// run runs fn and gives the session back, also if fn panics.
func (u *Upstream) run(ctx context.Context, live *Live, fn func(context.Context, *Live) error) (err error) {
	delivery := transport.Unknown
	defer func() { u.release(live, delivery) }()
	if err = fn(ctx, live); err == nil {
		delivery = transport.Answered
	} else {
		delivery = mcp.DeliveryOf(err)
	}
	return err
}

// mayRepeat decides whether a failed call is sent again.
func (u *Upstream) mayRepeat(ctx context.Context, s *mcp.Session, err error, repeatable bool) bool {
	var te *transport.Error
	if !errors.As(err, &te) || ctx.Err() != nil || u.pinnedTo(s) && lost(err) {
		return false
	}
	switch te.Kind {
	case transport.KindExited, transport.KindLost, transport.KindSessionLost, transport.KindClosed:
		return te.Delivery == transport.NotSent || te.Delivery == transport.Unknown && repeatable
	case transport.KindStatus:
		return repeatable && retryableStatus(te.Status) && pause(ctx, te.RetryAfter)
	default:
		return false
	}
}

// lost reports whether err means that the session is gone.
func lost(err error) bool {
	var te *transport.Error
	if !errors.As(err, &te) {
		return false
	}
	switch te.Kind {
	case transport.KindExited, transport.KindSessionLost, transport.KindClosed:
		return true
	default:
		return false
	}
}

func retryableStatus(status int) bool {
	switch status {
	case 429, 500, 502, 503, 504:
		return true
	}
	return false
}

// pause waits as long as the server asked for, if that leaves time for a call.
func pause(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (u *Upstream) wrap(err error, d transport.Delivery, attempt int) error {
	return &CallError{
		Server: u.server.Name, Transport: u.client.Peer().Transport, Era: u.server.Era(),
		Delivery: d, Attempt: attempt, Err: u.stateLost(err),
	}
}

// stateLost names the loss of a session that must not be opened anew.
func (u *Upstream) stateLost(err error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	var known *StateLostError
	if u.state == Shutdown && u.lost != nil && lost(err) && errors.As(u.lost, &known) && mcp.DeliveryOf(err) != transport.Unknown {
		return &StateLostError{Err: err}
	}
	return err
}
