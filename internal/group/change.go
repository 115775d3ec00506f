package group

import (
	"context"
	"slices"
	"sync"
)

// Add adds a member: entirely or, on error, not at all. It waits for the member
// to list what it has; one that cannot be reached is a member all the same, unless
// the group is [Group.FailClosed].
func (g *Group) Add(ctx context.Context, m Member) error {
	if g.Configured {
		return &ConfiguredError{Group: g.ID}
	}
	return g.add(ctx, []Member{m})
}

// add adds members, all or none.
func (g *Group) add(ctx context.Context, members []Member) error {
	added := make([]*member, len(members))
	for i, m := range members {
		if _, err := g.opts.Find(ctx, m.Target); err != nil {
			return err
		}
		added[i] = &member{Member: m}
	}
	if err := g.room(added); err != nil {
		return err
	}
	wait, cancel := inTime(ctx)
	lists := g.explore(wait, added)
	cancel()
	if err := context.Cause(ctx); err != nil {
		abandon(added)
		return err
	}
	if err := g.join(added, lists); err != nil {
		abandon(added)
		return err
	}
	return nil
}

// room returns an error if there is no place for the members.
func (g *Group) room(added []*member) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.roomLocked(added)
}

func (g *Group) roomLocked(added []*member) error {
	if g.over {
		return &NotFoundError{Group: g.ID}
	}
	if len(g.members)+len(added) > g.opts.MaxMembers {
		return &QuotaError{Limit: "limits.group_members", Max: g.opts.MaxMembers}
	}
	for i, m := range added {
		same := func(other *member) bool { return other.Name == m.Name }
		if g.memberLocked(m.Name) != nil || slices.ContainsFunc(added[:i], same) {
			return &ExistsError{Kind: "member", Name: m.Name}
		}
	}
	return nil
}

// explore fetches all lists of members that are to join, at the same time.
func (g *Group) explore(ctx context.Context, members []*member) [][kinds]fetched {
	all := make([][kinds]fetched, len(members))
	var wg sync.WaitGroup
	for i, m := range members {
		wg.Go(func() {
			for _, k := range Kinds() {
				if k > 0 && all[i][k-1].err != nil { // it is in no better state for this one
					all[i][k] = all[i][k-1]
					continue
				}
				all[i][k] = g.fetch(ctx, m, k)
			}
		})
	}
	wg.Wait()
	return all
}

// join takes the members in, if there are names for what they have.
func (g *Group) join(added []*member, lists [][kinds]fetched) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.roomLocked(added); err != nil { // others may have come meanwhile
		return err
	}
	before := g.members
	g.members = slices.Concat(before, added)
	var given [kinds][]claim
	var collisions []string
	for _, k := range Kinds() {
		for i := range added {
			g.takeLocked(k, lists[i][k])
			if err := added[i].lists[k].err; err != nil && g.FailClosed {
				g.members = before
				return err
			}
		}
		// What was left out before does not count against those who come now.
		fresh := slices.DeleteFunc(g.unnamedLocked(k), func(o owner) bool { return !slices.Contains(added, o.member) })
		var refused []claim
		given[k], refused = g.Naming.assign(g.names[k], fresh)
		collisions = append(collisions, g.describeLocked(k, refused)...)
	}
	if len(collisions) > 0 {
		g.members = before
		return &CollisionError{Names: collisions}
	}
	for _, k := range Kinds() {
		g.giveLocked(k, given[k])
	}
	for _, m := range added {
		g.tellLocked(Event{Added: &m.Member})
	}
	g.use()
	return nil
}

// abandon lets go of members that did not join.
func abandon(members []*member) {
	for _, m := range members {
		m.gone = true
		if m.following != nil {
			m.following.stop()
		}
	}
}

// Remove takes a member out. Calls that are under way at it go on; its names are
// free.
func (g *Group) Remove(name string) error {
	if g.Configured {
		return &ConfiguredError{Group: g.ID}
	}
	g.mu.Lock()
	m := g.memberLocked(name)
	if m == nil {
		g.mu.Unlock()
		return &MemberNotFoundError{Member: name}
	}
	g.dropLocked(m)
	stops := m.unfollowLocked()
	for _, k := range Kinds() {
		g.acceptLocked(k, nil) // some may have waited for its names
	}
	g.tellLocked(Event{Removed: &m.Member})
	g.mu.Unlock()
	for _, stop := range stops {
		stop()
	}
	return nil
}
