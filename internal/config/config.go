// Package config reads what the operator wants and says everything that is
// wrong with it at once.
//
// [Load] merges flags, MCPBRIDGE_* variables, one YAML file and the built-in
// defaults, in that order of precedence, and adds the MCP servers of the
// mcpServers files that other products write. A mistake never stops the
// reading: all of them come back together as [Problems], each with the key, the
// place it was written, and the fix.
package config

import (
	"log/slog"
	"time"
)

// Config is everything an operator can set. [Load] returns a complete and valid
// one; code that builds its own starts from [Default] and calls
// [Config.Validate]. Nobody writes to a Config after that, so any number of
// goroutines may read it.
type Config struct {
	GRPC           GRPC
	HTTP           HTTP
	Admin          Admin
	Auth           Auth
	TLS            TLS
	Principal      Principal
	InsecureNoAuth bool // serve callers that are not authenticated, on any address
	Log            Log
	Shutdown       Shutdown
	Calls          Calls
	Connect        Connect
	Idle           Idle
	Sessions       Sessions
	Children       Children
	Limits         Limits
	Policy         Policy
	OAuth          OAuth
	Telemetry      Telemetry

	// MCPConfigFiles are the mcpServers files that were read. Paths that the
	// YAML file names are relative to that file.
	MCPConfigFiles []string

	// Servers are the enabled MCP servers by name. Any non-empty text is a
	// name. When there are none, the caller is expected to serve the embedded
	// demo server instead.
	Servers map[string]Server

	// Groups are servers behind one name, by that name.
	Groups map[string]Group

	// Warnings are what was ignored but is probably worth a look, such as
	// fields of an mcpServers file that mean nothing here.
	Warnings []Problem
}

// GRPC is the gRPC listener and its limits.
type GRPC struct {
	Addr                 Addr // may be a Unix socket
	Reflection           bool
	MaxRecvBytes         int64 // one request message
	MaxSendBytes         int64 // one response message
	MaxConcurrentStreams int   // per connection
}

// HTTP is the REST listener and its limits.
type HTTP struct {
	Addr              Addr
	AllowedHosts      []string // values of Host to answer, beside the address listened on
	AllowedOrigins    []string // values of Origin to answer; none means no browser page
	MaxBodyBytes      int64    // one request body
	ReadHeaderTimeout time.Duration
	ReadTimeout       time.Duration // headers and body of one request
	IdleTimeout       time.Duration // keep-alive connection without a request
}

// Admin is the listener for health, metrics and profiles.
type Admin struct {
	Addr  Addr
	PProf bool
}

// Log says what is logged, and how.
type Log struct {
	Level  slog.Level
	Format string // LogAuto, LogJSON or LogText
}

// The values of [Log].Format.
const (
	LogAuto = "auto" // text on a terminal, JSON elsewhere
	LogJSON = "json"
	LogText = "text"
)

// Shutdown bounds the steps of a graceful stop, in the order they run.
type Shutdown struct {
	PreStop time.Duration // keep serving after readiness went false; 0 means no wait
	Grace   time.Duration // let calls in flight finish; 0 cancels them at once
	Close   time.Duration // close upstream sessions; 0 kills them at once
}

// Calls bounds the time of one MCP call.
type Calls struct {
	DefaultTimeout time.Duration // for a caller that sets no deadline
	MaxTimeout     time.Duration // ceiling for every caller
	InputTimeout   time.Duration // for answers to a server's questions
}

// Connect bounds the opening of an upstream session.
type Connect struct {
	Timeout      time.Duration // one connect as a whole, shared by all who wait for it
	ProbeTimeout time.Duration // the part that finds out which protocol the server speaks
	Backoff      Backoff
	Breaker      Breaker
}

// Breaker says when a server is given up for the time being.
type Breaker struct {
	Failures int           // in a row
	Window   time.Duration // after which they are forgotten
}

// Backoff spaces the attempts to connect again: a random wait of up to
// Base*Multiplier^n, at most Max.
type Backoff struct {
	Base       time.Duration
	Multiplier float64
	Max        time.Duration
}

// Idle is how long a shared upstream nobody uses stays open.
type Idle struct {
	HTTP  time.Duration // http, sse and websocket
	Stdio time.Duration // child processes, which cost more to start again
}

// Sessions bounds what Connect hands out.
type Sessions struct {
	Max         int           // in the whole process
	IdleTimeout time.Duration // for a caller that asks for none
}

// Children bounds the stdio servers.
type Children struct {
	Max int // processes at a time
}

// Limits bounds what MCP servers and callers can make us hold. Every limit is on.
type Limits struct {
	MessageBytes      int64 // one message: a line, an event, a body, a WebSocket message
	CallBytes         int64 // everything received for one call
	JSONDepth         int   // nesting of one message
	ListPages         int   // pages followed for one list
	ListItems         int   // items in one list
	ListBytes         int64 // all pages of one list
	CallNotifications int   // notifications during one call

	CallerGroups          int   // groups that one caller has created
	GroupMembers          int   // members of one of these
	IdempotencyKeys       int   // of all callers
	CallerIdempotencyKeys int   // of one caller once half of all are taken
	IdempotencyBytes      int64 // the results kept for them
}

// Telemetry holds what the standard OTEL_* variables cannot say.
type Telemetry struct {
	CaptureArguments bool // record tool arguments and results on spans
}
