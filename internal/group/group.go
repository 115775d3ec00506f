// Package group puts several servers and sessions behind one namespace: it lists
// what they have as one list, and says which of them a call goes to.
package group

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Member is a server or session of a group.
type Member struct {
	// Name is its name in the group.
	Name string
	// Target is what callers call it by: "servers/..." or "sessions/...".
	Target string
}

// A Spec says what a group is to be.
type Spec struct {
	Naming  Naming
	Members []Member
	// FailClosed: a list is whole, or fails.
	FailClosed bool
}

// A Source is a member, for the caller that it was looked up for.
type Source interface {
	// List returns the text of the array of all items, which is not changed
	// afterwards. A server without such a list has an empty one.
	List(ctx context.Context, k Kind) ([]byte, error)
	// Observe has changed called whenever a list of that kind may have changed,
	// and ended, as the last call, when it cannot tell any more. The calls come
	// one after the other. What changes after Observe has returned is not missed.
	// stop ends it and waits for the last call.
	Observe(ctx context.Context, changed func(Kind), ended func()) (stop func(), err error)
}

// Options configure groups. Zero fields take the default.
type Options struct {
	// Find looks a member's target up, for the caller in ctx: [*GoneError] if there
	// is none.
	Find func(ctx context.Context, target string) (Source, error)
	// FetchTimeout is how long a member may take to list what it has; a list goes
	// without it then. Default 10 s.
	FetchTimeout time.Duration
	// TTL is how long a list is taken for true without a word of the member.
	// Default 5 min.
	TTL time.Duration
	// Idle is how long a group goes unused before it stops to follow its members.
	// Default 10 min.
	Idle time.Duration
	// MaxItems and MaxBytes bound what all members have of a kind. Default 10,000
	// and 32 MiB.
	MaxItems, MaxBytes int
	// MaxGroups bounds the groups of a principal. Default 32.
	MaxGroups int
	// MaxMembers bounds the members of a group. Default 64.
	MaxMembers int
	Logger     *slog.Logger
}

func (o Options) withDefaults() Options {
	orDefault := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	atLeast := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	orDefault(&o.FetchTimeout, 10*time.Second)
	orDefault(&o.TTL, 5*time.Minute)
	orDefault(&o.Idle, 10*time.Minute)
	atLeast(&o.MaxItems, 10_000)
	atLeast(&o.MaxBytes, 32<<20)
	atLeast(&o.MaxGroups, 32)
	atLeast(&o.MaxMembers, 64)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// A Group is a group of one principal. It may be used concurrently.
type Group struct {
	// ID is the last part of the group's name.
	ID         string
	Created    time.Time
	Naming     Naming
	FailClosed bool
	// Configured: callers cannot change it.
	Configured bool

	opts Options
	// moments counts those that were asked for.
	moments atomic.Int64

	// mu guards what follows. Nothing that could wait happens while it is held.
	mu      sync.RWMutex
	members []*member
	// names are those that have been given away.
	names [kinds]map[string]owner
	// leftOut are the items that have no name, in words.
	leftOut [kinds][]string
	// flights are the refreshments under way.
	flights [kinds]*flight
	// watchers are told what becomes of the group.
	watchers map[*func(Event)]struct{}
	// idle puts the group to rest.
	idle *time.Timer
	// resting: it follows no member.
	resting bool
	// over: the group has been deleted.
	over bool
}

// An Event is what became of a group, but for what its members tell themselves.
type Event struct {
	// Added and Removed are members that came or went.
	Added, Removed *Member
	// LeftOut are items of a list that have no name, since it is taken.
	LeftOut []string
	// Over: the group has been deleted.
	Over bool
}

func newGroup(id string, spec Spec, o Options) *Group {
	g := &Group{
		ID: id, Created: time.Now(), Naming: spec.Naming, FailClosed: spec.FailClosed,
		opts: o, watchers: make(map[*func(Event)]struct{}),
	}
	for k := range g.names {
		g.names[k] = make(map[string]owner)
	}
	g.idle = time.AfterFunc(o.Idle, g.rest)
	return g
}

// Members returns the members, in the order in which they were added.
func (g *Group) Members() []Member {
	g.mu.RLock()
	defer g.mu.RUnlock()
	all := make([]Member, len(g.members))
	for i, m := range g.members {
		all[i] = m.Member
	}
	return all
}

// Member returns the member of that name.
func (g *Group) Member(name string) (Member, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if m := g.memberLocked(name); m != nil {
		return m.Member, nil
	}
	return Member{}, &MemberNotFoundError{Member: name}
}

func (g *Group) memberLocked(name string) *member {
	for _, m := range g.members {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// Watch has tell called with what becomes of the group, until stop is called.
// tell must not block, and must not call the group. The members are those that
// the first event follows. A group that is watched is in use.
func (g *Group) Watch(tell func(Event)) (members []Member, stop func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := &tell
	g.watchers[key] = struct{}{}
	for _, m := range g.members {
		members = append(members, m.Member)
	}
	if g.over {
		tell(Event{Over: true})
	}
	return members, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.watchers, key)
	}
}

func (g *Group) tellLocked(e Event) {
	for tell := range g.watchers {
		(*tell)(e)
	}
}

// Changed notes that a member's list may have changed.
func (g *Group) Changed(memberName string, k Kind) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m := g.memberLocked(memberName); m != nil {
		m.changedLocked(k)
	}
}

// use notes that the group is in use.
func (g *Group) use() {
	if !g.over {
		g.idle.Reset(g.opts.Idle)
	}
}

// rest stops to follow the members, unless the group is in use.
func (g *Group) rest() {
	g.mu.Lock()
	if len(g.watchers) > 0 {
		g.use()
		g.mu.Unlock()
		return
	}
	g.resting = true
	stops := g.unfollowLocked()
	g.mu.Unlock()
	for _, stop := range stops {
		stop()
	}
}

// atRest reports whether nobody has used the group for a while.
func (g *Group) atRest() bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.resting && len(g.watchers) == 0
}

// unfollowLocked returns what is to be called without the lock. What was listed
// is not vouched for any more.
func (g *Group) unfollowLocked() (stops []func()) {
	for _, m := range g.members {
		stops = append(stops, m.unfollowLocked()...)
	}
	return stops
}

// close ends the group. Calls that are under way at members go on.
func (g *Group) close() {
	g.mu.Lock()
	g.over = true
	g.idle.Stop()
	stops := g.unfollowLocked()
	for _, f := range g.flights {
		if f != nil {
			f.cancel()
			stops = append(stops, f.wait)
		}
	}
	g.tellLocked(Event{Over: true})
	g.mu.Unlock()
	for _, stop := range stops {
		stop()
	}
}

// dropLocked takes a member out, with the names that were its.
func (g *Group) dropLocked(m *member) {
	g.members = slices.DeleteFunc(slices.Clone(g.members), func(other *member) bool { return other == m })
	m.gone = true
	for k := range g.names {
		for name, o := range g.names[k] {
			if o.member == m {
				delete(g.names[k], name)
			}
		}
	}
}
