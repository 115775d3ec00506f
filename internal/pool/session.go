package pool

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
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
	// open: Open has returned it. Guarded by the pool's mu.
	open         bool
	capabilities mcp.Capabilities

	pool   *Pool
	server *Server
	// own is the session's upstream; nil for a lease.
	own  *Upstream
	info *mcp.Info
	// access is what its upstreams are opened with.
	access Access
	ask    mcp.Ask
	roots  atomic.Pointer[json.RawMessage]
	level  atomic.Pointer[string]

	// interest is what it wants to hear. The hub of joined guards it.
	interest interest

	// mu guards what follows.
	mu       sync.Mutex
	lastUsed time.Time
	// inFlight counts calls, and open watchers.
	inFlight int
	// joined is the upstream whose hub has the interest; nil: none has.
	joined *Upstream
	// over is why the session is; nil while it is not.
	over error
}

// Do implements [Target].
func (s *Session) Do(ctx context.Context, repeatable bool, fn func(context.Context, *Live) error) (Outcome, error) {
	s.use(1)
	defer s.use(-1)
	u, err := s.upstream()
	if err != nil {
		return Outcome{}, err
	}
	// Behind a legacy server's session there may be state, also if it is shared.
	return u.do(ctx, repeatable, s.info.Era == mcp.EraModern, fn)
}

// upstream returns the session's own upstream, or the pooled one.
func (s *Session) upstream() (*Upstream, error) {
	if s.own != nil {
		return s.own, nil
	}
	return s.pool.upstream(s.server, s.access)
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
func (s *Session) Info() *mcp.Info { return s.info }

// Status returns the state of the upstream behind the session.
func (s *Session) Status() Status {
	if s.own != nil {
		return s.own.Status()
	}
	return s.pool.status(sharedKey(s.server, s.access))
}

// ExpireTime returns when the session is closed unless it is used before.
func (s *Session) ExpireTime() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastUsed.Add(s.IdleTimeout)
}
