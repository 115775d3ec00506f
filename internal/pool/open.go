package pool

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// OpenParams say which session to open.
type OpenParams struct {
	Server    *Server
	Principal string
	// Lease asks for a share in the pooled upstream.
	Lease bool
	// ClientInfo is what the server is told of the caller. Zero: the bridge.
	ClientInfo mcp.Implementation
	// Protocol pins the protocol revision. Empty: it is found out.
	Protocol string
	// Capabilities is what the caller answers. A legacy server is told once, and
	// the session has an upstream of its own there; a modern one is told with
	// each call.
	Capabilities mcp.Capabilities
	// Roots is the text of the array of roots that the bridge answers roots/list
	// with, and declares roots for. Nil: Ask is asked.
	Roots json.RawMessage
	// Ask answers the server's other questions. Nil: nobody does.
	Ask mcp.Ask
	// Client opens the session in place of the server's, with what the caller has
	// to show. Such a session shares nothing. Nil: the server's does.
	Client *mcp.Client
	// Access says with whose credentials the server is reached. Its Principal is
	// that of the session.
	Access Access
	// IdleTimeout overrides [Options.SessionIdle]. 0: it does not.
	IdleTimeout time.Duration
	// CallTimeout is for calls that come without a deadline. 0: the server's.
	CallTimeout time.Duration
}

// Open opens a session for a caller and connects it. A server that is known for
// a modern one keeps no state behind a connection, so there everybody gets a
// lease.
func (p *Pool) Open(ctx context.Context, o OpenParams) (*Session, error) {
	s := p.newSession(o)
	if o.Lease && o.Server.Stateful {
		return nil, &StatefulError{Server: o.Server.Name}
	}
	plain := o.Client == nil && o.ClientInfo == (mcp.Implementation{}) && o.Protocol == "" && !o.Server.Stateful
	s.Lease = o.Server.Name != "" && (o.Lease || plain && o.Server.Era() == mcp.EraModern)
	if err := p.enroll(s, o.Client, mcp.Profile{ClientInfo: o.ClientInfo, Protocol: o.Protocol}); err != nil {
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

func (p *Pool) newSession(o OpenParams) *Session {
	s := &Session{
		ID: newID(), Principal: o.Principal, Created: time.Now(), lastUsed: time.Now(), pool: p, server: o.Server,
		IdleTimeout: cmp.Or(o.IdleTimeout, p.opts.SessionIdle), CallTimeout: o.CallTimeout,
		capabilities: o.Capabilities, ask: o.Ask, access: o.Access,
	}
	s.access.Principal = o.Principal
	if o.Roots != nil {
		s.capabilities.Roots = true
		s.roots.Store(&o.Roots)
	}
	return s
}

// connect opens the upstream, which says nothing yet of whether the server
// answers calls.
func (s *Session) connect(ctx context.Context) error {
	u, err := s.upstream()
	if err != nil {
		return err
	}
	live, err := u.acquire(ctx, false)
	if err != nil {
		return u.wrap(err, transport.NotSent, 1)
	}
	defer u.release(live, transport.NotSent)
	s.info = live.Info()
	if s.own != nil && s.asks() {
		u.hear(ctx)
	}
	return nil
}

// hearTimeout is how long a session waits for the way of its server's questions
// before it is used all the same.
const hearTimeout = 2 * time.Second

// hear waits until the server has a way for its questions. What it asks before
// may be lost: over HTTP a question that belongs to no call, or does not say
// so, needs a stream to come on.
func (u *Upstream) hear(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, hearTimeout)
	defer cancel()
	// What was wanted before there was a session has been given up already, as
	// nothing that a connection is made for.
	version, err := u.change(&u.call, func() bool { return true })
	if err == nil {
		_, _ = u.hub.wait(ctx, version) // a server without such a way asks in others
	}
}

// enroll adds the session, within the limit, with its upstream. client may be
// nil.
func (p *Pool) enroll(s *Session, client *mcp.Client, profile mcp.Profile) error {
	p.lock()
	defer p.unlock()
	switch {
	case p.closed:
		return ErrClosed
	case len(p.sessions) >= p.opts.MaxSessions:
		return &QuotaError{Limit: "sessions.max", Max: p.opts.MaxSessions}
	case p.opts.MaxPrincipalSessions > 0 && p.owned[s.Principal] >= p.opts.MaxPrincipalSessions:
		return &QuotaError{Limit: "principal.sessions", Max: p.opts.MaxPrincipalSessions}
	}
	p.sessions[s.ID] = s
	p.owned[s.Principal]++
	if s.Lease {
		s.access = s.server.access(s.access)
		return nil
	}
	profile.Capabilities = s.capabilities
	if s.asks() {
		profile.Ask = s.Ask
	}
	key := Key{
		Server: s.server.Name, Principal: s.Principal, Fingerprint: s.access.Fingerprint,
		Session: s.ID, Capabilities: s.capabilities,
	}
	brought := client != nil
	if !brought {
		client = s.server.client(s.access)
	}
	own := p.addLocked(s.server, key, client, profile)
	own.brought = brought || s.access.Fingerprint != ""
	s.own, s.joined = own, own
	if s.asks() {
		own.amend(&s.interest, func() bool { s.interest.standing = true; return true })
	}
	return nil
}

// remove forgets the session and ends its own upstream; a pooled one lives on.
func (p *Pool) remove(s *Session) {
	p.lock()
	defer p.unlock()
	p.removeLocked(s)
}

func (p *Pool) removeLocked(s *Session) {
	if _, ok := p.sessions[s.ID]; !ok {
		return
	}
	delete(p.sessions, s.ID)
	if p.owned[s.Principal]--; p.owned[s.Principal] == 0 {
		delete(p.owned, s.Principal)
	}
	if s.own != nil {
		p.forgetLocked(s.own)
		s.own.shut(&NotFoundError{Kind: "session", Name: s.ID})
	}
	s.quit(&NotFoundError{Kind: "session", Name: s.ID})
}

// newID returns 128 random bits.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
