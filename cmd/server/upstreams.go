package main

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"

	"go.opentelemetry.io/otel/propagation"

	"github.com/mcpbridge/mcpbridge/internal/config"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/oauth"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/service"
	"github.com/mcpbridge/mcpbridge/internal/telemetry"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// upstreams make the dialers of all MCP servers: those of the configuration,
// and those that callers bring. It owns the HTTP connections to them.
type upstreams struct {
	cfg *config.Config
	tel *telemetry.Telemetry
	log *slog.Logger
	// trusted dials what the operator configured, guarded what callers bring.
	trusted, guarded *transport.HTTPClient
	// public and private dial what configured servers name as their authorization
	// servers: at public addresses, and at those of one's own network too.
	public, private *transport.HTTPClient
	oauth           *oauth.Manager

	servers []*pool.Server
}

func newUpstreams(cfg *config.Config, tel *telemetry.Telemetry, o *oauth.Manager, log *slog.Logger) (*upstreams, error) {
	u := &upstreams{
		cfg: cfg, tel: tel, oauth: o, log: log,
		trusted: transport.NewHTTPClient(nil, nil),
		guarded: transport.NewHTTPClient(&transport.Guard{AllowPrivate: cfg.Policy.AllowPrivateAddresses}, nil),
		public:  transport.NewHTTPClient(&transport.Guard{}, nil),
		private: transport.NewHTTPClient(&transport.Guard{AllowPrivate: true}, nil),
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Servers)) {
		s, err := u.server(name, cfg.Servers[name])
		if err != nil {
			return nil, fmt.Errorf("servers.%s: %w", name, err)
		}
		u.servers = append(u.servers, s)
	}
	if len(u.servers) == 0 {
		s, err := u.demo()
		if err != nil {
			return nil, err
		}
		u.servers = []*pool.Server{s}
	}
	return u, nil
}

// demo is the server of a bridge that has none configured: this binary, as a
// child process.
func (u *upstreams) demo() (*pool.Server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("embedded demo server: %w", err)
	}
	s := config.DefaultServer()
	s.Type, s.Command, s.Args = config.TypeStdio, self, []string{demoCommand}
	return u.server(demoCommand, s)
}

func (u *upstreams) server(name string, s config.Server) (*pool.Server, error) {
	dialer, err := u.dialer(name, s, personal{})
	if err != nil {
		return nil, err
	}
	client := mcp.NewClient(dialer, u.clientOptions(s, u.log.With("server", name)))
	server := &pool.Server{
		Name:        name,
		Client:      client,
		Personal:    len(s.ForwardHeaders) > 0,
		Stateful:    s.Stateful,
		Shared:      s.Shared,
		IdleTimeout: s.IdleTimeout,
		CallTimeout: s.Timeout,
		Repeatable:  s.RepeatableTools,

		MaxUpstreams: s.MaxUpstreams, WarmUpstreams: s.WarmUpstreams,
		MaxSessionAge: s.MaxSessionAge, HealthInterval: s.HealthInterval,
	}
	if isPersonal(s) {
		own := personalClients{client: client, dialer: func(principal string) (transport.Dialer, error) {
			return u.dialer(name, s, personal{principal: principal})
		}}
		server.ClientFor = own.of
	}
	return server, nil
}

// dialer makes the dialer of a configured server for a caller.
func (u *upstreams) dialer(name string, s config.Server, p personal) (transport.Dialer, error) {
	limits := transport.Limits{
		MessageBytes: s.MaxMessageBytes, CallBytes: u.cfg.Limits.CallBytes, Depth: u.cfg.Limits.JSONDepth,
	}
	if s.Type == config.TypeStdio {
		return transport.NewStdio(transport.StdioConfig{
			Command: s.Command, Args: s.Args, Env: environ(s.Env), Dir: s.Cwd, Limits: limits, Logger: u.log,
		}), nil
	}
	if err := checkForwards(s); err != nil {
		return nil, err
	}
	wrap, err := u.authorizedWrap(name, s, p)
	if err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	return remote{
		kind: s.Type, url: s.URL.Reveal(), header: p.over(s.Headers), limits: limits,
		connections: u.trusted, propagator: propagator(s), wrap: forwarding(s.ForwardHeaders, wrap), log: u.log,
	}.dialer()
}

// personalDialer makes the dialer of a configured server for a caller that has
// credentials or headers of its own.
func (u *upstreams) personalDialer(name string, p service.Personal) (transport.Dialer, error) {
	return u.dialer(name, u.cfg.Servers[name], personal{principal: p.Principal, header: p.Header, credentials: p.Credentials})
}

// callerDialer makes the dialer of a transport that a caller brought.
func (u *upstreams) callerDialer(t service.CallerTransport, p service.Personal) (transport.Dialer, error) {
	s := config.DefaultServer()
	limits := transport.Limits{
		MessageBytes: u.cfg.Limits.MessageBytes, CallBytes: u.cfg.Limits.CallBytes, Depth: u.cfg.Limits.JSONDepth,
	}
	if t.Kind == string(config.TypeStdio) {
		return transport.NewStdio(transport.StdioConfig{
			Command: t.Argv[0], Args: t.Argv[1:], Limits: limits, Logger: u.log,
		}), nil
	}
	wrap, err := u.callerWrap(t.URL, personal{principal: p.Principal, header: p.Header, credentials: p.Credentials})
	if err != nil {
		return nil, err
	}
	return remote{
		kind: config.ServerType(t.Kind), url: t.URL, header: p.Header, limits: limits,
		connections: u.guarded, propagator: propagator(s), wrap: wrap, log: u.log,
	}.dialer()
}

func (u *upstreams) clientOptions(s config.Server, log *slog.Logger) mcp.Options {
	o := mcp.Options{
		ClientInfo:          mcp.Implementation{Name: "mcpbridge", Version: version()},
		ProbeTimeout:        u.cfg.Connect.ProbeTimeout,
		AskTimeout:          u.cfg.Calls.InputTimeout,
		CallNotifications:   u.cfg.Limits.CallNotifications,
		Shared:              s.Shared,
		WithoutTraceContext: !s.TraceContext,
		Propagator:          propagator(s),
		CaptureContent:      u.cfg.Telemetry.CaptureArguments,
		TracerProvider:      u.tel.TracerProvider,
		MeterProvider:       u.tel.MeterProvider,
		Logger:              log,
	}
	switch s.Protocol {
	case config.ProtocolAuto, "":
	case config.ProtocolModern:
		o.Protocol = mcp.Version20260728
	default:
		o.Protocol = s.Protocol
	}
	return o
}

// propagator writes our trace context for a server. Baggage tells more than a
// server of somebody else's needs to know, so it goes only where the operator
// says.
func propagator(s config.Server) propagation.TextMapPropagator {
	switch {
	case !s.TraceContext:
		return propagation.NewCompositeTextMapPropagator()
	case s.Baggage:
		return propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
	default:
		return propagation.TraceContext{}
	}
}

func environ(env map[string]config.Secret) []string {
	list := make([]string, 0, len(env))
	for _, k := range slices.Sorted(maps.Keys(env)) {
		list = append(list, k+"="+env[k].Reveal())
	}
	return list
}

// Close closes the idle connections. Sessions must be closed before.
func (u *upstreams) Close() {
	for _, t := range []*transport.HTTPClient{u.trusted, u.guarded, u.public, u.private} {
		t.CloseIdleConnections()
	}
}
