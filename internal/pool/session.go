package pool

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// A Session is what a caller opened: an upstream of its own, or a share in the
// pooled one.
type Session struct {
	// ID is unguessable.
	ID string
	// Principal owns it.
	Principal string
	Created   time.Time
	// IdleTimeout is how long it may go unused.
	IdleTimeout time.Duration
	// CallTimeout is for calls that come without a deadline. 0: the default.
	CallTimeout time.Duration
	// Lease: it shares the pooled upstream.
	Lease bool

	pool   *Pool
	server *Server
	// own is the session's upstream; nil for a lease.
	own  *Upstream
	info mcp.Info

	// open: Open has returned it. Guarded by the pool's mu.
	open bool

	// mu guards what follows.
	mu       sync.Mutex
	lastUsed time.Time
	inFlight int
}

// A tombstone remembers for a while whose session expired.
type tombstone struct {
	principal string
	until     time.Time
}

const tombstoneLife = 10 * time.Minute

// OpenParams say which session to open.
type OpenParams struct {
	Server    *Server
	Principal string
	// Lease asks for a share in the pooled upstream.
	Lease bool
	// ClientInfo is what the server is told of the caller. Zero: the bridge.
	ClientInfo mcp.Implementation
	// IdleTimeout overrides [Options.SessionIdle]. 0: it does not.
	IdleTimeout time.Duration
	// CallTimeout is for calls that come without a deadline. 0: the server's.
	CallTimeout time.Duration
}

// Open opens a session for a caller and connects it. A server that is known for
// a modern one keeps no state behind a connection, so there everybody gets a
// lease.
func (p *Pool) Open(ctx context.Context, o OpenParams) (*Session, error) {
	s := &Session{
		ID: newID(), Principal: o.Principal, Created: time.Now(), lastUsed: time.Now(), pool: p, server: o.Server,
		IdleTimeout: cmp.Or(o.IdleTimeout, p.opts.SessionIdle), CallTimeout: o.CallTimeout,
	}
	if o.Lease && o.Server.Stateful {
		return nil, &StatefulError{Server: o.Server.Name}
	}
	plain := o.ClientInfo == (mcp.Implementation{}) && !o.Server.Stateful
	s.Lease = o.Server.Name != "" && (o.Lease || plain && o.Server.Info().Era == mcp.EraModern)
	if err := p.enroll(s, o.ClientInfo); err != nil {
		return nil, err
	}
	if err := s.connect(ctx); err != nil {
		p.remove(s)
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.open = true
	return s, nil
}

// connect opens the upstream, which says nothing yet of whether the server
// answers calls.
func (s *Session) connect(ctx context.Context) error {
	u, err := s.upstream()
	if err != nil {
		return err
	}
	live, err := u.acquire(ctx)
	if err != nil {
		return u.wrap(err, transport.NotSent, 1)
	}
	defer u.release(live, false)
	s.info = live.Info()
	return nil
}

// enroll adds the session, within the limit, with its upstream.
func (p *Pool) enroll(s *Session, info mcp.Implementation) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return ErrClosed
	case len(p.sessions) >= p.opts.MaxSessions:
		return &QuotaError{Limit: "sessions.max", Max: p.opts.MaxSessions}
	}
	p.sessions[s.ID] = s
	if s.Lease {
		return nil
	}
	client := s.server.Client
	if info != (mcp.Implementation{}) {
		client = client.With(mcp.Profile{ClientInfo: info})
	}
	s.own = p.addLocked(s.server, Key{Server: s.server.Name, Principal: s.Principal, Session: s.ID}, client)
	return nil
}

// remove forgets the session and ends its own upstream; a pooled one lives on.
func (p *Pool) remove(s *Session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.removeLocked(s)
}

func (p *Pool) removeLocked(s *Session) {
	delete(p.sessions, s.ID)
	if s.own != nil {
		delete(p.upstreams, s.own.key)
		s.own.shut(&NotFoundError{Kind: "session", Name: s.ID})
	}
}

// Session returns the principal's session of that id.
func (p *Pool) Session(principal, id string) (*Session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.sessions[id]; ok && s.Principal == principal && s.open {
		return s, nil
	}
	t, expired := p.expired[id]
	return nil, &NotFoundError{Kind: "session", Name: id, Expired: expired && t.principal == principal}
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
	for id, t := range p.expired {
		if now.After(t.until) {
			delete(p.expired, id)
		}
	}
	for id, s := range p.sessions {
		if s.open && s.expired(now) {
			p.removeLocked(s)
			p.expired[id] = tombstone{principal: s.Principal, until: now.Add(tombstoneLife)}
		}
	}
}

// Do implements [Target].
func (s *Session) Do(ctx context.Context, repeatable bool, fn func(context.Context, *Live) error) (Outcome, error) {
	s.use(1)
	defer s.use(-1)
	u, err := s.upstream()
	if err != nil {
		return Outcome{}, err
	}
	return u.Do(ctx, repeatable, fn)
}

// upstream returns the session's own upstream, or the pooled one.
func (s *Session) upstream() (*Upstream, error) {
	if s.own != nil {
		return s.own, nil
	}
	return s.pool.upstream(s.server, sharedKey(s.server, s.Principal))
}

func (s *Session) use(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight += n
	s.lastUsed = time.Now()
}

func (s *Session) expired(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inFlight == 0 && !now.Before(s.lastUsed.Add(s.IdleTimeout))
}

// Server implements [Target].
func (s *Session) Server() *Server { return s.server }

// Info returns what the server said of itself when the session was opened.
func (s *Session) Info() mcp.Info { return s.info }

// Status returns the state of the upstream behind the session.
func (s *Session) Status() Status {
	if s.own != nil {
		return s.own.Status()
	}
	return s.pool.status(sharedKey(s.server, s.Principal))
}

// ExpireTime returns when the session is closed unless it is used before.
func (s *Session) ExpireTime() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastUsed.Add(s.IdleTimeout)
}

// newID returns 128 random bits.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
