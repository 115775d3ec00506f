package main

import (
	"log/slog"
	"net/http"
	"net/http/pprof"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/mcpbridge/mcpbridge/gen"
	"github.com/mcpbridge/mcpbridge/internal/config"
	"github.com/mcpbridge/mcpbridge/internal/gateway"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/service"
	"github.com/mcpbridge/mcpbridge/internal/telemetry"
)

// What the gRPC server is told that is no setting: how large the head of a
// request may be, and how connections are kept up and renewed.
const (
	maxHeaderListBytes = 16 << 10
	connectionTimeout  = 10 * time.Second
	keepaliveTime      = time.Minute
	keepaliveTimeout   = 20 * time.Second
	minClientPing      = 20 * time.Second
	maxConnectionIdle  = 15 * time.Minute
	// streamWorkers goroutines are kept for calls, their stacks grown already,
	// which saves a tenth of what a call costs. Further calls get one of their own.
	streamWorkers = 256
)

func newGRPC(
	cfg *config.Config, rpcs *telemetry.RPCs, i *service.Interceptor, who *callers, svc *service.Service, h *healthState,
) *grpc.Server {
	security := insecure.NewCredentials()
	if tls := who.tlsConfig("h2"); tls != nil {
		security = credentials.NewTLS(tls)
	}
	s := grpc.NewServer(
		grpc.Creds(security),
		grpc.ForceServerCodecV2(service.Codec()),
		grpc.NumStreamWorkers(streamWorkers),
		grpc.ChainUnaryInterceptor(who.unary(i)...),
		grpc.ChainStreamInterceptor(streaming(rpcs, i, who)...),
		grpc.UnknownServiceHandler(unknownMethod),
		grpc.MaxRecvMsgSize(int(cfg.GRPC.MaxRecvBytes)),
		grpc.MaxSendMsgSize(int(cfg.GRPC.MaxSendBytes)),
		grpc.MaxConcurrentStreams(uint32(cfg.GRPC.MaxConcurrentStreams)), //nolint:gosec // the configuration is checked
		grpc.MaxHeaderListSize(maxHeaderListBytes),
		grpc.ConnectionTimeout(connectionTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: keepaliveTime, Timeout: keepaliveTimeout, MaxConnectionIdle: maxConnectionIdle,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minClientPing, PermitWithoutStream: true}),
	)
	s.RegisterService(rpcs.Desc(), svc)
	healthv1.RegisterHealthServer(s, healthService{Server: h.server, state: h})
	if cfg.GRPC.Reflection {
		reflection.Register(s)
	}
	return s
}

// streaming returns the interceptors of RPCs that stream, the outermost first.
func streaming(rpcs *telemetry.RPCs, i *service.Interceptor, who *callers) []grpc.StreamServerInterceptor {
	return append([]grpc.StreamServerInterceptor{rpcs.Stream}, who.stream(i)...)
}

// unknownMethod answers calls of methods that do not exist. With it, interceptors
// stand before those too: a stranger learns nothing of what there is.
func unknownMethod(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	return status.Errorf(codes.Unimplemented, "there is no method %.256q", method)
}

func gatewayOptions(
	cfg *config.Config, log *slog.Logger, t *telemetry.Telemetry, rpcs *telemetry.RPCs,
	i *service.Interceptor, who *callers, svc *service.Service, authorizations gateway.Authorizations,
) gateway.Options {
	return gateway.Options{
		Desc:               rpcs.Desc(),
		Service:            svc,
		UnaryInterceptors:  who.unary(i),
		StreamInterceptors: streaming(rpcs, i, who),
		Authenticate:       who.authenticateHTTP(),
		Version:            version(),
		Authorizations:     authorizations,
		MaxJSONDepth:       cfg.Limits.JSONDepth,
		AllowedHosts:       cfg.HTTP.AllowedHosts,
		AllowedOrigins:     cfg.HTTP.AllowedOrigins,
		MaxBodyBytes:       cfg.HTTP.MaxBodyBytes,
		OpenAPI:            gen.OpenAPI,
		TracerProvider:     t.TracerProvider,
		MeterProvider:      t.MeterProvider,
		Propagator:         t.Propagator,
		Logger:             log,
	}
}

