// Package pool keeps MCP sessions: it opens them when they are first needed,
// once for everybody who waits, shares them among the calls that may share
// them, opens them anew after a failure, and closes them when nobody needs
// them any more.
package pool

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

// Options configure a [Pool]. Zero fields take the default.
type Options struct {
	// ConnectTimeout bounds one shared attempt to open a session, whoever waits
	// for it. Default 30 s.
	ConnectTimeout time.Duration
	// Backoff spaces the attempts to open a session.
	Backoff Backoff
	// CloseTimeout bounds the closing of one session. Default 6 s: a child
	// process gets two seconds to end by itself and three after SIGTERM.
	CloseTimeout time.Duration
	// MaxSessions bounds the sessions that callers have open. Default 2,000.
	MaxSessions int
	// MaxChildren bounds the child processes. Default 64.
	MaxChildren int
	// SessionIdle is how long a caller's session may go unused, unless the
	// caller asks for another time. Default 10 min.
	SessionIdle time.Duration
	// OnChange, if set, is told of each change of state. It must not block and
	// not call the pool.
	OnChange func(Change)
	Logger   *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.ConnectTimeout <= 0 {
		o.ConnectTimeout = 30 * time.Second
	}
	if o.CloseTimeout <= 0 {
		o.CloseTimeout = 6 * time.Second
	}
	if o.MaxSessions <= 0 {
		o.MaxSessions = 2000
	}
	if o.MaxChildren <= 0 {
		o.MaxChildren = 64
	}
	if o.SessionIdle <= 0 {
		o.SessionIdle = 10 * time.Minute
	}
	if o.OnChange == nil {
		o.OnChange = func(Change) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Backoff = o.Backoff.withDefaults()
	return o
}

// A Pool keeps the sessions of one bridge. All methods may be called
// concurrently. Its owner closes it.
type Pool struct {
	opts    Options
	servers map[string]*Server

	// generation numbers the sessions opened, so that a cursor of one is not
	// taken for a cursor of another.
	generation atomic.Int64
	children   atomic.Int64
	// background counts connects and closes under way.
	background sync.WaitGroup
	// closing bounds the closing of sessions: cut ends what is left of it.
	closing context.Context //nolint:containedctx // lives as long as the pool does
	cut     context.CancelFunc

	// mu guards what follows. It is held before an Upstream's.
	mu        sync.Mutex
	upstreams map[Key]*Upstream
	sessions  map[string]*Session
	expired   map[string]tombstone
	closed    bool
}

// A Server is something to open sessions with.
type Server struct {
	// Name is the key of the configuration. Empty for a transport that a caller
	// brought.
	Name string
	// DisplayName is for people. Empty: what the server says.
	DisplayName string
	// Client opens the sessions.
	Client *mcp.Client
	// Stateful forbids shared sessions, and opening one anew unasked.
	Stateful bool
	// Shared lets principals share sessions.
	Shared bool
	// IdleTimeout is after how long without a call a pooled session is closed.
	// 0: 10 min, or 30 min for a child process.
	IdleTimeout time.Duration
	// CallTimeout is for calls that come without a deadline. 0: the default.
	CallTimeout time.Duration
	// Repeatable are the tools that the operator calls safe to run twice.
	Repeatable []string

	// info is what the server said last.
	info atomic.Pointer[mcp.Info]
}

// Info returns what the server last said of itself. The zero Info: nothing yet.
func (s *Server) Info() mcp.Info {
	if i := s.info.Load(); i != nil {
		return *i
	}
	return mcp.Info{}
}

func (s *Server) idleTimeout() time.Duration {
	switch {
	case s.IdleTimeout > 0:
		return s.IdleTimeout
	case s.Client.Peer().Network == "pipe":
		return 30 * time.Minute
	}
	return 10 * time.Minute
}

// A Key says which calls share an upstream.
type Key struct {
	// Server is the server's name.
	Server string
	// Principal is whose calls they are. Empty where principals share.
	Principal string
	// Session is the id of the session that owns the upstream. Empty for the
	// one that calls on the server's name share.
	Session string
}

// New returns a pool of sessions with the given servers, whose names must
// differ. It opens none.
func New(servers []*Server, o Options) *Pool {
	p := &Pool{
		opts:      o.withDefaults(),
		servers:   make(map[string]*Server, len(servers)),
		upstreams: make(map[Key]*Upstream),
		sessions:  make(map[string]*Session),
		expired:   make(map[string]tombstone),
	}
	p.closing, p.cut = context.WithCancel(context.Background())
	for _, s := range servers {
		p.servers[s.Name] = s
	}
	return p
}

// Server returns the configured server of that name.
func (p *Pool) Server(name string) (*Server, error) {
	if s, ok := p.servers[name]; ok {
		return s, nil
	}
	return nil, &NotFoundError{Kind: "server", Name: name}
}

// Servers returns the configured servers, by name.
func (p *Pool) Servers() []*Server {
	names := slices.Sorted(maps.Keys(p.servers))
	servers := make([]*Server, len(names))
	for i, name := range names {
		servers[i] = p.servers[name]
	}
	return servers
}

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
	return p.upstream(s, sharedKey(s, principal))
}

