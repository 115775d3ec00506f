package config

import (
	"net/url"
	"time"
)

// Server is one MCP server: how to reach it, and how to treat it. In a Server
// that [Load] returns, zero durations and sizes are replaced by the bridge's.
type Server struct {
	Type ServerType

	// Of a stdio server.
	Command string // looked up in PATH unless it has a slash
	Args    Args
	Env     map[string]Secret // added to the short list that every child gets
	Cwd     string            // absolute; "" is the bridge's own

	// Of all others.
	URL     Secret // paths and queries of MCP URLs often carry keys; see [Server.Origin]
	Headers map[string]Secret
	// ForwardHeaders are sent as the caller's metadata has them: by its name there,
	// the header's name.
	ForwardHeaders map[string]string
	OAuth          ServerOAuth

	Protocol        string        // ProtocolAuto, ProtocolModern or the date of a legacy version
	Stateful        bool          // callers must Connect, and a lost session is not replaced
	Shared          bool          // principals may share one upstream
	Timeout         time.Duration // of a call without a deadline; 0 is Calls.DefaultTimeout
	IdleTimeout     time.Duration // 0 is Idle.Stdio or Idle.HTTP
	MaxUpstreams    int           // connections that calls on its name share; 0 is 1
	WarmUpstreams   int           // how many of them are kept free
	MaxSessionAge   time.Duration // after which a shared connection is replaced; 0 is never
	HealthInterval  time.Duration // of silence, before a connection is probed; 0 is never
	MaxMessageBytes int64         // 0 is Limits.MessageBytes
	RepeatableTools []string      // tools whose calls may be sent twice
	Allow           []string      // who may use it; none means everybody
	AllowTools      []string      // tools that may be used; none means all
	DenyTools       []string      // tools that may not
	TraceContext    bool          // send traceparent and tracestate
	Baggage         bool          // send baggage
}

// ServerType is the transport an MCP server is reached by.
type ServerType string

// The server types.
const (
	TypeStdio     ServerType = "stdio"
	TypeHTTP      ServerType = "http" // Streamable HTTP
	TypeSSE       ServerType = "sse"  // HTTP+SSE of 2024-11-05
	TypeWebSocket ServerType = "websocket"
)

// The values of [Server].Protocol that are no version dates.
const (
	ProtocolAuto   = "auto"   // ask the server
	ProtocolModern = "modern" // 2026-07-28, without asking
)

// legacyProtocols are the versions with an initialize handshake.
func legacyProtocols() []string {
	return []string{"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"}
}

// Origin returns scheme, host and port of the URL, which are safe to print, and
// "" for a stdio server.
func (s Server) Origin() string {
	u, err := url.Parse(s.URL.Reveal())
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
