package pool

import (
	"context"
	"sync"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// An Upstream is our side of the session of one key: connected when it is
// first used, and again after it was lost. Small fields stand together, as there
// may be tens of thousands.
type Upstream struct {
	pool   *Pool
	server *Server
	key    Key
	client *mcp.Client
	// profile is what the client opens sessions with. It is not changed.
	profile mcp.Profile
	// max is how many sessions there may be at a time.
	max int
	hub hub
	// brought: its credentials are what the caller brought for a session.
	brought bool

	// mu guards what follows. Nothing that could wait happens while it is held.
	mu    sync.Mutex
	state State
	// held: a call has it for itself; call is what that wants.
	held bool
	// changes have happened and are not logged yet; opened: nor that the server's
	// circuit has opened.
	opened  bool
	changes []Change
	// live is the session, the first one where there may be several: watchers and
	// callers' sessions stay on it.
	live *Live
	// further are the others, which calls on the server's name use too. There are
	// none unless the state is Ready.
	further []*Live
	attempt *attempt
	// opening cancels the opening of a session while there is one. It is nil if
	// none is being opened; openAt is when one may be, openFailures counts in a
	// row.
	opening context.CancelFunc
	openAt  time.Time
	// leaving are the sessions that are over and have calls in flight.
	leaving map[*Live]struct{}
	// failures are those of attempts to connect, in a row; failure is the last.
	failure                *Failure
	failures, openFailures int32
	retryAt                time.Time
	lastUsed               time.Time
	// generation is that of the last session.
	generation int64
	// said is what the server told it last, nil if it has told nothing yet.
	said *mcp.Info
	// places are those of the tasks that were begun.
	places taskPlaces
	// keeper is nil while the hub wants nothing.
	keeper *keeper
	call   interest
	// lost is why the upstream is over for good.
	lost error
}

// Server returns the server.
func (u *Upstream) Server() *Server { return u.server }

// personal reports whether what the server says may be for its principal alone.
func (u *Upstream) personal() bool {
	s := u.server
	return u.brought || u.key.Principal != "" && (s.Personal || s.ClientFor != nil)
}

// told returns what the server told it last, and in which session: nil in 0, if
// there was none.
func (u *Upstream) told() (said *mcp.Info, generation int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.said, u.generation
}

// Status returns a snapshot.
func (u *Upstream) Status() Status {
	u.mu.Lock()
	defer u.unlock()
	u.noticeLocked()
	return u.statusLocked()
}

func (u *Upstream) statusLocked() Status {
	st := Status{State: u.state, LastFailure: u.failure, Generation: u.firstLocked()}
	if u.live != nil {
		st.Sessions = 1 + len(u.further)
	}
	return st
}

// firstLocked returns the generation of the first session, or the last one that
// there was.
func (u *Upstream) firstLocked() int64 {
	if u.live != nil {
		return u.live.Generation
	}
	return u.generation
}

func (u *Upstream) touch() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lastUsed = time.Now()
}

// acquire returns the session for one call, connecting if need be. The caller
// leaves by its own ctx; the attempt goes on for the others. Every success is
// followed by one release. anywhere: any session will do, not only the first.
func (u *Upstream) acquire(ctx context.Context, anywhere bool) (*Live, error) {
	for {
		live, wait, err := u.take(ctx, anywhere)
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
func (u *Upstream) take(ctx context.Context, anywhere bool) (*Live, *attempt, error) {
	u.mu.Lock()
	defer u.unlock()
	u.noticeLocked()
	switch u.state {
	case Ready:
		l := u.live
		if anywhere && u.max > 1 {
			l = u.chooseLocked(ctx, time.Now())
		}
		l.inFlight++ // which is use until release notes the time
		return l, nil, nil
	case Connecting:
		return nil, u.attempt, nil
	case Shutdown:
		return nil, nil, u.lost
	case TransientFailure, Idle, NeedsAuthorization:
	}
	a, err := u.attemptLocked(ctx, time.Now())
	return nil, a, err
}

// attemptLocked begins an attempt to connect, if one is due.
func (u *Upstream) attemptLocked(ctx context.Context, now time.Time) (*attempt, error) {
	if u.state == TransientFailure {
		if wait := u.retryAt.Sub(now); wait > 0 && !u.server.circuit.overrules(u.failure.Time) {
			return nil, &ConnectError{RetryAfter: wait, Err: u.failure.Err}
		}
	}
	trial, wait, ok := u.server.circuit.admit(now, &u.pool.opts)
	if !ok {
		return nil, u.refusalLocked(wait)
	}
	// The attempt keeps the values of the call that begins it, so that the
	// handshake shows in that call's trace, but not its end.
	bounded, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	u.attempt = &attempt{cancel: cancel, done: make(chan struct{}), trial: trial}
	u.setLocked(Connecting, nil)
	u.pool.background.Add(1)
	go u.connect(bounded, u.attempt)
	return u.attempt, nil
}

// pinnedTo reports whether there is state behind the session that only its
// owner may give up.
func (u *Upstream) pinnedTo(s *mcp.Session) bool {
	return u.key.Session != "" && (s.Info().Era == mcp.EraLegacy || u.server.Stateful)
}

// release ends the use of an acquired session. The delivery is that of what was
// sent on it.
func (u *Upstream) release(l *Live, d transport.Delivery) {
	u.mu.Lock()
	defer u.unlock()
	now := time.Now()
	u.lastUsed, l.lastUsed = now, now
	switch d {
	case transport.Answered:
		l.health.unanswered = false
		u.answeredLocked(l)
	case transport.Unknown:
		l.health.unanswered = true
	case transport.NotSent:
	}
	u.noticeLocked() // with this call still in flight: it may be to blame
	if l.inFlight--; l.over && l.inFlight == 0 {
		u.closeLocked(l)
	}
}

// answered notes that the server answers on that session.
func (u *Upstream) answered(l *Live) {
	u.mu.Lock()
	defer u.unlock()
	u.answeredLocked(l)
}

func (u *Upstream) answeredLocked(l *Live) {
	if !l.answered {
		l.answered = true
		u.server.circuit.succeed(time.Now())
	}
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
	c := Change{Key: u.key, From: u.state, To: to, Err: err, Generation: u.firstLocked()}
	u.state = to
	u.hub.emit(Event{Time: time.Now(), Change: &c})
	u.pool.opts.OnChange(c)
	u.changes = append(u.changes, c)
}

// changedLocked tells of a change that leaves the upstream ready: err is why.
func (u *Upstream) changedLocked(err error) { u.setLocked(Ready, err) }

// unlock releases mu and logs what has changed under it, or leaves that to whoever
// has the pool locked: a log may block.
func (u *Upstream) unlock() {
	r := report{server: u.server.Name, changes: u.changes, opened: u.opened}
	u.changes, u.opened = nil, false
	u.mu.Unlock()
	if (r.opened || len(r.changes) > 0) && !u.pool.journal.keep(r) {
		r.log(u.pool.opts.Logger)
	}
}
