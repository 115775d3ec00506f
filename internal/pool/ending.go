package pool

import (
	"context"
	"errors"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

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
	if u.busyLocked() || now.Sub(u.lastUsed) < u.server.idleTimeout() {
		return u.state == Shutdown
	}
	u.shutLocked(errIdle)
	return true
}

// busyLocked reports whether anybody would miss the upstream now.
func (u *Upstream) busyLocked() bool {
	for l := range u.sessionsLocked() {
		if l.inFlight > 0 {
			return true
		}
	}
	return u.held || u.state == Connecting || len(u.leaving) > 0 || u.hub.active()
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
	for l := range u.sessionsLocked() {
		l.over = true
		u.closeLocked(l)
	}
	u.live, u.further = nil, nil
	u.endLocked(err, nil)
	if u.attempt != nil {
		u.attempt.cancel(err)
	}
	if u.opening != nil {
		u.opening()
	}
}

// endLocked makes the upstream be over for good: lost is what calls get from
// now on, why what went wrong, nil if nothing did.
func (u *Upstream) endLocked(lost, why error) {
	u.lost = lost
	u.setLocked(Shutdown, why)
	if u.keeper != nil {
		u.keeper.endLocked()
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

// leaveLocked closes a session that is over once the last call has left it:
// what is under way may still be answered.
func (u *Upstream) leaveLocked(l *Live) {
	l.over = true
	l.left.Store(true)
	if u.keeper != nil {
		u.keeper.leftLocked(l)
	}
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
