// Package oauth obtains and keeps the tokens that MCP servers ask for: OAuth 2.1
// as MCP defines it (spec 2026-07-28, basic/authorization, and its
// predecessors), for persons, for machines and for enterprises.
//
// A [Manager] belongs to the whole bridge, an [Authorizer] to one server. What
// an Authorizer hands out is an [http.RoundTripper] for one principal: it adds
// the principal's token to requests, gets a new one when the server asks for
// it, and fails with a [RequiredError] where a person has to consent.
package oauth

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"time"
)

// Options configure a [Manager]. Zero fields take the default.
type Options struct {
	// Store keeps the tokens of configured servers, and the clients that were
	// registered for them. Nil: they are kept in memory.
	Store Store
	// RedirectURI returns where authorization servers send a person's browser,
	// unless the credentials say otherwise. It is called when it is first needed.
	RedirectURI func() string
	// ClientMetadataURL is the client id towards authorization servers that
	// support client id metadata documents. Empty: there is no such document.
	ClientMetadataURL string
	// ClientName is what persons are shown. Default "mcpbridge".
	ClientName string
	// ConsentTime is how long a person has. Default 10 min.
	ConsentTime time.Duration
	// Logger is told what becomes of authorizations. It never gets a token, a
	// code or a state.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Store == nil {
		o.Store = NewMemory()
	}
	if o.RedirectURI == nil {
		o.RedirectURI = func() string { return "" }
	}
	if o.ClientName == "" {
		o.ClientName = "mcpbridge"
	}
	if o.ConsentTime <= 0 {
		o.ConsentTime = 10 * time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// renewTimeout bounds one attempt to get a token, whoever waits for it.
const renewTimeout = 30 * time.Second

// What a Manager keeps at most of what callers bring about, be it of configured
// servers or of their own. The oldest goes first.
const (
	maxFlows    = 10_000
	maxAccesses = 10_000
)

// A Manager keeps the authorizations of one bridge. All methods may be called
// concurrently. Its owner closes it.
type Manager struct {
	opts Options
	// memory keeps what belongs to servers that callers brought.
	memory Store
	flows  *flows

	life       context.Context //nolint:containedctx // lives as long as the manager does
	end        context.CancelFunc
	background sync.WaitGroup

	mu       sync.Mutex // guards what follows
	closed   bool
	accesses map[accessKey]*access
}

// An accessKey says whose access it is, and to what.
type accessKey struct{ server, principal string }

// New returns a Manager. It does no I/O.
func New(o Options) *Manager {
	m := &Manager{
		opts: o.withDefaults(), memory: NewMemory(), flows: newFlows(maxFlows), accesses: make(map[accessKey]*access),
	}
	m.life, m.end = context.WithCancel(context.Background())
	return m
}

var errClosed = errors.New("the bridge is shutting down")

// Close ends what is under way and waits for it.
func (m *Manager) Close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.end()
	m.background.Wait()
}

// start runs f in the background, within [renewTimeout] and until the manager is
// closed. It keeps the values of ctx but not its end.
func (m *Manager) start(ctx context.Context, f func(context.Context)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return errClosed
	}
	m.background.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTimeout)
		defer cancel()
		defer context.AfterFunc(m.life, cancel)()
		f(ctx)
	})
	return nil
}

// access returns the principal's access to the server of a.
func (m *Manager) access(a *Authorizer, principal string) *access {
	key := accessKey{a.id, principal}
	m.mu.Lock()
	defer m.mu.Unlock()
	x, ok := m.accesses[key]
	if !ok {
		if len(m.accesses) >= maxAccesses {
			m.evictLocked()
		}
		x = newAccess(a, principal)
		m.accesses[key] = x
	}
	x.use()
	return x
}

// evictLocked forgets the access that was used longest ago, one that is busy only
// if all are. Its token stays in the store. Connections that use it go on with it.
func (m *Manager) evictLocked() {
	var idle, oldest accessKey
	idleSince, since := int64(math.MaxInt64), int64(math.MaxInt64)
	for key, x := range m.accesses {
		used := x.lastUsed.Load()
		if used < since {
			oldest, since = key, used
		}
		if used < idleSince && !x.busy() {
			idle, idleSince = key, used
		}
	}
	if idleSince < math.MaxInt64 {
		oldest = idle
	}
	delete(m.accesses, oldest)
}