func newREST(cfg *config.Config, log *slog.Logger, who *callers, h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		TLSConfig:         who.tlsConfig("h2", "http/1.1"),
		ReadHeaderTimeout: cfg.HTTP.ReadHeaderTimeout,
		ReadTimeout:       cfg.HTTP.ReadTimeout,
		IdleTimeout:       cfg.HTTP.IdleTimeout,
		MaxHeaderBytes:    maxHeaderListBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// newAdmin serves what is for operators: it is not for callers, and shows
// nothing of their data.
func newAdmin(cfg *config.Config, log *slog.Logger, t *telemetry.Telemetry, h *healthState) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "alive") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !h.up.Load() {
			say(w, http.StatusServiceUnavailable, "not ready")
			return
		}
		say(w, http.StatusOK, "ready")
	})
	mux.Handle("GET /metrics", t.Metrics)
	if cfg.Admin.PProf {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: cfg.HTTP.ReadHeaderTimeout,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // the other end may have gone
}

func poolOptions(cfg *config.Config, log *slog.Logger, t *telemetry.Telemetry, onChange func(pool.Change)) pool.Options {
	perPrincipal := 0
	if cfg.Auth.Enabled() {
		perPrincipal = cfg.Principal.Sessions
	}
	return pool.Options{
		MaxPrincipalSessions: perPrincipal,
		ConnectTimeout:       cfg.Connect.Timeout,
		Backoff: pool.Backoff{
			Base: cfg.Connect.Backoff.Base, Multiplier: cfg.Connect.Backoff.Multiplier, Max: cfg.Connect.Backoff.Max,
		},
		Breaker:       pool.Breaker{Failures: cfg.Connect.Breaker.Failures, Window: cfg.Connect.Breaker.Window},
		MaxSessions:   cfg.Sessions.Max,
		MaxChildren:   cfg.Children.Max,
		SessionIdle:   cfg.Sessions.IdleTimeout,
		OnChange:      onChange,
		MeterProvider: t.MeterProvider,
		Logger:        log,
	}
}

func serviceOptions(cfg *config.Config, log *slog.Logger, u *upstreams, who *callers) service.Options {
	return service.Options{
		CallTimeout:    cfg.Calls.DefaultTimeout,
		MaxCallTimeout: cfg.Calls.MaxTimeout,
		InputTimeout:   cfg.Calls.InputTimeout,
		MaxSendBytes:   int(cfg.GRPC.MaxSendBytes),
		JSONDepth:      cfg.Limits.JSONDepth,
		Lists: mcp.ListLimits{
			Pages: cfg.Limits.ListPages, Items: cfg.Limits.ListItems, Bytes: int(cfg.Limits.ListBytes),
		},
		MaxGroups:       cfg.Limits.CallerGroups,
		MaxGroupMembers: cfg.Limits.GroupMembers,
		Keys: service.KeyLimits{
			Calls:    cfg.Limits.IdempotencyKeys,
			OwnCalls: cfg.Limits.CallerIdempotencyKeys,
			Bytes:    int(cfg.Limits.IdempotencyBytes),
		},
		Policy:         cfg.Policy,
		Access:         who.access,
		Dial:           u.callerDialer,
		PersonalDial:   u.personalDialer,
		Authorizations: u.oauth,
		Client:         u.clientOptions(config.DefaultServer(), log),
		Logger:         log,
	}
}

// announce logs where the bridge listens, and what of the configuration is
// worth a look.
func (b *bridge) announce() {
	for _, w := range b.cfg.Warnings {
		b.log.Warn("configuration", "key", w.Key, "source", w.Source, "warning", w.Message)
	}
	if b.cfg.InsecureNoAuth && !b.cfg.Auth.Enabled() {
		b.log.Warn("callers are not authenticated (insecure_no_auth)")
	}
	names := make([]string, len(b.upstreams.servers))
	for i, s := range b.upstreams.servers {
		names[i] = s.Name
	}
	scheme := "http://"
	if b.callers.tls != nil {
		scheme = "https://"
	}
	b.log.Info("serving", "version", version(), "grpc", b.listeners.grpc.Addr().String(),
		"rest", scheme+b.listeners.rest.Addr().String(), "admin", "http://"+b.listeners.admin.Addr().String(), "servers", names)
}

// logJSON decides for JSON, unless a person reads along.
func logJSON(format string, out *os.File) bool {
	if format != config.LogAuto {
		return format == config.LogJSON
	}
	info, err := out.Stat()
	return err != nil || info.Mode()&os.ModeCharDevice == 0
}
