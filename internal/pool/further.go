package pool

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"
)

// generationKey is the context's key of a generation.
type generationKey struct{}

// OnGeneration returns a context for calls that belong to the session of that
// generation, as the next page of a list does. They run on it while it is there.
func OnGeneration(ctx context.Context, generation int64) context.Context {
	return context.WithValue(ctx, generationKey{}, generation)
}

// sessionsLocked returns the open sessions, the first one first.
func (u *Upstream) sessionsLocked() iter.Seq[*Live] {
	return func(yield func(*Live) bool) {
		if u.live == nil || !yield(u.live) {
			return
		}
		for _, l := range u.further {
			if !yield(l) {
				return
			}
		}
	}
}

// chooseLocked returns the session for a call: the one with the least to do. If
// all have something to do, a further one is opened for the calls to come.
func (u *Upstream) chooseLocked(ctx context.Context, now time.Time) *Live {
	generation := u.places.of(ctx)
	least, free := u.live, 0
	for l := range u.sessionsLocked() {
		if l.Generation == generation {
			return l
		}
		if l.inFlight < least.inFlight {
			least = l
		}
		if l.inFlight == 0 {
			free++
		}
	}
	if free <= u.server.WarmUpstreams {
		u.growLocked(now)
	}
	return least
}

// warmLocked opens a further session if fewer are free than are to be.
func (u *Upstream) warmLocked(now time.Time) {
	if u.max > 1 && u.freeLocked() < u.server.WarmUpstreams {
		u.growLocked(now)
	}
}

// freeLocked returns how many sessions have nothing to do.
func (u *Upstream) freeLocked() (n int) {
	for l := range u.sessionsLocked() {
		if l.inFlight == 0 {
			n++
		}
	}
	return n
}

// growLocked has a further session opened, within the limit.
func (u *Upstream) growLocked(now time.Time) {
	if 1+len(u.further) < u.max {
		u.openLocked(now, nil, nil)
	}
}

// shrinkLocked closes further sessions that were not used for long.
func (u *Upstream) shrinkLocked(now time.Time) {
	free := u.freeLocked()
	u.further = slices.DeleteFunc(u.further, func(l *Live) bool {
		keep := l.inFlight > 0 || now.Sub(l.lastUsed) < u.server.idleTimeout() || free <= u.server.WarmUpstreams
		if !keep {
			free--
			u.leaveLocked(l)
		}
		return !keep
	})
}

// replaceLocked has a successor of a session opened, which takes its place when
// it is ready. why says what is wrong with the session, nil: nothing.
func (u *Upstream) replaceLocked(now time.Time, l *Live, why error) { u.openLocked(now, l, why) }

// openLocked has a session opened while calls go on: in the place of old, or
// beside the others if that is nil. One at a time is.
func (u *Upstream) openLocked(now time.Time, old *Live, why error) {
	if u.opening != nil || now.Before(u.openAt) {
		return
	}
	trial, _, ok := u.server.circuit.admit(now, &u.pool.opts)
	if !ok {
		if why != nil { // there will be no successor soon
			u.loseLocked(old, why)
		}
		return
	}
	ctx, cancel := context.WithTimeoutCause(u.pool.closing, u.pool.opts.ConnectTimeout, errConnectTimeout)
	u.opening = cancel
	u.pool.background.Go(func() {
		defer cancel()
		l := &Live{Server: u.server}
		l.aside.Store(true)
		err := u.try(ctx, l, trial)
		if u.join(l, succession{old, why, trial}, err) && l.Session != nil {
			u.discard(l.Session)
		}
	})
}

// A succession is why a session is opened beside the others.
type succession struct {
	// old is what it replaces, nil: nothing; why is what is wrong with that.
	old *Live
	why error
	// trial: it tells whether the server's circuit is closed again.
	trial bool
}

// join lets the new session take part, and reports whether it is not wanted any
// more.
func (u *Upstream) join(l *Live, s succession, err error) (unwanted bool) {
	u.mu.Lock()
	defer u.unlock()
	u.opening = nil
	u.noticeLocked()
	now := time.Now()
	u.judgeLocked(now, err, s.trial)
	switch {
	case u.state == Shutdown:
		return true
	case err != nil:
		u.notOpenedLocked(now, s, err)
		return true
	}
	u.openFailures = 0
	switch {
	case u.state == Idle || u.state == TransientFailure: // the others are lost
		u.readyLocked(l)
	case u.state != Ready:
		return true
	case s.old != nil && u.swapLocked(now, l, s):
	case 1+len(u.further) < u.max:
		u.beginLocked(now, l)
		u.further = append(u.further, l)
		u.changedLocked(nil)
	default:
		return true
	}
	u.warmLocked(now)
	return false
}

// swapLocked puts a new session in the place of another, if that is still
// there. Calls on the old one finish.
func (u *Upstream) swapLocked(now time.Time, l *Live, s succession) bool {
	old := s.old
	i := slices.Index(u.further, old)
	if i < 0 && old != u.live {
		return false
	}
	u.beginLocked(now, l)
	if i >= 0 {
		u.further[i] = l
	} else {
		u.live = l
		l.aside.Store(false)
	}
	if s.why != nil {
		u.failure = &Failure{Time: now, Err: s.why}
	}
	u.leaveLocked(old)
	u.changedLocked(s.why)
	return true
}

// notOpenedLocked notes that a session could not be opened beside the others. One
// that was to be replaced since it does not answer is given up all the same.
func (u *Upstream) notOpenedLocked(now time.Time, s succession, err error) {
	u.openFailures++
	u.openAt = now.Add(max(u.pool.opts.Backoff.wait(int(u.openFailures)), time.Second))
	if !errors.As(err, new(*QuotaError)) {
		u.failure = &Failure{Time: now, Err: err}
	}
	if s.why != nil && !s.old.over && u.state == Ready {
		u.loseLocked(s.old, s.why)
	}
}
