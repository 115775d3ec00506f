package pool

import (
	"slices"
	"strings"
	"time"
)

// Session returns the principal's session of that id.
func (p *Pool) Session(principal, id string) (*Session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.sessions[id]; ok && s.Principal == principal && s.open {
		return s, nil
	}
	return nil, &NotFoundError{Kind: "session", Name: id, Expired: p.expired.of(id, principal)}
}

// Sessions returns the principal's sessions, oldest first.
func (p *Pool) Sessions(principal string) []*Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []*Session
	for _, s := range p.sessions {
		if s.Principal == principal && s.open {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b *Session) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all
}

// CloseSession closes the principal's session of that id. Calls in flight on an
// upstream of its own fail. It returns once the upstream is being closed.
func (p *Pool) CloseSession(principal, id string) error {
	s, err := p.Session(principal, id)
	if err != nil {
		return err
	}
	p.remove(s)
	return nil
}

// expireLocked closes the sessions that were not used for too long.
func (p *Pool) expireLocked(now time.Time) {
	p.expired.clear(now)
	for id, s := range p.sessions {
		if s.open && s.expired(now) {
			p.removeLocked(s)
			p.expired.add(id, s.Principal, now)
		}
	}
}
