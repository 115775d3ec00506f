package pool

import (
	"context"
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

// change changes an interest in the upstream, see [hub.update].
func (u *Upstream) change(in *interest, change func() bool) (version int64, err error) {
	u.mu.Lock()
	defer u.unlock()
	return u.changeLocked(in, change)
}

// amend is change where an upstream that is over needs none.
func (u *Upstream) amend(in *interest, change func() bool) {
	_, _ = u.change(in, change)
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
		switch {
		case c.To == NeedsAuthorization: // the error may hold a URL that is for the caller alone
			log.Info("server wants a person's consent", "server", u.server.Name)
		case c.Err != nil:
			log.Warn("server connection failed", "server", u.server.Name, "from", c.From.String(), "to", c.To.String(), "error", c.Err)
		default:
			log.Debug("server connection changed", "server", u.server.Name, "from", c.From.String(), "to", c.To.String())
		}
	}
}
