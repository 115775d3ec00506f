package pool

import (
	"context"
	"slices"
	"sync"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// maxFree bounds the upstreams of one kind that no call has at the moment: more
// are closed when their calls end.
const maxFree = 4

// CheckOut gives a call whose caller answers questions an upstream of its own,
// whose server was told so: a free one of that principal and these
// capabilities, or a new one. release, which may be called more than once, gives
// it back. A modern server is told with each call instead: there CheckOut
// returns the upstream that the principal's calls share.
//
// It connects only if it must, to find out of which era the server is.
func (p *Pool) CheckOut(ctx context.Context, server, principal string, c mcp.Capabilities) (t Target, release func(), err error) {
	s, err := p.Server(server)
	switch {
	case err != nil:
		return nil, nil, err
	case s.Stateful:
		return nil, nil, &StatefulError{Server: server}
	}
	if s.Era() != mcp.EraModern {
		u, err := p.take(s, principal, c)
		if err != nil {
			return nil, nil, err
		}
		if err = u.learn(ctx); err != nil {
			p.giveBack(u)
			return nil, nil, err
		}
		if s.Era() == mcp.EraLegacy {
			return u, sync.OnceFunc(func() { p.giveBack(u) }), nil
		}
		p.giveBack(u)
	}
	u, err := p.Shared(server, principal)
	if err != nil {
		return nil, nil, err
	}
	return u, func() {}, nil
}

// learn finds out of which era the server is, if that is not known.
func (u *Upstream) learn(ctx context.Context) error {
	if u.server.Era() != mcp.EraUnknown {
		return nil
	}
	live, err := u.acquire(ctx, false)
	if err != nil {
		return u.wrap(err, transport.NotSent, 1)
	}
	u.release(live, transport.NotSent)
	return nil
}

// take takes a free upstream, or makes one.
func (p *Pool) take(s *Server, principal string, c mcp.Capabilities) (*Upstream, error) {
	kind := Key{Server: s.Name, Principal: principal, Capabilities: c}
	p.lock()
	defer p.unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if free := p.free[kind]; len(free) > 0 {
		u := free[len(free)-1]
		p.unfreeLocked(u)
		u.hold(true)
		return u, nil
	}
	p.slots++
	key := kind
	key.Slot = p.slots
	u := p.addLocked(s, key, s.client(s.access(Access{Principal: principal})), mcp.Profile{Capabilities: c})
	u.hold(true)
	return u, nil
}

// giveBack makes the upstream free for other calls, unless there are enough.
func (p *Pool) giveBack(u *Upstream) {
	p.lock()
	defer p.unlock()
	kind := u.kind()
	if p.closed || len(p.free[kind]) >= maxFree || u.server.Era() != mcp.EraLegacy {
		p.forgetLocked(u)
		u.shut(errIdle)
		return
	}
	u.hold(false)
	p.free[kind] = append(p.free[kind], u)
}

// unfreeLocked takes an upstream off the free ones.
func (p *Pool) unfreeLocked(u *Upstream) {
	kind := u.kind()
	free := slices.DeleteFunc(p.free[kind], func(other *Upstream) bool { return other == u })
	if len(free) == 0 {
		delete(p.free, kind)
		return
	}
	p.free[kind] = free
}

// kind is the key without the slot: those of one kind are as good as each other.
func (u *Upstream) kind() Key {
	kind := u.key
	kind.Slot = 0
	return kind
}

// hold notes whether a call has the upstream for itself. While one has, the
// server has a way for its questions.
func (u *Upstream) hold(held bool) {
	u.mu.Lock()
	defer u.unlock()
	u.held = held
	_, _ = u.changeLocked(&u.call, func() bool { // an upstream that is over needs no way
		u.call.standing = held
		return true
	})
}
