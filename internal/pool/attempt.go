package pool

import (
	"context"
	"errors"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

// An attempt is one try to connect, shared by everybody who waits for it.
type attempt struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
	err    error
}

// connect makes one attempt.
func (u *Upstream) connect(ctx context.Context, a *attempt) {
	defer u.pool.background.Done()
	defer a.cancel(nil)
	ctx, cancel := context.WithTimeoutCause(ctx, u.pool.opts.ConnectTimeout, errConnectTimeout)
	defer cancel()
	session, err := u.open(ctx)
	if u.settle(a, session, err) && session != nil {
		u.discard(session)
	}
}

var errConnectTimeout = errors.New("connecting took too long")

// settle notes the outcome of an attempt, and reports whether its session is
// not wanted any more.
func (u *Upstream) settle(a *attempt, session *mcp.Session, err error) (unwanted bool) {
	u.mu.Lock()
	defer u.unlock()
	defer close(a.done)
	u.attempt = nil
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
		a.err = &ConnectError{RetryAfter: max(0, time.Until(u.retryAt)), Err: err}
	default:
		u.readyLocked(session)
	}
	return false
}

// open opens a session within the limit on child processes.
func (u *Upstream) open(ctx context.Context) (*mcp.Session, error) {
	p := u.pool
	child := u.client.Peer().Network == "pipe"
	if child && p.children.Add(1) > int64(p.opts.MaxChildren) {
		p.children.Add(-1)
		return nil, &QuotaError{Limit: "children.max", Max: p.opts.MaxChildren}
	}
	session, err := u.client.Connect(ctx)
	if err != nil && child {
		p.children.Add(-1)
	}
	return session, err
}

func (u *Upstream) readyLocked(s *mcp.Session) {
	info := s.Info()
	u.server.info.Store(&info)
	u.generation = u.pool.generation.Add(1)
	u.live = &Live{Session: s, Server: u.server, Generation: u.generation, upstream: u}
	u.lastUsed = time.Now()
	u.setLocked(Ready, nil)
	u.keepLocked()
}

// failLocked notes a failure and when the next attempt is due.
func (u *Upstream) failLocked(err error) {
	u.failure = &Failure{Time: time.Now(), Err: err}
	if needsAuthorization(err) { // it may be given at any time
		u.setLocked(NeedsAuthorization, err)
		return
	}
	u.failures++
	u.retryAt = u.failure.Time.Add(u.pool.opts.Backoff.wait(u.failures))
	u.setLocked(TransientFailure, err)
}
