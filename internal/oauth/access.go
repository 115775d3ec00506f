package oauth

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// An access is one principal's way into one MCP server.
type access struct {
	a         *Authorizer
	principal string
	// key is where the token is kept.
	key string
	// lastUsed is in nanoseconds since 1970.
	lastUsed atomic.Int64

	// current is the token in use, nil if there is none.
	current atomic.Pointer[token]

	mu sync.Mutex // guards what follows
	// renewal is under way, nil if none is.
	renewal *renewal
	// waiting is what a person is asked for, nil if nothing is.
	waiting *flow
	stepUps map[string]stepUp
}

// A renewal is one attempt to get a token, for everybody who waits for it.
type renewal struct {
	done  chan struct{}
	token *token
	err   error
}

// A stepUp counts how often more scopes were asked for, for the same reason.
type stepUp struct {
	count int
	since time.Time
}

// The bounds of stepping up: "Clients SHOULD implement retry limits" (spec
// 2025-11-25, basic/authorization#step-up-authorization-flow). With the first
// authorization these make three attempts.
const (
	maxStepUps      = 2
	maxStepUpScopes = 64
)

func newAccess(a *Authorizer, principal string) *access {
	x := &access{a: a, principal: principal, key: keyOf("token", a.id, principal), stepUps: make(map[string]stepUp)}
	if text, ok := a.store().Get(x.key); ok {
		if t := parseToken(text); t != nil {
			t.accepted.Store(true)
			x.current.Store(t)
		}
	}
	return x
}

func (x *access) use() { x.lastUsed.Store(time.Now().UnixNano()) }

// busy reports whether a token is being fetched, or a person asked for consent.
// It does not wait to find out: the manager, which asks, is locked.
func (x *access) busy() bool {
	if !x.mu.TryLock() {
		return true
	}
	defer x.mu.Unlock()
	return x.renewal != nil || x.waitingLocked(nil) != nil
}

// keep makes t the token in use.
func (x *access) keep(ctx context.Context, t *token) {
	x.current.Store(t)
	if err := save(x.a.store(), x.key, t); err != nil {
		x.a.m.opts.Logger.WarnContext(ctx, "token is kept in memory only", "server", x.a.cfg.Name, "error", err)
	}
}

// forget drops t, unless another one has taken its place.
func (x *access) forget(ctx context.Context, t *token) {
	if t == nil || !x.current.CompareAndSwap(t, nil) {
		return
	}
	if err := x.a.store().Put(x.key, nil); err != nil {
		x.a.m.opts.Logger.WarnContext(ctx, "token is not erased", "server", x.a.cfg.Name, "error", err)
	}
}

// usable returns the token for the next request, nil if there is none. One that
// has expired is replaced first, if that takes nobody's consent.
func (x *access) usable(ctx context.Context) (*token, error) {
	x.use()
	t := x.current.Load()
	if !x.speaksFor(ctx, t) {
		x.forget(ctx, t)
		return nil, nil
	}
	if t == nil || !t.expired() || t.Refresh == "" && x.a.cfg.Credentials.Grant == AuthorizationCode {
		return t, nil
	}
	return x.renew(ctx, t, nil)
}

// renew returns a token other than used: the one that somebody else has got in
// the meantime, or a new one. c is the challenge that used has met; nil: it has
// expired. Renewals happen one at a time; each caller leaves on its own ctx.
func (x *access) renew(ctx context.Context, used *token, c *challenge) (*token, error) {
	for {
		r, mine, err := x.begin(ctx, used, c)
		if err != nil {
			return nil, err
		}
		if r == nil {
			t := x.current.Load()
			if x.speaksFor(ctx, t) {
				return t, nil
			}
			if x.forget(ctx, t); c == nil {
				return nil, nil
			}
			used = nil
			continue
		}
		select {
		case <-r.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if mine || r.err != nil && x.a.cfg.Credentials.Identity == nil {
			return r.token, r.err
		}
	}
}

// speaksFor reports whether the token was issued for the ID token that comes with
// the call that ctx is of: a caller may work for several persons. What is of no
// call has no ID token, and goes with any.
func (x *access) speaksFor(ctx context.Context, t *token) bool {
	id := x.a.cfg.Credentials.Identity
	if id == nil || t == nil {
		return true
	}
	text, err := id.Token(ctx)
	return err != nil || fingerprintOf(text) == t.Identity
}

// begin returns the renewal to wait for, nil if it has happened already. mine: it
// was begun for this caller.
func (x *access) begin(ctx context.Context, used *token, c *challenge) (r *renewal, mine bool, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if t := x.current.Load(); t != nil && t != used {
		return nil, false, nil
	}
	if x.renewal != nil {
		return x.renewal, false, nil
	}
	r = &renewal{done: make(chan struct{})}
	err = x.a.m.start(ctx, func(ctx context.Context) {
		failure := x.traced(ctx, func(ctx context.Context) error { return x.obtain(ctx, used, c) })
		x.mu.Lock()
		defer x.mu.Unlock()
		x.renewal, r.token, r.err = nil, x.current.Load(), failure
		close(r.done)
	})
	if err != nil {
		return nil, false, err
	}
	x.renewal = r
	return r, true, nil
}

// mayStepUp reports whether the scopes that are missing may be asked for, and
// counts it.
func (x *access) mayStepUp(c *challenge) bool {
	reason := strings.Join(c.scopes, " ")
	now := time.Now()
	x.mu.Lock()
	defer x.mu.Unlock()
	s, known := x.stepUps[reason]
	over := func(s stepUp) bool { return now.Sub(s.since) > x.a.m.opts.ConsentTime }
	if !known && len(x.stepUps) >= maxStepUpScopes {
		maps.DeleteFunc(x.stepUps, func(_ string, s stepUp) bool { return over(s) })
		if len(x.stepUps) >= maxStepUpScopes {
			return false
		}
	}
	if over(s) {
		s = stepUp{since: now}
	}
	if x.waitingLocked(c.scopes) != nil {
		return true // it is being asked for, and counted
	}
	if s.count >= maxStepUps {
		return false
	}
	s.count++
	x.stepUps[reason] = s
	return true
}

// waitingLocked returns what a person is asked for, if it is still good for that
// and has all these scopes.
func (x *access) waitingLocked(scopes []string) *flow {
	f := x.waiting
	if f == nil || !time.Now().Before(f.expires) || f.taken.Load() {
		return nil
	}
	for _, s := range scopes {
		if !slices.Contains(f.scopes, s) {
			return nil
		}
	}
	return f
}

// noteReply learns from a reply whether the token is good.
func (t *token) noteReply(resp *http.Response) {
	if resp.StatusCode != http.StatusUnauthorized && !t.accepted.Load() {
		t.accepted.Store(true)
	}
}
