package pool

import (
	"sync/atomic"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

// A Server is something to open sessions with.
type Server struct {
	// Name is the key of the configuration. Empty for a transport that a caller
	// brought.
	Name string
	// DisplayName is for people. Empty: what the server says.
	DisplayName string
	// Client opens the sessions, unless ClientFor does. It also says where the
	// server is.
	Client *mcp.Client
	// ClientFor, if set, returns the client that opens sessions with that access.
	// It must not wait for anything. Nil: Client does, whoever calls.
	ClientFor func(Access) *mcp.Client
	// Personal: the server sees one principal differently from another, without
	// their doing. It is implied by ClientFor.
	Personal bool
	// Stateful forbids shared sessions, and opening one anew unasked.
	Stateful bool
	// Shared lets principals share sessions.
	Shared bool
	// IdleTimeout is after how long without a call a pooled session is closed.
	// 0: 10 min, or 30 min for a child process.
	IdleTimeout time.Duration
	// MaxUpstreams is how many sessions calls on the server's name may share, for
	// servers that do one thing at a time. 0: one.
	MaxUpstreams int
	// WarmUpstreams is how many of these are kept free for calls to come.
	WarmUpstreams int
	// MaxSessionAge is after how long a session is replaced, unless a caller owns
	// what is behind it. 0: never.
	MaxSessionAge time.Duration
	// HealthInterval is after how long a silent session is asked for a sign of
	// life. 0: never.
	HealthInterval time.Duration
	// CallTimeout is for calls that come without a deadline. 0: the default.
	CallTimeout time.Duration
	// Repeatable are the tools that the operator calls safe to run twice.
	Repeatable []string

	// spoken is what the server spoke last, whoever called. said is what it told
	// last a session that was nobody's own.
	spoken, said atomic.Pointer[mcp.Info]
	// answersPings: it has answered one.
	answersPings atomic.Bool
	circuit      circuit
}

// Era returns the era that the server spoke last.
func (s *Server) Era() mcp.Era { return infoOf(&s.spoken).Era }

// ProtocolVersion returns the revision that the server spoke last; empty: none
// yet.
func (s *Server) ProtocolVersion() string { return infoOf(&s.spoken).ProtocolVersion }

// infoOf returns what is known, the zero Info if nothing is yet.
func infoOf(p *atomic.Pointer[mcp.Info]) *mcp.Info {
	if i := p.Load(); i != nil {
		return i
	}
	return new(mcp.Info)
}

// tell notes what the server has told a session. What it tells somebody of whom
// it knows who that is may be for nobody else.
func (s *Server) tell(i *mcp.Info, personal bool) {
	s.spoken.Store(&mcp.Info{Era: i.Era, ProtocolVersion: i.ProtocolVersion})
	if !personal {
		s.said.Store(i)
	}
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
