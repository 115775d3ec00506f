package config

import "time"

// The addresses listened on when nothing else is said.
const (
	defaultGRPCAddr  Addr = "127.0.0.1:9090"
	defaultHTTPAddr  Addr = "127.0.0.1:8080"
	defaultAdminAddr Addr = "127.0.0.1:8081"
)

// remotePreStop is the default of Shutdown.PreStop when other machines are
// served: the time a load balancer needs to notice that readiness is gone. On
// loopback there is none to wait for.
const remotePreStop = 5 * time.Second

// Default returns the configuration of a bridge nobody configured. It is valid.
func Default() *Config {
	return &Config{
		GRPC: GRPC{
			Addr: defaultGRPCAddr, Reflection: true,
			MaxRecvBytes: 4 * mib, MaxSendBytes: 16 * mib, MaxConcurrentStreams: 256,
		},
		HTTP: HTTP{
			Addr: defaultHTTPAddr, MaxBodyBytes: 4 * mib,
			ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		},
		Admin: Admin{Addr: defaultAdminAddr},
		Auth: Auth{OIDC: OIDC{
			PrincipalClaim: "sub", Algorithms: []string{"RS256", "ES256", "EdDSA"}, ClockSkew: time.Minute,
		}},
		Principal: Principal{Sessions: 32, ConnectRate: 5, ConnectBurst: 10, Calls: 64, Bytes: 64 * mib},
		Log:       Log{Format: LogAuto},
		Shutdown:  Shutdown{Grace: 25 * time.Second, Close: 5 * time.Second},
		Calls:     Calls{DefaultTimeout: time.Minute, MaxTimeout: 15 * time.Minute, InputTimeout: 5 * time.Minute},
		Connect: Connect{
			Timeout: 30 * time.Second, ProbeTimeout: 10 * time.Second,
			Backoff: Backoff{Base: 500 * time.Millisecond, Multiplier: 2, Max: time.Minute},
			Breaker: Breaker{Failures: 5, Window: time.Minute},
		},
		Idle:     Idle{HTTP: 10 * time.Minute, Stdio: 30 * time.Minute},
		Sessions: Sessions{Max: 2000, IdleTimeout: 10 * time.Minute},
		Children: Children{Max: 64},
		OAuth:    OAuth{ClientName: "mcpbridge"},
		Limits: Limits{
			MessageBytes: 16 * mib, CallBytes: 64 * mib, JSONDepth: 64,
			ListPages: 100, ListItems: 10_000, ListBytes: 32 * mib, CallNotifications: 10_000,
			CallerGroups: 32, GroupMembers: 64,
			IdempotencyKeys: 10_000, CallerIdempotencyKeys: 1_000, IdempotencyBytes: 64 * mib,
		},
	}
}

// DefaultServer returns the settings of a server that only says how to reach
// it. Its zero values stand for the settings of the whole bridge.
func DefaultServer() Server {
	return Server{
		Protocol: ProtocolAuto, TraceContext: true, OAuth: ServerOAuth{Grant: GrantAuto},
		MaxUpstreams: 1, HealthInterval: 30 * time.Second,
	}
}
