package pool

import (
	"context"
	"errors"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// An attempt is one try to connect, shared by everybody who waits for it.
type attempt struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
	err    error
	// trial: it tells whether the server's circuit is closed again.
	trial bool
}

// connect makes one attempt.
func (u *Upstream) connect(ctx context.Context, a *attempt) {
	defer u.pool.background.Done()
	defer a.cancel(nil)
	ctx, cancel := context.WithTimeoutCause(ctx, u.pool.opts.ConnectTimeout, errConnectTimeout)
	defer cancel()
	l := &Live{Server: u.server}
	if u.settle(a, l, u.try(ctx, l, a.trial)) && l.Session != nil {
		u.discard(l.Session)
	}
}

// try opens a session. On trial, the server must answer a ping besides.
func (u *Upstream) try(ctx context.Context, l *Live, trial bool) error {
	err := u.open(ctx, l)
	if err == nil && trial {
		err = probe(ctx, l.Session)
	}
	return err
}

var errConnectTimeout = errors.New("connecting took too long")

// settle notes the outcome of an attempt, and reports whether its session is
// not wanted any more.
func (u *Upstream) settle(a *attempt, l *Live, err error) (unwanted bool) {
	u.mu.Lock()
	defer u.unlock()
	defer close(a.done)
	u.attempt = nil
	now := time.Now()
	u.judgeLocked(now, err, a.trial)
	var quota *QuotaError
	switch {
	case u.state == Shutdown:
		a.err = u.lost
		return true
	case errors.As(err, &quota): // it says nothing of the server
		a.err = err
		u.setLocked(Idle, nil)
	case err != nil:
		u.failLocked(err)
		wait, _ := u.server.circuit.isOpen(now, &u.pool.opts)
		a.err = &ConnectError{RetryAfter: max(wait, u.retryAt.Sub(now), 0), Err: err}
		return true
	default:
		u.readyLocked(l)
	}
	return false
}

// judgeLocked tells the server's circuit how an attempt to connect has ended.
func (u *Upstream) judgeLocked(now time.Time, err error, trial bool) {
	c := &u.server.circuit
	var quota *QuotaError
	switch {
	case err == nil && trial:
		c.succeed(now)
		return
	case err == nil: // it has not answered a call yet
		return
	case u.state == Shutdown || errors.As(err, &quota): // which says nothing of it
		if trial {
			c.abandon()
		}
		return
	}
	u.pool.metrics.failed(u.server, failedConnect)
	switch {
	case blames(err):
		u.opened = c.fail(now, trial, &u.pool.opts) || u.opened
	case trial || mcp.DeliveryOf(err) == transport.Answered: // it is there
		c.succeed(now)
	}
}

// open opens a session within the limit on child processes.
func (u *Upstream) open(ctx context.Context, l *Live) error {
	p := u.pool
	child := u.client.Peer().Network == "pipe"
	if child && p.children.Add(1) > int64(p.opts.MaxChildren) {
		p.children.Add(-1)
		return &QuotaError{Limit: "children.max", Max: p.opts.MaxChildren}
	}
	profile := &u.profile
	if u.max > 1 {
		aside := u.profile
		aside.Notify = l.hears(aside.Notify)
		profile = &aside
	}
	session, err := u.client.ConnectAs(ctx, profile)
	if err != nil {
		if child {
			p.children.Add(-1)
		}
		return err
	}
	l.Session = session
	return nil
}

func (u *Upstream) readyLocked(l *Live) {
	now := time.Now()
	l.aside.Store(false)
	u.beginLocked(now, l)
	u.live = l
	u.lastUsed = now
	u.setLocked(Ready, nil)
	u.keepLocked()
	u.warmLocked(now)
}

// beginLocked begins the use of a new session.
func (u *Upstream) beginLocked(now time.Time, l *Live) {
	u.said = l.Info()
	u.server.tell(u.said, u.personal())
	u.generation = u.pool.generation.Add(1)
	l.upstream = u
	l.begin(now, u.generation, u.server.MaxSessionAge)
	u.pool.metrics.connected(u.server)
}

// failLocked notes a failure and when the next attempt is due.
func (u *Upstream) failLocked(err error) {
	u.failure = &Failure{Time: time.Now(), Err: err}
	if needsAuthorization(err) { // it may be given at any time
		u.setLocked(NeedsAuthorization, err)
		u.hub.wantConsent(err)
		return
	}
	u.failures++
	u.retryAt = u.failure.Time.Add(u.pool.opts.Backoff.wait(int(u.failures)))
	u.setLocked(TransientFailure, err)
}
