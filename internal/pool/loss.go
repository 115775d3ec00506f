package pool

import (
	"slices"
	"time"
)

// noticeLocked notices what sessions have ended by themselves.
func (u *Upstream) noticeLocked() {
	for u.state == Ready {
		l := u.endedLocked()
		if l == nil {
			return
		}
		u.loseLocked(l, l.Err())
	}
}

// endedLocked returns a session that has ended, nil if none has.
func (u *Upstream) endedLocked() *Live {
	if u.live.ended() {
		return u.live
	}
	for _, l := range u.further {
		if l.ended() {
			return l
		}
	}
	return nil
}

// loseLocked gives up a session: err is why. Another one takes the place of the
// first. Where there is none, a session that had answered a call may be opened
// anew at once; one that had not counts as a failed attempt, so that a server
// which dies at once is not started in a loop.
func (u *Upstream) loseLocked(l *Live, err error) {
	now := time.Now()
	u.pool.metrics.failed(u.server, failedSession)
	// What a call may have caused is held against this upstream alone.
	if l.inFlight == 0 {
		u.opened = u.server.circuit.fail(now, false, &u.pool.opts) || u.opened
	}
	u.leaveLocked(l)
	if l != u.live {
		u.further = slices.DeleteFunc(u.further, func(other *Live) bool { return other == l })
		u.failure = &Failure{Time: now, Err: err}
		u.changedLocked(err)
		return
	}
	u.live = nil
	switch {
	case u.pinnedTo(l.Session):
		u.failure = &Failure{Time: now, Err: err}
		u.endLocked(&StateLostError{Err: err}, err)
	case len(u.further) > 0:
		u.failure = &Failure{Time: now, Err: err}
		u.live, u.further = u.further[0], u.further[1:]
		u.live.aside.Store(false)
		u.changedLocked(err)
	case l.answered:
		u.failures = 0
		u.failure = &Failure{Time: now, Err: err}
		u.setLocked(Idle, err)
	default:
		u.failLocked(err)
	}
}

// refusalLocked is what a call gets while the server's circuit is open.
func (u *Upstream) refusalLocked(wait time.Duration) error {
	refusal := &ConnectError{RetryAfter: wait, CircuitOpen: true, Err: errCircuit}
	if u.failure != nil {
		refusal.Err = u.failure.Err
	}
	return refusal
}
