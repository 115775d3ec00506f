package group

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A flight is a refreshment that all who want it wait for.
type flight struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func (f *flight) wait() { <-f.done }

// refresh fetches the lists of a kind that are due since then, of the members
// that want says; nil: of all. It waits for others who do so. Its error is the
// cause of ctx's end only: members that fail are noted.
func (g *Group) refresh(ctx context.Context, k Kind, since moment, want func(*member) bool) error {
	for {
		f := g.flight(ctx, k, since, want)
		if f == nil {
			return nil
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// flight returns the refreshment that is under way, or begins one; nil if there
// is nothing to do.
func (g *Group) flight(ctx context.Context, k Kind, since moment, want func(*member) bool) *flight {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.use()
	g.resting = false
	var due []*member
	for _, m := range g.members {
		if m.lists[k].due(since, g.opts.TTL) && (want == nil || want(m)) {
			due = append(due, m)
		}
	}
	if len(due) == 0 || g.over {
		return nil
	}
	if f := g.flights[k]; f != nil {
		return f
	}
	// It keeps the values of the call that begins it, but not its end: others
	// wait for it as well.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &flight{cancel: cancel, done: make(chan struct{})}
	g.flights[k] = f
	go func() {
		defer cancel()
		defer close(f.done)
		all := g.fetchAll(ctx, k, due)
		g.mu.Lock()
		defer g.mu.Unlock()
		g.flights[k] = nil
		g.acceptLocked(k, all)
	}()
	return f
}

// fetchAll asks all these members at the same time.
func (g *Group) fetchAll(ctx context.Context, k Kind, members []*member) []fetched {
	all := make([]fetched, len(members))
	var wg sync.WaitGroup
	for i, m := range members {
		wg.Go(func() { all[i] = g.fetch(ctx, m, k) })
	}
	wg.Wait()
	return all
}

// acceptLocked takes over what was fetched, and names what is new.
func (g *Group) acceptLocked(k Kind, all []fetched) {
	for _, f := range all {
		if !f.member.gone {
			g.takeLocked(k, f)
		}
	}
	given, refused := g.Naming.assign(g.names[k], g.unnamedLocked(k))
	g.giveLocked(k, given)
	words := g.describeLocked(k, refused)
	if slices.Equal(words, g.leftOut[k]) {
		return
	}
	if g.leftOut[k] = words; len(words) > 0 {
		g.opts.Logger.Warn("items left out of a group: their names are taken", "group", g.ID, "kind", k.String(), "items", some(words))
		g.tellLocked(Event{LeftOut: words})
	}
}

// patience is how long a member may take to fail and be asked again at once.
const patience = time.Second

// takeLocked notes what came of one attempt.
func (g *Group) takeLocked(k Kind, f fetched) {
	l := &f.member.lists[k]
	l.tried = f.began
	err := f.err
	if err == nil && !g.fitsLocked(k, f) {
		err = &MemberError{Member: f.member.Member, Err: &LimitError{Items: g.opts.MaxItems, Bytes: g.opts.MaxBytes}}
	}
	if err != nil {
		l.err, l.retry = err, time.Time{}
		if took := time.Since(f.began.Time); took > patience {
			// Whoever takes long to fail is not asked again for as long.
			l.retry = time.Now().Add(took)
		}
		return
	}
	l.entries, l.bytes, l.fetched, l.err = f.entries, f.bytes, f.began.Time, nil
	l.stale = l.changes != f.changes
	l.uris = make(map[string]struct{})
	for _, e := range f.entries {
		if e.uri != "" {
			l.uris[e.uri] = struct{}{}
		}
	}
}

// fitsLocked reports whether a list fits beside those of the other members.
func (g *Group) fitsLocked(k Kind, f fetched) bool {
	items, bytes := len(f.entries), f.bytes
	for _, m := range g.members {
		if m != f.member {
			items += len(m.lists[k].entries)
			bytes += m.lists[k].bytes
		}
	}
	return items <= g.opts.MaxItems && bytes <= g.opts.MaxBytes
}

// unnamedLocked returns the items that have no name yet.
func (g *Group) unnamedLocked(k Kind) (all []owner) {
	for _, m := range g.members {
		seen := make(map[string]bool)
		for _, e := range m.lists[k].entries {
			if _, named := m.lists[k].names[e.own]; e.own == "" || named || seen[e.own] {
				continue
			}
			seen[e.own] = true
			all = append(all, owner{member: m, own: e.own})
		}
	}
	return all
}

// giveLocked gives names away. A name stays with its owner while that is in the
// group, also if it is not listed for a time; but not without bound.
func (g *Group) giveLocked(k Kind, given []claim) {
	for _, c := range given {
		l := &c.member.lists[k]
		if l.names == nil {
			l.names = make(map[string]string)
		}
		l.names[c.own] = c.name
		g.names[k][c.name] = c.owner
		if len(l.names) > 2*g.opts.MaxItems {
			g.forgetLocked(k, c.member)
		}
	}
}

// forgetLocked takes the names back that a member does not list any more.
func (g *Group) forgetLocked(k Kind, m *member) {
	listed := make(map[string]bool, len(m.lists[k].entries))
	for _, e := range m.lists[k].entries {
		listed[e.own] = true
	}
	for own, name := range m.lists[k].names {
		if !listed[own] {
			delete(m.lists[k].names, own)
			delete(g.names[k], name)
		}
	}
}

// describeLocked says whose items got no name, and why.
func (g *Group) describeLocked(k Kind, refused []claim) []string {
	words := make([]string, len(refused))
	for i, c := range refused {
		words[i] = fmt.Sprintf("%s %.128q of %s", k, c.name, c.member.Name)
		if other, ok := g.names[k][c.name]; ok {
			words[i] += " (it is " + other.member.Name + "'s)"
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}
