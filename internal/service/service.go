// Package service speaks protobuf: it answers the RPCs of McpService by calls
// on the sessions of a pool. A handler checks its request, makes the call and
// converts the result; what a failure becomes is decided in one place, see
// status.go.
package service

import (
	"log/slog"
	"net/url"
	"time"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/auth"
	"github.com/mcpbridge/mcpbridge/internal/group"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// Options configure a [Service]. Zero fields take the default.
type Options struct {
	// CallTimeout is for calls whose caller sets no limit. Default 60 s.
	CallTimeout time.Duration
	// MaxCallTimeout caps what callers may ask for. Default 15 min.
	MaxCallTimeout time.Duration
	// InputTimeout is how long a call that asked for input waits for the caller
	// to come back with it. Default 5 min.
	InputTimeout time.Duration
	// MaxSendBytes bounds a response, as the gRPC server's limit does.
	// Default 16 MiB.
	MaxSendBytes int
	// JSONDepth bounds the nesting of JSON in requests. Default 64.
	JSONDepth int
	// Lists bounds what `all` collects.
	Lists mcp.ListLimits
	// MaxGroups and MaxGroupMembers are those of [group.Options].
	MaxGroups, MaxGroupMembers int
	// Keys bounds the calls with idempotency keys.
	Keys KeyLimits
	// Policy says which transports callers may bring. Nil: none.
	Policy Policy
	// Access says who may use which of the configured servers, by their names,
	// and which of their tools. A server without an entry is for everybody.
	Access map[string]*auth.Access
	// Groups are those of the configuration, by the last part of their names.
	Groups map[string]group.Spec
	// Dial makes a dialer for a transport that a caller brought and the policy
	// allows.
	Dial func(CallerTransport, Personal) (transport.Dialer, error)
	// PersonalDial makes a dialer for a configured server, that shows it what a
	// caller wants it to see.
	PersonalDial func(server string, p Personal) (transport.Dialer, error)
	// Authorizations wait for persons. Nil: none do.
	Authorizations Authorizations
	// Client configures the clients of such transports.
	Client mcp.Options
	Logger *slog.Logger
}

// A Policy is what the operator allows callers to bring to Connect.
type Policy interface {
	AllowsURL(u *url.URL) bool
	AllowsCommand(argv []string) bool
}

// A CallerTransport is a transport that a caller brought to Connect.
type CallerTransport struct {
	// Kind is stdio, http, sse or websocket.
	Kind string
	// Argv is the command of stdio and its arguments.
	Argv []string
	// URL is where the others connect to.
	URL string
}

func (o Options) withDefaults() Options {
	if o.CallTimeout <= 0 {
		o.CallTimeout = time.Minute
	}
	if o.MaxCallTimeout <= 0 {
		o.MaxCallTimeout = 15 * time.Minute
	}
	if o.InputTimeout <= 0 {
		o.InputTimeout = mcp.DefaultAskTimeout
	}
	if o.MaxSendBytes <= 0 {
		o.MaxSendBytes = 16 << 20
	}
	if o.JSONDepth <= 0 {
		o.JSONDepth = transport.DefaultDepth
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Lists = o.Lists.WithDefaults()
	return o
}

// A Service implements McpService over a pool. RPCs that are not written yet
// answer UNIMPLEMENTED.
type Service struct {
	mcpbridgev1.UnimplementedMcpServiceServer

	pool *pool.Pool
	opts Options

	states    *stateSealer
	questions *questions
	parked    *parkedCalls
	inquiries *inquiries
	dialogues dialogues
	flights   *flights
	groups    *group.Groups
}

var _ mcpbridgev1.McpServiceServer = (*Service)(nil)

// New returns a service of the sessions that p keeps. It does not own p. Whoever
// calls New closes the service.
func New(p *pool.Pool, o Options) *Service {
	s := &Service{
		pool: p, opts: o.withDefaults(),
		states: newStateSealer(), questions: newQuestions(), parked: newParkedCalls(), inquiries: newInquiries(),
	}
	s.flights = newFlights(s.opts.Keys)
	s.groups = group.New(o.Groups, group.Options{
		Find: s.source, MaxItems: s.opts.Lists.Items, MaxBytes: s.opts.Lists.Bytes,
		MaxGroups: s.opts.MaxGroups, MaxMembers: s.opts.MaxGroupMembers, Logger: s.opts.Logger,
	})
	return s
}

// Close ends the groups. What their members are doing goes on.
func (s *Service) Close() { s.groups.Close() }
