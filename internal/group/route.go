package group

import (
	"context"
	"time"
)

// settled is how long an answer counts: lists that are older are fetched once
// more before it is said that there is no such item.
const settled = 5 * time.Second

// Route returns which member has the item of that name in the group, and what it
// is called there. A name that was given away needs no list. An unknown one is
// looked for in fresh lists: [*ItemNotFoundError] if it is in none.
func (g *Group) Route(ctx context.Context, k Kind, name string) (Member, string, error) {
	if m, own, ok := g.owner(k, name); ok {
		return m, own, nil
	}
	since := g.now()
	g.doubt(k, since.Time)
	byTemplate := func(m *member) bool { _, ok := g.Naming.own(m.Name, name); return ok }
	if g.Naming.Mode == Always {
		// The template says who it may be, so that no other is waited for.
		if err := g.refresh(ctx, k, since, byTemplate); err != nil {
			return Member{}, "", err
		}
		if m, own, ok := g.owner(k, name); ok {
			return m, own, nil
		}
		if m, own, ok := g.absent(k, name); ok {
			return m, own, nil
		}
	}
	if g.Naming.Mode != Always || g.Naming.ModelSafe {
		if err := g.refresh(ctx, k, since, nil); err != nil {
			return Member{}, "", err
		}
		if m, own, ok := g.owner(k, name); ok {
			return m, own, nil
		}
	}
	return Member{}, "", g.notFound(k, name)
}

// owner looks a name up.
func (g *Group) owner(k Kind, name string) (Member, string, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	g.use()
	o, ok := g.names[k][name]
	if !ok {
		return Member{}, "", false
	}
	return o.member.Member, o.own, true
}

// absent finds the member that could not be asked and that the name can only be
// of: the call goes there, and fails as the member does.
func (g *Group) absent(k Kind, name string) (Member, string, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for _, m := range g.members {
		if own, ok := g.Naming.own(m.Name, name); ok && m.lists[k].err != nil && !g.hides(m.lists[k].err) {
			return m.Member, own, true
		}
	}
	return Member{}, "", false
}

// doubt takes lists for stale that are not of just now.
func (g *Group) doubt(k Kind, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.members {
		if l := &m.lists[k]; now.Sub(l.fetched) > settled {
			l.stale = true
		}
	}
}

func (g *Group) notFound(k Kind, name string) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	err := &ItemNotFoundError{Kind: k, Name: name}
	for _, m := range g.members {
		if l := &m.lists[k]; l.err != nil && !g.hides(l.err) {
			err.Missing = append(err.Missing, m.Name)
		}
	}
	return err
}

// RouteURI returns which member to ask for a resource, and its URI there. uri is
// a URI, the template of a list, or the name of a resource in the group. A member
// that is named is taken at the caller's word; else it is the first that lists
// the URI, or the first with a template that matches it.
func (g *Group) RouteURI(ctx context.Context, uri, memberName string) (Member, string, error) {
	if memberName != "" {
		return g.named(uri, memberName)
	}
	if m, ok := g.lister(uri); ok {
		return m, uri, nil
	}
	if m, own, ok := g.byName(uri); ok {
		return m, own, nil
	}
	since := g.now()
	if !g.matchable(uri) {
		g.doubt(Resources, since.Time)
		g.doubt(Templates, since.Time)
	}
	for _, k := range []Kind{Resources, Templates} {
		if err := g.refresh(ctx, k, since, nil); err != nil {
			return Member{}, "", err
		}
	}
	if m, ok := g.lister(uri); ok {
		return m, uri, nil
	}
	if m, ok := g.match(uri); ok {
		return m, uri, nil
	}
	if m, own, ok := g.byName(uri); ok {
		return m, own, nil
	}
	return Member{}, "", g.notFound(Resources, uri)
}

// named is the way to a member that the caller names.
func (g *Group) named(uri, memberName string) (Member, string, error) {
	m, err := g.Member(memberName)
	if err != nil {
		return Member{}, "", err
	}
	if of, own, ok := g.byName(uri); ok && of == m {
		return m, own, nil
	}
	return m, uri, nil
}

// lister returns the first member that lists the URI or the template.
func (g *Group) lister(uri string) (Member, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	g.use()
	for _, m := range g.members {
		for _, k := range []Kind{Resources, Templates} {
			if _, ok := m.lists[k].uris[uri]; ok {
				return m.Member, true
			}
		}
	}
	return Member{}, false
}

// match returns the first member with a template that the URI fits.
func (g *Group) match(uri string) (Member, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for _, m := range g.members {
		for _, e := range m.lists[Templates].entries {
			if e.matches(uri) {
				return m.Member, true
			}
		}
	}
	return Member{}, false
}

func (g *Group) matchable(uri string) bool { _, ok := g.match(uri); return ok }

// byName returns the URI of the resource of that name in the group.
func (g *Group) byName(name string) (Member, string, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	o, ok := g.names[Resources][name]
	if !ok {
		return Member{}, "", false
	}
	for _, e := range o.member.lists[Resources].entries {
		if e.own == o.own {
			return o.member.Member, e.uri, true
		}
	}
	return Member{}, "", false
}
