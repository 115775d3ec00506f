package config

import (
	"os"
	"slices"
	"strings"
	"time"
)

// setting is one key an operator can set in the file, by variable and, for the
// few that are worth it, by flag.
type setting struct {
	key  string // "grpc.addr"
	help string // one line for an operator
	flag bool   // has a flag
	name string // what the variable and flag are named after, when that is not the key
	sep  string // between the items of a list in a variable; "" for no list

	fileOnly bool // has no variable: one text cannot hold it
	paths    bool // the texts are paths, in a file relative to that file
	value    value
}

const (
	envPrefix = "MCPBRIDGE_"
	listSep   = ","
)

// env returns the variable: MCPBRIDGE_GRPC_ADDR for grpc.addr.
func (s setting) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.base(), ".", "_"))
}

// flagName returns the flag without its dashes: grpc-addr for grpc.addr.
func (s setting) flagName() string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(s.base())
}

func (s setting) base() string {
	if s.name != "" {
		return s.name
	}
	return s.key
}

// settings returns every setting of c, in the order an operator reads them.
func settings(c *Config) []setting {
	return slices.Concat(
		listenerSettings(c), authSettings(c), processSettings(c), sessionSettings(c), principalSettings(c),
		limitSettings(c), policySettings(c), oauthSettings(c))
}

func listenerSettings(c *Config) []setting {
	return []setting{
		{key: "grpc.addr", flag: true, value: address(&c.GRPC.Addr, defaultGRPCAddr, true),
			help: "Where gRPC listens: host:port or unix:/path."},
		{key: "grpc.reflection", value: boolean(&c.GRPC.Reflection),
			help: "Serve gRPC reflection, so that grpcurl and the like work without the .proto files."},
		{key: "grpc.max_recv_bytes", value: size(&c.GRPC.MaxRecvBytes, 1),
			help: "Largest gRPC request."},
		{key: "grpc.max_send_bytes", value: size(&c.GRPC.MaxSendBytes, 1),
			help: "Largest gRPC response."},
		{key: "grpc.max_concurrent_streams", value: count(&c.GRPC.MaxConcurrentStreams),
			help: "Calls at a time on one gRPC connection."},
		{key: "http.addr", flag: true, value: address(&c.HTTP.Addr, defaultHTTPAddr, false),
			help: "Where REST listens: host:port."},
		{key: "http.allowed_hosts", sep: listSep, value: hosts(&c.HTTP.AllowedHosts),
			help: "Host headers to answer, beside the address listened on."},
		{key: "http.allowed_origins", sep: listSep, value: origins(&c.HTTP.AllowedOrigins),
			help: "Web origins whose pages may call. None may by default."},
		{key: "http.max_body_bytes", value: size(&c.HTTP.MaxBodyBytes, 1),
			help: "Largest REST request body."},
		{key: "http.read_header_timeout", value: duration(&c.HTTP.ReadHeaderTimeout, time.Millisecond),
			help: "Time to send the headers of a request."},
		{key: "http.read_timeout", value: duration(&c.HTTP.ReadTimeout, time.Millisecond),
			help: "Time to send a whole request."},
		{key: "http.idle_timeout", value: duration(&c.HTTP.IdleTimeout, time.Millisecond),
			help: "Time a connection without requests stays open."},
		{key: "admin.addr", flag: true, value: address(&c.Admin.Addr, defaultAdminAddr, false),
			help: "Where health and metrics listen: host:port."},
		{key: "admin.pprof", value: boolean(&c.Admin.PProf),
			help: "Serve Go profiles on the admin address."},
		{key: "insecure_no_auth", flag: true, value: boolean(&c.InsecureNoAuth),
			help: "Serve other machines without authentication: whoever reaches the bridge may use every server."},
	}
}

