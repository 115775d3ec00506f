package pool

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

// An Upstream is our side of the session of one key: connected when it is
// first used, and again after it was lost.
type Upstream struct {
	pool   *Pool
	server *Server
	key    Key
	client *mcp.Client

	// mu guards what follows. No I/O happens while it is held.
	mu       sync.Mutex
	state    State
	session  *mcp.Session
	attempt  *attempt
	failure  *Failure
	failures int
	retryAt  time.Time
	lastUsed time.Time
	inFlight int
	// answered: the server has answered a call on this session.
	answered   bool
	generation int64
	// lost is why a session that must not be opened anew is over.
	lost error
}

// An attempt is one try to connect, shared by everybody who waits for it.
type attempt struct {
	done chan struct{}
	err  error
}

// Server returns the server.
func (u *Upstream) Server() *Server { return u.server }

// Status returns a snapshot.
func (u *Upstream) Status() Status {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.noticeLocked()
	return Status{State: u.state, LastFailure: u.failure, Generation: u.generation}
}

func (u *Upstream) touch() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lastUsed = time.Now()
}

// acquire returns the session for one call, connecting if need be. The caller
// leaves by its own ctx; the attempt goes on for the others. Every success is
// followed by one release.
func (u *Upstream) acquire(ctx context.Context) (*mcp.Session, error) {
	for {
		session, wait, err := u.take(ctx)
		if err != nil || session != nil {
			return session, err
		}
		select {
		case <-wait.done:
			if wait.err != nil {
				return nil, wait.err
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// take returns the session if there is one, or the attempt to wait for.
func (u *Upstream) take(ctx context.Context) (*mcp.Session, *attempt, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.noticeLocked()
	now := time.Now()
	switch u.state {
	case Ready:
		u.inFlight++
		u.lastUsed = now
		return u.session, nil, nil
	case Connecting:
		return nil, u.attempt, nil
	case Shutdown:
		return nil, nil, u.lost
	case TransientFailure:
		if now.Before(u.retryAt) {
			return nil, nil, &ConnectError{RetryAfter: u.retryAt.Sub(now), Err: u.failure.Err}
		}
	case Idle:
	}
	u.attempt = &attempt{done: make(chan struct{})}
	u.setLocked(Connecting, nil)
	u.pool.background.Add(1)
	go u.connect(context.WithoutCancel(ctx), u.attempt)
	return nil, u.attempt, nil
}

// connect makes one attempt. Its context keeps the values of the call that
// began it, so that the handshake shows in that call's trace, but not its end.
func (u *Upstream) connect(ctx context.Context, a *attempt) {
	defer u.pool.background.Done()
	ctx, cancel := context.WithTimeoutCause(ctx, u.pool.opts.ConnectTimeout, errConnectTimeout)
	defer cancel()
	session, err := u.open(ctx)
	u.mu.Lock()
	switch {
	case u.state == Shutdown:
		a.err = u.lost
	case err != nil:
		u.failLocked(err)
		a.err = &ConnectError{RetryAfter: time.Until(u.retryAt), Err: err}
	default:
		u.readyLocked(session)
		session = nil
	}
	close(a.done)
	u.mu.Unlock()
	if session != nil {
		u.discard(session)
	}
}

var errConnectTimeout = errors.New("connecting took too long")

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
	u.session, u.answered = s, false
	u.generation = u.pool.generation.Add(1)
	u.lastUsed = time.Now()
	u.setLocked(Ready, nil)
}

// failLocked notes a failure and when the next attempt is due.
func (u *Upstream) failLocked(err error) {
	u.failures++
	u.failure = &Failure{Time: time.Now(), Err: err}
	u.retryAt = u.failure.Time.Add(u.pool.opts.Backoff.wait(u.failures))
	u.setLocked(TransientFailure, err)
}

// noticeLocked notices that the session has ended by itself. A session that
// had answered a call may be opened anew at once; one that had not counts as a
// failed attempt, so that a server which dies at once is not started in a loop.
func (u *Upstream) noticeLocked() {
	if u.state != Ready {
		return
	}
	select {
	case <-u.session.Done():
	default:
		return
	}
	session, err := u.session, u.session.Err()
	u.session = nil
	u.closeLater(session)
	switch {
	case u.pinnedTo(session):
		u.failure = &Failure{Time: time.Now(), Err: err}
		u.lost = &StateLostError{Err: err}
		u.setLocked(Shutdown, err)
	case u.answered:
		u.failures = 0
		u.failure = &Failure{Time: time.Now(), Err: err}
		u.setLocked(Idle, err)
	default:
		u.failLocked(err)
	}
}

// pinnedTo reports whether there is state behind the session that only its
// owner may give up.
func (u *Upstream) pinnedTo(s *mcp.Session) bool {
	return u.key.Session != "" && s.Info().Era == mcp.EraLegacy
}

// release ends the use of an acquired session. answered: the server has
// answered.
func (u *Upstream) release(answered bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.inFlight--
	u.lastUsed = time.Now()
	if answered {
		u.answered, u.failures = true, 0
	}
	u.noticeLocked()
}

// retire closes the session if it has not been used for long, and reports
// whether the upstream can be forgotten. Those of a caller's session live as
// long as that.
func (u *Upstream) retire(now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.noticeLocked()
	idle := u.inFlight == 0 && now.Sub(u.lastUsed) >= u.server.idleTimeout()
	if u.key.Session != "" || !idle || u.state == Connecting {
		return u.state == Shutdown && u.key.Session == ""
	}
	u.shutLocked(errIdle)
	return true
}

var errIdle = errors.New("not used for long")

// shut ends the upstream for good: calls get err from now on.
func (u *Upstream) shut(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.shutLocked(err)
}

func (u *Upstream) shutLocked(err error) {
	if u.state == Shutdown {
		return
	}
	session := u.session
	u.session, u.lost = nil, err
	u.setLocked(Shutdown, nil)
	if session != nil {
		u.closeLater(session)
	}
}

// closeLater closes a session in the background; the pool waits for it when it
// is closed itself.
func (u *Upstream) closeLater(s *mcp.Session) {
	u.pool.background.Go(func() { u.discard(s) })
}

func (u *Upstream) discard(s *mcp.Session) {
	ctx, cancel := context.WithTimeout(context.Background(), u.pool.opts.CloseTimeout)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		u.pool.opts.Logger.Warn("session not closed cleanly", "server", u.server.Name, "error", err)
	}
	if s.Peer().Network == "pipe" {
		u.pool.children.Add(-1)
	}
}

// setLocked is the only place where the state changes.
func (u *Upstream) setLocked(to State, err error) {
	from := u.state
	u.state = to
	u.pool.opts.OnChange(Change{Key: u.key, From: from, To: to, Err: err})
	log := u.pool.opts.Logger
	if err != nil {
		log.Warn("server connection failed", "server", u.server.Name, "from", from.String(), "to", to.String(), "error", err)
		return
	}
	log.Debug("server connection changed", "server", u.server.Name, "from", from.String(), "to", to.String())
}
