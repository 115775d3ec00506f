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

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// Options configure a [Pool]. Zero fields take the default.
type Options struct {
	// ConnectTimeout bounds one shared attempt to open a session, whoever waits
	// for it. Default 30 s.
	ConnectTimeout time.Duration
	// Backoff spaces the attempts to open a session.
	Backoff Backoff
	// Breaker says when a server is given up for the time being.
	Breaker Breaker
	// CloseTimeout bounds the closing of one session. Default 6 s: a child
	// process gets two seconds to end by itself and three after SIGTERM.
	CloseTimeout time.Duration
	// MaxSessions bounds the sessions that callers have open. Default 2,000.
	MaxSessions int
	// MaxPrincipalSessions bounds those of one principal. 0: only MaxSessions
	// does.
	MaxPrincipalSessions int
	// MaxChildren bounds the child processes. Default 64.
	MaxChildren int
	// SessionIdle is how long a caller's session may go unused, unless the
	// caller asks for another time. Default 10 min.
	SessionIdle time.Duration
	// OnChange, if set, is told of each change of state. It must not block and
	// not call the pool.
	OnChange func(Change)
	// MeterProvider measures. Nil: nothing does.
	MeterProvider metric.MeterProvider
	Logger        *slog.Logger
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
	if o.MeterProvider == nil {
		o.MeterProvider = noop.NewMeterProvider()
	}
	o.Backoff = o.Backoff.withDefaults()
	o.Breaker = o.Breaker.withDefaults()
	return o
}

// A Pool keeps the sessions of one bridge. All methods may be called
// concurrently. Its owner closes it.
type Pool struct {
	opts    Options
	servers map[string]*Server
	metrics *metrics

	// generation numbers the sessions opened, so that a cursor of one is not
	// taken for a cursor of another.
	generation atomic.Int64
	children   atomic.Int64
	// background counts connects and closes under way.
	background sync.WaitGroup
	// closing bounds the closing of sessions: cut ends what is left of it.
	closing context.Context //nolint:containedctx // lives as long as the pool does
	cut     context.CancelFunc

	journal journal

	// mu guards what follows. It is held before an Upstream's.
	mu        sync.Mutex
	upstreams map[*Upstream]struct{}
	// shared are those of them that calls on a server's name share.
	shared   map[Key]*Upstream
	sessions map[string]*Session
	// owned counts the sessions of each principal.
	owned   map[string]int
	expired tombstones
	// free are the upstreams of their own that no call has at the moment, the
	// last used last. Their keys have no Slot.
	free map[Key][]*Upstream
	// slots numbers the upstreams of their own.
	slots    int64
	draining bool
	closed   bool
}

// New returns a pool of sessions with the given servers, whose names must
// differ. It opens none.
func New(servers []*Server, o Options) *Pool {
	p := &Pool{
		opts:      o.withDefaults(),
		servers:   make(map[string]*Server, len(servers)),
		upstreams: make(map[*Upstream]struct{}),
		shared:    make(map[Key]*Upstream),
		sessions:  make(map[string]*Session),
		owned:     make(map[string]int),
		free:      make(map[Key][]*Upstream),
	}
	p.closing, p.cut = context.WithCancel(context.Background())
	for _, s := range servers {
		p.servers[s.Name] = s
	}
	p.metrics = newMetrics(p)
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

// sweepInterval is how often it is looked for what has to be done.
const sweepInterval = time.Second

// Run closes what is not used any more, and sees to the health of what is, until
// ctx is done.
func (p *Pool) Run(ctx context.Context) {
	tick := time.NewTicker(sweepInterval)
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

// sweep expires sessions, closes and forgets idle upstreams, and tends the others.
func (p *Pool) sweep(now time.Time) {
	p.lock()
	defer p.unlock()
	p.expireLocked(now)
	for u := range p.upstreams {
		if u.retire(now) {
			p.forgetLocked(u)
			continue
		}
		u.tend(now)
	}
}

// forgetLocked forgets an upstream that is over.
func (p *Pool) forgetLocked(u *Upstream) {
	delete(p.upstreams, u)
	switch {
	case u.key.Pooled():
		delete(p.shared, u.key)
	case u.key.Slot != 0:
		p.unfreeLocked(u)
	}
}

// Drain ends all watchers with [ErrClosed], now and from now on. Calls go on.
func (p *Pool) Drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draining = true
	for u := range p.upstreams {
		u.hub.end(ErrClosed)
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
	p.metrics.close() // which waits for a reading, and that for mu
	p.mu.Lock()
	p.closed = true
	upstreams := slices.Collect(maps.Keys(p.upstreams))
	clear(p.upstreams)
	clear(p.shared)
	clear(p.sessions)
	clear(p.free)
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