func sharedKey(s *Server, principal string) Key {
	if s.Shared {
		principal = ""
	}
	return Key{Server: s.Name, Principal: principal}
}

// upstream returns the upstream of that key, new if need be. It counts as use,
// so that it is not retired before the caller gets to use it.
func (p *Pool) upstream(s *Server, key Key) (*Upstream, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if u, ok := p.upstreams[key]; ok {
		u.touch()
		return u, nil
	}
	return p.addLocked(s, key, s.Client), nil
}

func (p *Pool) addLocked(s *Server, key Key, client *mcp.Client) *Upstream {
	u := &Upstream{pool: p, server: s, key: key, client: client, lastUsed: time.Now()}
	p.upstreams[key] = u
	return u
}

// ServerStatus returns the state of the upstream that the principal's calls on
// the server's name share, and how many upstreams to it the principal has.
func (p *Pool) ServerStatus(s *Server, principal string) (st Status, upstreams int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, u := range p.upstreams {
		if key.Server != s.Name || key.Principal != principal && key.Principal != "" {
			continue
		}
		us := u.Status()
		if us.State == Ready {
			upstreams++
		}
		if key == sharedKey(s, principal) {
			st = us
		}
	}
	return st, upstreams
}

// status returns the state of the upstream of that key, without making one.
func (p *Pool) status(key Key) Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u, ok := p.upstreams[key]; ok {
		return u.Status()
	}
	return Status{}
}

// Run closes what is not used any more, until ctx is done.
func (p *Pool) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			p.sweep(now)
		}
	}
}

// sweep expires sessions, and closes and forgets idle upstreams.
func (p *Pool) sweep(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expireLocked(now)
	for key, u := range p.upstreams {
		if u.retire(now) {
			delete(p.upstreams, key)
		}
	}
}

// cutTimeout is for what is cut to be gone: killed children have to be waited
// for.
const cutTimeout = 3 * time.Second

// Close closes all sessions, in parallel, and waits until nothing of them is
// left. When ctx is done the rest is cut, children with SIGKILL; it fails only
// if something outlives even that. Calls in flight fail, new ones get
// [ErrClosed].
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	upstreams := slices.Collect(maps.Values(p.upstreams))
	clear(p.upstreams)
	clear(p.sessions)
	p.mu.Unlock()
	for _, u := range upstreams {
		u.shut(ErrClosed)
	}
	done := make(chan struct{})
	go func() {
		p.background.Wait()
		close(done)
	}()
	defer p.cut()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	p.cut()
	timer := time.NewTimer(cutTimeout)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return fmt.Errorf("close the sessions: %w", context.Cause(ctx))
	}
}
