package group

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Groups are the groups of all principals: those that they have created, and
// those of the configuration, of which each principal has one of its own, since
// what a server lists may depend on who asks. They may be used concurrently.
type Groups struct {
	opts Options
	// configured are by id.
	configured map[string]Spec

	// mu guards what follows. It is held before a group's.
	mu sync.Mutex
	// groups are nil while they are being created.
	groups map[key]*Group
	count  map[string]int
	closed bool
}

type key struct{ principal, id string }

// New returns groups. configured are those of the configuration, by id, whose
// members are servers. Whoever calls New closes them.
func New(configured map[string]Spec, o Options) *Groups {
	return &Groups{
		opts: o.withDefaults(), configured: configured,
		groups: make(map[key]*Group), count: make(map[string]int),
	}
}

// Create creates a group of the principal: entirely or, on error, not at all. An
// empty id asks for one that is made up.
func (s *Groups) Create(ctx context.Context, principal, id string, spec Spec) (*Group, error) {
	if id == "" {
		id = strings.ToLower(rand.Text())
	}
	k := key{principal, id}
	if err := s.reserve(k); err != nil {
		return nil, err
	}
	g := newGroup(id, spec, s.opts)
	err := g.add(ctx, spec.Members)
	if err == nil && !s.enter(k, g) {
		err = &NotFoundError{Group: id}
	}
	if err != nil {
		g.close()
		s.forget(k)
		return nil, err
	}
	return g, nil
}

// enter puts a group in the place that was kept for it, unless it is too late.
func (s *Groups) enter(k key, g *Group) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.groups[k] = g
	}
	return !s.closed
}

// reserve keeps a place for a group that is being created.
func (s *Groups) reserve(k key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, configured := s.configured[k.id]
	_, taken := s.groups[k]
	switch {
	case configured || taken:
		return &ExistsError{Kind: "group", Name: k.id}
	case s.count[k.principal] >= s.opts.MaxGroups:
		return &QuotaError{Limit: "limits.caller_groups", Max: s.opts.MaxGroups}
	}
	s.groups[k] = nil
	s.count[k.principal]++
	return nil
}

// forget takes a created group out, and returns it.
func (s *Groups) forget(k key) *Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[k]
	delete(s.groups, k)
	if s.count[k.principal]--; s.count[k.principal] <= 0 {
		delete(s.count, k.principal)
	}
	return g
}

// Get returns the principal's group of that id, or that of the configuration.
func (s *Groups) Get(principal, id string) (*Group, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.getLocked(key{principal, id})
}

func (s *Groups) getLocked(k key) (*Group, error) {
	if g := s.groups[k]; g != nil {
		return g, nil
	}
	spec, ok := s.configured[k.id]
	if !ok || s.closed {
		return nil, &NotFoundError{Group: k.id}
	}
	s.evictLocked()
	g := newGroup(k.id, spec, s.opts)
	g.Configured, g.resting = true, true
	for _, m := range spec.Members {
		g.members = append(g.members, &member{Member: m})
	}
	s.groups[k] = g
	return g, nil
}

// maxInstances is how many groups of the configuration there may be, one for each
// principal, before those that rest are forgotten.
const maxInstances = 1000

func (s *Groups) evictLocked() {
	if len(s.groups) < maxInstances {
		return
	}
	for k, g := range s.groups {
		if g != nil && g.Configured && g.atRest() {
			delete(s.groups, k)
			return
		}
	}
}

// List returns the principal's groups and those of the configuration, by id.
func (s *Groups) List(principal string) []*Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*Group
	for id := range s.configured {
		if g, err := s.getLocked(key{principal, id}); err == nil {
			all = append(all, g)
		}
	}
	for k, g := range s.groups {
		if k.principal == principal && g != nil && !g.Configured {
			all = append(all, g)
		}
	}
	slices.SortFunc(all, func(a, b *Group) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// Delete deletes the principal's group. What its members are doing goes on.
func (s *Groups) Delete(principal, id string) error {
	g, err := s.Get(principal, id)
	switch {
	case err != nil:
		return err
	case g.Configured:
		return &ConfiguredError{Group: id}
	}
	if g = s.forget(key{principal, id}); g == nil {
		return &NotFoundError{Group: id} // somebody else was faster
	}
	g.close()
	return nil
}

// Close ends all groups. There are none afterwards.
func (s *Groups) Close() {
	s.mu.Lock()
	s.closed = true
	all := slices.Collect(maps.Values(s.groups))
	s.groups = make(map[key]*Group)
	s.mu.Unlock()
	for _, g := range all {
		if g != nil {
			g.close()
		}
	}
}
