package group

import (
	"context"
	"errors"
	"time"
)

// A member is a member with what is known of it. The group's mu guards it.
type member struct {
	Member
	lists [kinds]list
	// following is the observation of the member; nil: it is not observed.
	following *following
	// gone: it was taken out of the group.
	gone bool
}

// A list is what a member has of a kind.
type list struct {
	entries []entry
	bytes   int
	// uris are those of the entries.
	uris map[string]struct{}
	// names are those that the member's items were given, by their own.
	names map[string]string
	// fetched is when the entries were asked for; zero: never.
	fetched time.Time
	// stale: they may have changed since.
	stale bool
	// changes counts the times that they may have changed.
	changes int
	// err is why the last attempt to fetch them failed; nil: it did not.
	err error
	// tried is the moment of the last attempt to fetch them, retry is when the
	// next may be.
	tried moment
	retry time.Time
}

// changedLocked notes that a list may have changed.
func (m *member) changedLocked(k Kind) {
	m.lists[k].stale = true
	m.lists[k].changes++
}

// fresh reports whether the list needs no fetching.
func (l *list) fresh(now time.Time, ttl time.Duration) bool {
	return l.err == nil && !l.stale && !l.fetched.IsZero() && now.Sub(l.fetched) < ttl
}

// due reports whether the list is to be fetched for whoever began then.
func (l *list) due(since moment, ttl time.Duration) bool {
	return !l.fresh(since.Time, ttl) && !l.triedSince(since) && !since.Before(l.retry)
}

func (l *list) triedSince(since moment) bool { return l.tried.n > since.n }

// A moment is a time that comes before or after any other of the group.
type moment struct {
	time.Time

	n int64
}

func (g *Group) now() moment { return moment{time.Now(), g.moments.Add(1)} }

// A following is the observation of a member. The group's mu guards it.
type following struct {
	stop  func()
	ended bool
}

// unfollowLocked returns what is to be called without the lock.
func (m *member) unfollowLocked() []func() {
	if m.following == nil {
		return nil
	}
	stop := m.following.stop
	m.unseenLocked()
	return []func(){stop}
}

// unseenLocked notes that the member is not observed any more.
func (m *member) unseenLocked() {
	m.following = nil
	for _, k := range Kinds() {
		m.changedLocked(k)
	}
}

// A fetched is what came of an attempt to fetch a list.
type fetched struct {
	member  *member
	entries []entry
	bytes   int
	err     error
	began   moment
	changes int
}

// ErrTimeout is why a member is missing that took too long.
var ErrTimeout = errors.New("the member did not list what it has in time")

// fetch asks a member for a list, and observes the member from now on. It waits
// no longer than the timeout for it, whatever the member does.
func (g *Group) fetch(ctx context.Context, m *member, k Kind) fetched {
	f := fetched{member: m, began: g.now()}
	ctx, cancel := context.WithTimeoutCause(ctx, g.opts.FetchTimeout, ErrTimeout)
	defer cancel()
	source, err := g.opts.Find(ctx, m.Target)
	if err == nil {
		g.follow(ctx, m, source)
		g.mu.RLock()
		f.changes = m.lists[k].changes
		g.mu.RUnlock()
		var text []byte
		if text, err = source.List(ctx, k); err == nil {
			f.bytes = len(text)
			f.entries, err = entriesOf(k, text)
		}
	}
	if err != nil {
		f.err = &MemberError{Member: m.Member, Err: err}
	}
	return f
}

// follow observes a member, unless it is observed. That of one that cannot be
// observed now is tried again with the next list; until then the TTL has to do.
func (g *Group) follow(ctx context.Context, m *member, source Source) {
	g.mu.RLock()
	unwanted := m.following != nil || m.gone || g.over
	g.mu.RUnlock()
	if unwanted {
		return
	}
	// Half of the time is for the list.
	ctx, cancel := context.WithTimeoutCause(ctx, g.opts.FetchTimeout/2, ErrTimeout)
	defer cancel()
	f := new(following)
	stop, err := source.Observe(ctx, g.noting(m), g.ending(m, f))
	if err != nil {
		g.opts.Logger.Debug("member of a group not observed", "group", g.ID, "member", m.Name, "error", err)
		return
	}
	g.mu.Lock()
	f.stop = stop
	kept := m.following == nil && !m.gone && !g.over && !f.ended
	if kept {
		m.following = f
	}
	g.mu.Unlock()
	if !kept {
		stop() // somebody else was faster, or it has ended already
	}
}

// noting returns what is told of changes of the member's lists.
func (g *Group) noting(m *member) func(Kind) {
	return func(k Kind) {
		g.mu.Lock()
		defer g.mu.Unlock()
		m.changedLocked(k)
	}
}

// ending returns what is told of the end of an observation.
func (g *Group) ending(m *member, f *following) func() {
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		f.ended = true
		if m.following == f {
			m.unseenLocked()
		}
	}
}
