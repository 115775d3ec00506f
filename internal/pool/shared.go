package pool

import (
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

// A Key says which calls share an upstream.
type Key struct {
	// Server is the server's name.
	Server string
	// Principal is whose calls they are. Empty where principals share.
	Principal string
	// Fingerprint tells the credentials from others of the principal, see
	// [Access].
	Fingerprint string
	// Session is the id of the session that owns the upstream. Empty for the
	// one that calls on the server's name share.
	Session string
	// Capabilities are those that the server was told of in the handshake.
	Capabilities mcp.Capabilities
	// Slot numbers the upstreams that one call at a time has for itself. 0: it
	// is none of these.
	Slot int64
}

// Pooled reports whether it is the key of an upstream that calls on a server's
// name share.
func (k Key) Pooled() bool { return k.Session == "" && k.Slot == 0 }

// Shared returns the upstream that the principal's calls on the server's name
// share, without connecting it. A stateful server has none: its callers must
// open sessions.
func (p *Pool) Shared(server, principal string) (*Upstream, error) {
	s, err := p.Server(server)
	switch {
	case err != nil:
		return nil, err
	case s.Stateful:
		return nil, &StatefulError{Server: server}
	}
	return p.upstream(s, s.access(Access{Principal: principal}))
}

// access returns the access for what calls share: where principals do, the
// credentials are nobody's own.
func (s *Server) access(a Access) Access {
	if s.Shared {
		a.Principal = ""
	}
	return a
}

func sharedKey(s *Server, a Access) Key {
	return Key{Server: s.Name, Principal: a.Principal, Fingerprint: a.Fingerprint}
}

// upstream returns the upstream that calls with that access share, new if need
// be. It counts as use, so that it is not retired before the caller gets to use
// it.
func (p *Pool) upstream(s *Server, a Access) (*Upstream, error) {
	key := sharedKey(s, a)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if u, ok := p.shared[key]; ok {
		u.touch()
		return u, nil
	}
	return p.addLocked(s, key, s.client(a), mcp.Profile{}), nil
}

// addLocked adds an upstream whose sessions that client opens, with that
// profile.
func (p *Pool) addLocked(s *Server, key Key, client *mcp.Client, profile mcp.Profile) *Upstream {
	u := &Upstream{pool: p, server: s, key: key, lastUsed: time.Now(), max: 1}
	if key.Pooled() {
		u.max = max(s.MaxUpstreams, 1)
	}
	u.hub.mixed = s.Shared && key.Pooled()
	profile.Alone, profile.Notify = !u.hub.mixed, u.hub.notify
	u.client, u.profile = client, profile
	if p.draining {
		u.hub.end(ErrClosed)
	}
	p.upstreams[u] = struct{}{}
	if key.Pooled() {
		p.shared[key] = u
	}
	return u
}

// ServerStatus returns the state of the upstream that the principal's calls on
// the server's name share, what the server last said of itself to the principal
// or to nobody in particular, and how many sessions with it the principal has
// open.
func (p *Pool) ServerStatus(s *Server, principal string) (st Status, said *mcp.Info, open int) {
	said = infoOf(&s.said)
	latest := int64(0)
	p.lock()
	defer p.unlock()
	for u := range p.upstreams {
		key := u.key
		if key.Server != s.Name || key.Principal != principal && key.Principal != "" {
			continue
		}
		us := u.Status()
		open += us.Sessions
		if told, generation := u.told(); generation > latest && !u.brought {
			said, latest = told, generation
		}
		if key == sharedKey(s, s.access(Access{Principal: principal})) {
			st = us
		}
	}
	return s.circuit.show(st, &p.opts), said, open
}

// status returns the state of the upstream of that key, without making one.
func (p *Pool) status(key Key) Status {
	p.lock()
	defer p.unlock()
	if u, ok := p.shared[key]; ok {
		return u.Status()
	}
	return Status{}
}
