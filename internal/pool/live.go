package pool

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

// A Live is an open session of an upstream.
type Live struct {
	*mcp.Session
	// Server is whose session it is.
	Server *Server
	// Generation numbers it among all sessions of the pool.
	Generation int64

	upstream *Upstream
	// level is what the log level was set to. It is the keeper's.
	level string
	// aside: it is not the first session of its upstream, which is the one that
	// tells of changes.
	aside atomic.Bool
	// left: it is over, and watchers are to be served by another session.
	left atomic.Bool

	// What follows is guarded by the upstream's mu.

	inFlight int
	lastUsed time.Time
	// answered: the server has answered a call.
	answered bool
	// over: it is not handed out any more, and is closed when the last call has
	// left it.
	over bool
	// closing: it is being closed.
	closing bool
	// expires is when it is replaced. Zero: never.
	expires time.Time
	health  health
}

// ended reports whether the session can carry no further call.
func (l *Live) ended() bool {
	select {
	case <-l.Done():
		return true
	default:
		return false
	}
}

// ageSpread is the part of its age by which a session may be replaced early, so
// that those which were opened together are not replaced together.
const ageSpread = 0.1

// begin notes that the session is in use from now on.
func (l *Live) begin(now time.Time, generation int64, maxAge time.Duration) {
	l.Generation, l.lastUsed = generation, now
	if maxAge > 0 {
		l.expires = now.Add(maxAge - time.Duration(rand.Float64()*ageSpread*float64(maxAge))) //nolint:gosec // jitter needs no secrecy
	}
}

// hears returns what gets the notifications of a session that stands beside
// others: of what is the same on all, only the first one tells.
func (l *Live) hears(notify func(jsonrpc.Message) bool) func(jsonrpc.Message) bool {
	return func(msg jsonrpc.Message) bool {
		return l.aside.Load() && !read(msg).private() || notify(msg)
	}
}
