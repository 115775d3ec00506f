package pool

import "github.com/mcpbridge/mcpbridge/internal/mcp"

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

	// What follows is guarded by the upstream's mu.

	inFlight int
	// answered: the server has answered a call.
	answered bool
	// over: it is not handed out any more, and is closed when the last call has
	// left it.
	over bool
	// closing: it is being closed.
	closing bool
}