func processSettings(c *Config) []setting {
	return []setting{
		{key: "log.level", flag: true, value: level(&c.Log.Level),
			help: "Least severe level to log: debug, info, warn or error."},
		{key: "log.format", flag: true, value: choice(&c.Log.Format, LogAuto, LogJSON, LogText),
			help: "json, text, or auto: text on a terminal and JSON elsewhere."},
		{key: "shutdown.pre_stop", value: duration(&c.Shutdown.PreStop, 0),
			help: "Time to keep serving after readiness went false, for a load balancer to notice. " +
				"5s when other machines are served."},
		{key: "shutdown.grace", value: duration(&c.Shutdown.Grace, 0),
			help: "Time for calls in flight to finish, then they are cancelled."},
		{key: "shutdown.close", value: duration(&c.Shutdown.Close, 0),
			help: "Time to close the sessions with MCP servers, then they are cut."},
		{key: "telemetry.capture_arguments", value: boolean(&c.Telemetry.CaptureArguments),
			help: "Record tool arguments and results on spans. The rest of telemetry is set by OTEL_* variables."},
		{key: "mcp_config_files", flag: true, name: "mcp_config", sep: string(os.PathListSeparator), paths: true,
			value: names(&c.MCPConfigFiles),
			help:  "mcpServers files to take servers from. The flag may be repeated."},
	}
}

func sessionSettings(c *Config) []setting {
	return []setting{
		{key: "calls.default_timeout", value: duration(&c.Calls.DefaultTimeout, time.Millisecond),
			help: "Deadline of a call whose caller sets none."},
		{key: "calls.max_timeout", value: duration(&c.Calls.MaxTimeout, time.Millisecond),
			help: "Longest deadline of any call."},
		{key: "calls.input_timeout", value: duration(&c.Calls.InputTimeout, time.Millisecond),
			help: "Time to answer a question of a server, and to come back to a call that asked one."},
		{key: "connect.timeout", value: duration(&c.Connect.Timeout, time.Millisecond),
			help: "Time to connect to an MCP server, all steps together."},
		{key: "connect.probe_timeout", value: duration(&c.Connect.ProbeTimeout, time.Millisecond),
			help: "Time a server may take to tell which protocol it speaks, before the older one is tried."},
		{key: "connect.backoff.base", value: duration(&c.Connect.Backoff.Base, time.Millisecond),
			help: "Longest wait before the first new attempt to connect."},
		{key: "connect.backoff.multiplier", value: factor(&c.Connect.Backoff.Multiplier, 1),
			help: "What that wait grows by with each attempt."},
		{key: "connect.backoff.max", value: duration(&c.Connect.Backoff.Max, time.Millisecond),
			help: "What it never grows beyond."},
		{key: "connect.breaker.failures", value: count(&c.Connect.Breaker.Failures),
			help: "Failures in a row, over all connections to a server, after which callers are refused at once " +
				"and the server is tried by the bridge alone."},
		{key: "connect.breaker.window", value: duration(&c.Connect.Breaker.Window, time.Millisecond),
			help: "Time after which failures are forgotten."},
		{key: "idle.http", value: duration(&c.Idle.HTTP, time.Millisecond),
			help: "Time an unused shared connection to a remote server stays open."},
		{key: "idle.stdio", value: duration(&c.Idle.Stdio, time.Millisecond),
			help: "Time an unused child process keeps running."},
		{key: "sessions.max", value: count(&c.Sessions.Max),
			help: "Sessions of callers at a time."},
		{key: "sessions.idle_timeout", value: duration(&c.Sessions.IdleTimeout, time.Millisecond),
			help: "Time an unused session of a caller lives, when the caller asks for no other."},
		{key: "children.max", value: count(&c.Children.Max),
			help: "Child processes at a time."},
	}
}

func limitSettings(c *Config) []setting {
	return []setting{
		{key: "limits.message_bytes", value: size(&c.Limits.MessageBytes, kib),
			help: "Largest message from an MCP server."},
		{key: "limits.call_bytes", value: size(&c.Limits.CallBytes, kib),
			help: "Bytes from an MCP server during one call."},
		{key: "limits.json_depth", value: count(&c.Limits.JSONDepth),
			help: "Nesting of JSON, from callers and servers."},
		{key: "limits.list_pages", value: count(&c.Limits.ListPages),
			help: "Pages followed for one list."},
		{key: "limits.list_items", value: count(&c.Limits.ListItems),
			help: "Items in one list."},
		{key: "limits.list_bytes", value: size(&c.Limits.ListBytes, kib),
			help: "Bytes of all pages of one list."},
		{key: "limits.call_notifications", value: count(&c.Limits.CallNotifications),
			help: "Notifications from an MCP server during one call."},
		{key: "limits.caller_groups", value: count(&c.Limits.CallerGroups),
			help: "Groups that one caller has created."},
		{key: "limits.group_members", value: count(&c.Limits.GroupMembers),
			help: "Members of such a group."},
		{key: "limits.idempotency_keys", value: count(&c.Limits.IdempotencyKeys),
			help: "Calls whose idempotency keys are remembered: those in flight, and the others for 10 minutes."},
		{key: "limits.caller_idempotency_keys", value: count(&c.Limits.CallerIdempotencyKeys),
			help: "The same for one caller, once half of all are taken."},
		{key: "limits.idempotency_bytes", value: size(&c.Limits.IdempotencyBytes, kib),
			help: "Bytes of the results that are kept for these keys. Beyond it the oldest results are given up."},
	}
}

