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
	hub    hub

	// mu guards what follows. Nothing that could wait happens while it is held.
	mu      sync.Mutex
	state   State
	live    *Live
	attempt *attempt
	// leaving are the sessions that are over and have calls in flight.
	leaving  map[*Live]struct{}
	failure  *Failure
	failures int
	retryAt  time.Time
	lastUsed time.Time
	// generation is that of the last session.
	generation int64
	// keeper is nil while the hub wants nothing.
	keeper *keeper
	// held: a call has it for itself; call is what that wants.
	held bool
	call interest
	// lost is why the upstream is over for good.
	lost error
	// changes have happened and are not logged yet.
	changes []Change
}

// An attempt is one try to connect, shared by everybody who waits for it.
type attempt struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
	err    error
}

// Server returns the server.
func (u *Upstream) Server() *Server { return u.server }

// Status returns a snapshot.
func (u *Upstream) Status() Status {
	u.mu.Lock()
	defer u.unlock()
	u.noticeLocked()
	return u.statusLocked()
}

func (u *Upstream) statusLocked() Status {
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
func (u *Upstream) acquire(ctx context.Context) (*Live, error) {
	for {
		live, wait, err := u.take(ctx)
		if err != nil || live != nil {
			return live, err
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
func (u *Upstream) take(ctx context.Context) (*Live, *attempt, error) {
	u.mu.Lock()
	defer u.unlock()
	u.noticeLocked()
	now := time.Now()
	switch u.state {
	case Ready:
		u.live.inFlight++
		u.lastUsed = now
		return u.live, nil, nil
	case Connecting:
		return nil, u.attempt, nil
	case Shutdown:
		return nil, nil, u.lost
	case TransientFailure:
		if now.Before(u.retryAt) {
			return nil, nil, &ConnectError{RetryAfter: u.retryAt.Sub(now), Err: u.failure.Err}
		}
	case Idle, NeedsAuthorization:
	}
	// The attempt keeps the values of the call that begins it, so that the
	// handshake shows in that call's trace, but not its end.
	bounded, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	u.attempt = &attempt{cancel: cancel, done: make(chan struct{})}
	u.setLocked(Connecting, nil)
	u.pool.background.Add(1)
	go u.connect(bounded, u.attempt)
	return nil, u.attempt, nil
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
	u.live = &Live{Session: s, Generation: u.generation}
	u.lastUsed = time.Now()
	u.setLocked(Ready, nil)
	u.keepLocked()
}

// failLocked notes a failure and when the next attempt is due.
func (u *Upstream) failLocked(err error) {
	u.failure = &Failure{Time: time.Now(), Err: err}
	if needsAuthorization(err) {
		u.setLocked(NeedsAuthorization, err)
		return
	}
	u.failures++
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
	case <-u.live.Done():
	default:
		return
	}
	live, err := u.live, u.live.Err()
	u.live = nil
	u.leaveLocked(live)
	switch {
	case u.pinnedTo(live.Session):
		u.failure = &Failure{Time: time.Now(), Err: err}
		u.endLocked(&StateLostError{Err: err}, err)
	case live.answered:
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
	return u.key.Session != "" && (s.Info().Era == mcp.EraLegacy || u.server.Stateful)
}

// leaveLocked closes a session that is over once the last call has left it:
// what is under way may still be answered.
func (u *Upstream) leaveLocked(l *Live) {
	l.over = true
	if l.inFlight == 0 {
		u.closeLocked(l)
		return
	}
	if u.leaving == nil {
		u.leaving = make(map[*Live]struct{})
	}
	u.leaving[l] = struct{}{}
}

// closeLocked closes a session in the background; the pool waits for it when
// it is closed itself.
func (u *Upstream) closeLocked(l *Live) {
	delete(u.leaving, l)
	if !l.closing {
		l.closing = true
		u.pool.background.Go(func() { u.discard(l.Session) })
	}
}

// release ends the use of an acquired session. answered: the server has
// answered.
func (u *Upstream) release(l *Live, answered bool) {
	u.mu.Lock()
	defer u.unlock()
	l.inFlight--
	u.lastUsed = time.Now()
	if answered {
		u.answeredLocked(l)
	}
	if l.over && l.inFlight == 0 {
		u.closeLocked(l)
	}
	u.noticeLocked()
}

// answered notes that the server answers on that session.
func (u *Upstream) answered(l *Live) {
	u.mu.Lock()
	defer u.unlock()
	u.answeredLocked(l)
}

func (u *Upstream) answeredLocked(l *Live) {
	l.answered = true
	if l == u.live {
		u.failures = 0
	}
}

// retire closes the session if it has not been used for long, and reports
// whether the upstream can be forgotten. Those of a caller's session live as
// long as that.
func (u *Upstream) retire(now time.Time) bool {
	u.mu.Lock()
	defer u.unlock()
	u.noticeLocked()
	if u.key.Session != "" {
		return false
	}
	busy := u.held || u.state == Connecting || len(u.leaving) > 0 || u.live != nil && u.live.inFlight > 0 || u.hub.active()
	if busy || now.Sub(u.lastUsed) < u.server.idleTimeout() {
		return u.state == Shutdown
	}
	u.shutLocked(errIdle)
	return true
}

// errIdle meets a call only if it has held its upstream for as long as that may
// be idle, without using it.
var errIdle = &ConnectError{Err: errors.New("the connection was closed for want of use")}

// shut ends the upstream for good: calls get err from now on.
func (u *Upstream) shut(err error) {
	u.mu.Lock()
	defer u.unlock()
	u.shutLocked(err)
}

func (u *Upstream) shutLocked(err error) {
	for l := range u.leaving {
		u.closeLocked(l)
	}
	if u.state == Shutdown {
		return
	}
	live := u.live
	u.live = nil
	u.endLocked(err, nil)
	if u.attempt != nil {
		u.attempt.cancel(err)
	}
	if live != nil {
		live.over = true
		u.closeLocked(live)
	}
}

// endLocked makes the upstream be over for good: lost is what calls get from
// now on, why what went wrong, nil if nothing did.
func (u *Upstream) endLocked(lost, why error) {
	u.lost = lost
	u.setLocked(Shutdown, why)
	if u.keeper != nil {
		u.keeper.cancel()
	}
	u.hub.end(lost)
}

func (u *Upstream) discard(s *mcp.Session) {
	ctx, cancel := context.WithTimeout(u.pool.closing, u.pool.opts.CloseTimeout)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		u.pool.opts.Logger.Warn("session not closed cleanly", "server", u.server.Name, "error", err)
	}
	if s.Peer().Network == "pipe" {
		u.pool.children.Add(-1)
	}
}

// change changes an interest in the upstream, see [hub.update].
func (u *Upstream) change(in *interest, change func() bool) (version int64, err error) {
	u.mu.Lock()
	defer u.unlock()
	return u.changeLocked(in, change)
}

func (u *Upstream) changeLocked(in *interest, change func() bool) (version int64, err error) {
	version, changed, err := u.hub.update(in, change)
	if changed {
		u.lastUsed = time.Now()
		u.keepLocked()
	}
	return version, err
}

// setLocked is the only place where the state changes.
func (u *Upstream) setLocked(to State, err error) {
	c := Change{Key: u.key, From: u.state, To: to, Err: err, Generation: u.generation}
	u.state = to
	u.hub.emit(Event{Time: time.Now(), Change: &c})
	u.pool.opts.OnChange(c)
	u.changes = append(u.changes, c)
}

// unlock releases mu and logs what has changed under it: a log may block.
func (u *Upstream) unlock() {
	changes := u.changes
	u.changes = nil
	u.mu.Unlock()
	log := u.pool.opts.Logger
	for _, c := range changes {
		if c.Err != nil {
			log.Warn("server connection failed", "server", u.server.Name, "from", c.From.String(), "to", c.To.String(), "error", c.Err)
			continue
		}
		log.Debug("server connection changed", "server", u.server.Name, "from", c.From.String(), "to", c.To.String())
	}
}