func policySettings(c *Config) []setting {
	return []setting{
		{key: "policy.allow_urls", sep: listSep, value: patterns(&c.Policy.AllowURLs),
			help: "URLs of servers that callers may connect to beside the configured ones."},
		{key: "policy.allow_private_addresses", value: boolean(&c.Policy.AllowPrivateAddresses),
			help: "Let those URLs lead to loopback, private and link-local addresses."},
		{key: "policy.allow_commands", fileOnly: true, value: commands{&c.Policy.AllowCommands},
			help: "Commands that callers may have run: complete argument lists, compared word by word."},
	}
}

// serverSettings returns the settings that a server has beside the way to reach
// it. Their keys are relative to the server's entry.
func serverSettings(s *Server) []setting {
	oauth := serverOAuthSettings(&s.OAuth)
	protocols := append([]string{ProtocolAuto, ProtocolModern}, legacyProtocols()...)
	return append([]setting{
		{key: "protocol", value: choice(&s.Protocol, protocols...),
			help: "`auto` asks the server; `modern` is 2026-07-28; or the date of an older version to insist on."},
		{key: "stateful", value: boolean(&s.Stateful),
			help: "The server keeps state between calls: callers must Connect first, and a lost session is an error."},
		{key: "shared", value: boolean(&s.Shared),
			help: "The server treats all callers alike, so they may share one connection to it."},
		{key: "timeout", value: duration(&s.Timeout, 0),
			help: "Deadline of a call whose caller sets none; 0s is `calls.default_timeout`."},
		{key: "idle_timeout", value: duration(&s.IdleTimeout, 0),
			help: "Time an unused shared connection or child stays; 0s is `idle.http` or `idle.stdio`."},
		{key: "max_upstreams", value: countOrNone(&s.MaxUpstreams),
			help: "Connections or children that a caller's calls on `servers/{server}` share: more than 1 for a server " +
				"that does one thing at a time. Further ones are opened when all are busy. 0 is 1."},
		{key: "warm_upstreams", value: countOrNone(&s.WarmUpstreams),
			help: "How many of these are kept free, for calls to come, while the server is in use."},
		{key: "max_session_age", value: duration(&s.MaxSessionAge, 0),
			help: "Time after which a shared connection is replaced; calls in flight finish. 0s is never."},
		{key: "health_interval", value: duration(&s.HealthInterval, 0),
			help: "Time without a call after which a connection that is relied on is probed with a ping. " +
				"One that fails twice is replaced. 0s is never."},
		{key: "max_message_bytes", value: size(&s.MaxMessageBytes, 0),
			help: "Largest message from it; 0 is `limits.message_bytes`, which is also the most."},
		{key: "repeatable_tools", sep: listSep, value: names(&s.RepeatableTools),
			help: "Tools that do no harm when they run twice, so that a call may be repeated after a lost connection."},
		{key: "allow", sep: listSep, value: callers(&s.Allow),
			help: "Who may use the server, as in `preshared:billing`, `oidc:https://issuer.example.com#*` or " +
				"`claim:groups=finance`. To all others it does not exist. Empty: everybody may."},
		{key: "allow_tools", sep: listSep, value: tools(&s.AllowTools),
			help: "Tools that may be used, as in `get_*` or `delete_* for claim:groups=admins`. Empty: all."},
		{key: "deny_tools", sep: listSep, value: tools(&s.DenyTools),
			help: "Tools that may not be used, in the same form, whatever `allow_tools` says."},
		{key: "trace_context", value: boolean(&s.TraceContext),
			help: "Send it `traceparent` and `tracestate`."},
		{key: "baggage", value: boolean(&s.Baggage),
			help: "Send it `baggage` too, which may carry data of callers."},
	}, oauth...)
}
