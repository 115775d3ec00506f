package config

import (
	"fmt"
	"testing"
)

func TestProblemsError(t *testing.T) {
	t.Parallel()
	one := Problem{Key: "grpc.addr", Source: "mcpbridge.yaml:3", Message: "is wrong; mend it"}
	two := Problem{Source: "--x", Message: "is no flag"}
	for name, test := range map[string]struct {
		problems Problems
		want     string
	}{
		"one": {Problems{one}, "mcpbridge.yaml:3: grpc.addr: is wrong; mend it"},
		"two": {Problems{one, two}, "2 problems in the configuration:\n" +
			"  mcpbridge.yaml:3: grpc.addr: is wrong; mend it\n  --x: is no flag"},
	} {
		if got := test.problems.Error(); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	if err := (Problems{}).orNil(); err != nil {
		t.Errorf("no problems are the error %v", err)
	}
}

// Each mistake is told with its place and its fix, and none hides another.
func TestLoadProblemsOfSettings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		yaml string
		args []string
		env  []string
		want []string
	}{
		"unknown keys": {
			yaml: "grcp: {addr: x}\ngrpc:\n  adr: x\ngrpc_addr: x\nzzz: 1\nhttp.addr: x\nserver: {}\n",
			want: []string{
				`c.yaml:1: grcp: is no setting; did you mean "grpc"?`,
				`c.yaml:3: grpc.adr: is no setting; did you mean "grpc.addr"?`,
				`c.yaml:4: grpc_addr: is no setting; did you mean "grpc.addr"?`,
				`c.yaml:5: zzz: is no setting`,
				`c.yaml:6: "http.addr": has a dot; keys are nested, write the part behind the dot on a line of its own`,
				`c.yaml:7: server: is no setting; did you mean "servers"?`,
			},
		},
		"keys twice": {
			yaml: "log: {level: info, level: warn}\nlog: {format: json}\n",
			want: []string{
				`c.yaml:1: log.level: is written on line 1 already; keep one`,
				`c.yaml:2: log: is written on line 1 already; keep one`,
			},
		},
		"wrong kinds": {
			yaml: "grpc: [addr]\nhttp: {addr: {a: b}, allowed_hosts: {a: b}, allowed_origins: [[a]]}\nadmin: 1\n" +
				"policy: {allow_commands: npx, allow_urls: [{}]}\nservers: [a]\n",
			want: []string{
				`c.yaml:1: grpc: is a list; write a mapping of names to values`,
				`c.yaml:2: http.addr: is a mapping; write one value`,
				`c.yaml:2: http.allowed_hosts: is a mapping; write a list`,
				`c.yaml:2: http.allowed_origins: item 1 of the list is a list; write one value`,
				`c.yaml:3: admin: is a single value; write a mapping of names to values`,
				`c.yaml:4: policy.allow_commands: is a single value; write a list of argument lists, as in [[npx, -y, some-server]]`,
				`c.yaml:4: policy.allow_urls: item 1 of the list is a mapping; write one value`,
				`c.yaml:5: servers: is a list; write a mapping of names to values`,
			},
		},
		"wrong values": {
			yaml: "grpc: {reflection: yes, max_recv_bytes: 4MB, max_concurrent_streams: many}\n" +
				"http: {read_timeout: 30, idle_timeout: soon, allowed_hosts: ['https://a', '*'], allowed_origins: [a, 'https://a/']}\n" +
				"log: {level: loud, format: jsn}\nconnect: {backoff: {multiplier: x}}\n" +
				"policy: {allow_urls: [a, 'https://*'], allow_commands: [[], [npx]]}\n",
			want: []string{
				`c.yaml:1: grpc.reflection: "yes" is neither true nor false`,
				`c.yaml:1: grpc.max_recv_bytes: "4MB" is not a size; write bytes, or KiB, MiB or GiB as in "16MiB"`,
				`c.yaml:1: grpc.max_concurrent_streams: "many" is not a whole number below 2^31`,
				`c.yaml:2: http.read_timeout: "30" has no unit; write "30s"`,
				`c.yaml:2: http.idle_timeout: "soon" is not a duration; write it as in "30s" or "1h30m"`,
				`c.yaml:2: http.allowed_hosts: "https://a" is not a host; write a name or an address, ` +
					`with or without a port, as in "bridge.example.com"`,
				`c.yaml:2: http.allowed_hosts: "*" is not a host; write a name or an address, ` +
					`with or without a port, as in "bridge.example.com"`,
				`c.yaml:2: http.allowed_origins: "a" is not an origin; write scheme and host and nothing behind, ` +
					`as in "https://app.example.com"`,
				`c.yaml:2: http.allowed_origins: "https://a/" is not an origin; write scheme and host and nothing behind, ` +
					`as in "https://app.example.com"`,
				`c.yaml:3: log.level: "loud" is none of debug, info, warn, error`,
				`c.yaml:3: log.format: "jsn" is none of auto, json, text`,
				`c.yaml:4: connect.backoff.multiplier: "x" is not a number`,
				`c.yaml:5: policy.allow_urls: "a" is not a URL pattern; ` +
					`write "https://mcp.example.com/" or "https://*.example.com"`,
				`c.yaml:5: policy.allow_urls: "https://*" has a "*" that is not the first label of the host; ` +
					`write "https://*.example.com"`,
				`c.yaml:5: policy.allow_commands: item 1 has no command; write it first in the list`,
			},
		},
		"out of bounds": {
			yaml: "grpc: {max_recv_bytes: 0}\nlimits: {json_depth: 0, message_bytes: -1}\nchildren: {max: -1}\n" +
				"calls: {default_timeout: 0s}\nshutdown: {grace: -1s}\nconnect: {backoff: {multiplier: 0.5}}\n",
			want: []string{
				`c.yaml:1: grpc.max_recv_bytes: 0 is too small; write 1 or more`,
				`c.yaml:2: limits.json_depth: 0 is too small; write 1 or more`,
				`c.yaml:2: limits.message_bytes: -1 is too small; write 1KiB or more`,
				`c.yaml:3: children.max: -1 is too small; write 1 or more`,
				`c.yaml:4: calls.default_timeout: 0s is too small; write 1ms or more`,
				`c.yaml:5: shutdown.grace: -1s is too small; write 0s or more`,
				`c.yaml:6: connect.backoff.multiplier: 0.5 is too small; write 1 or more`,
			},
		},
		"out of order": {
			yaml: "calls: {default_timeout: 20m}\nconnect: {timeout: 1s, backoff: {base: 2m}}\nlimits: {message_bytes: 128MiB}\n",
			want: []string{
				`c.yaml:1: calls.default_timeout: 20m is more than calls.max_timeout, 15m; lower the one or raise the other`,
				`connect.probe_timeout: 10s is more than connect.timeout, 1s; lower the one or raise the other`,
				`c.yaml:2: connect.backoff.base: 2m is more than connect.backoff.max, 1m; lower the one or raise the other`,
				`c.yaml:3: limits.message_bytes: 128MiB is more than limits.call_bytes, 64MiB; lower the one or raise the other`,
			},
		},
		"addresses": {
			yaml: "grpc: {addr: 9090}\nhttp: {addr: 127.0.0.1:8081}\n",
			want: []string{
				`c.yaml:1: grpc.addr: "9090" has no host:port; write "127.0.0.1:9090"`,
				`admin.addr: "127.0.0.1:8081" is the address of http.addr too; give it another port`,
			},
		},
		"reachable without authentication": {
			yaml: "http: {addr: 0.0.0.0:8080}\n",
			args: []string{"--grpc-addr", ":9090"},
			env:  []string{"MCPBRIDGE_ADMIN_ADDR=10.0.0.1:8081"},
			want: []string{
				`c.yaml:1: http.addr: "0.0.0.0:8080" can be reached from other machines, and callers are not authenticated; ` +
					`listen on 127.0.0.1, set auth.methods, or set insecure_no_auth to let anybody use every server`,
				`--grpc-addr: grpc.addr: ":9090" can be reached from other machines, and callers are not authenticated; ` +
					`listen on 127.0.0.1, set auth.methods, or set insecure_no_auth to let anybody use every server`,
				`MCPBRIDGE_ADMIN_ADDR: admin.addr: "10.0.0.1:8081" can be reached from other machines, and callers are not authenticated; ` +
					`listen on 127.0.0.1, set auth.methods, or set insecure_no_auth to let anybody use every server`,
			},
		},
		"profiles for everybody": {
			yaml: "auth: {methods: preshared, preshared: {tokens_file: tokens}}\nadmin: {addr: 0.0.0.0:8081, pprof: true}\n",
			want: []string{
				`c.yaml:2: admin.pprof: "0.0.0.0:8081" can be reached from other machines, and profiles are for the operator alone; ` +
					`listen on 127.0.0.1`,
			},
		},
		"methods without what they need": {
			yaml: "auth: {methods: [preshared, oidc, mtls, none]}\n",
			want: []string{
				`c.yaml:1: auth.methods: has none among others; remove it or them`,
				`auth.preshared.tokens_file: is missing, and so is auth.preshared.tokens; nobody could call`,
				`auth.oidc.issuer: is missing; write the URL of the issuer`,
				`auth.oidc.audiences: is missing; a token that the issuer made for another service would be good here`,
				`tls.client_ca_file: is missing; auth.methods has mtls`,
			},
		},
		"what methods need without them": {
			yaml: "auth: {preshared: {tokens_file: tokens, tokens: [a b]}, oidc: {issuer: 'https://a.example.com'}}\n" +
				"tls: {cert_file: c, client_ca_file: ca}\n",
			want: []string{
				`c.yaml:1: auth.preshared.tokens_file: is not used: add preshared to auth.methods`,
				`c.yaml:1: auth.preshared.tokens: is not used: add preshared to auth.methods`,
				`c.yaml:1: auth.oidc.issuer: is not used: add oidc to auth.methods`,
				`tls: has one of cert_file and key_file; write the other`,
			},
		},
		"TLS that does not fit together": {
			yaml: "tls: {require_client_cert: true}\n",
			want: []string{`c.yaml:1: tls.require_client_cert: needs tls.client_ca_file`},
		},
		"wrong values of auth": {
			yaml: "auth:\n  methods: [basic]\n  preshared: {tokens: ['']}\n" +
				"  oidc: {issuer: 'http://a.example.com', algorithms: [none, HS256, RS256], clock_skew: -1s}\n" +
				"principal: {calls: 0, connect_rate: 0}\n",
			want: []string{
				`c.yaml:2: auth.methods: "basic" is none of none, preshared, oidc, mtls`,
				`c.yaml:3: auth.preshared.tokens: item 1 is empty; leave it out`,
				`c.yaml:3: auth.preshared.tokens: is not used: add preshared to auth.methods`,
				`c.yaml:4: auth.oidc.issuer: has to begin with https://, or anybody on the way could make up keys`,
				`c.yaml:4: auth.oidc.issuer: is not used: add oidc to auth.methods`,
				`c.yaml:4: auth.oidc.algorithms: "none" is none of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA`,
				`c.yaml:4: auth.oidc.algorithms: "HS256" is none of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA`,
				`c.yaml:4: auth.oidc.clock_skew: -1s is too small; write 0s or more`,
				`c.yaml:5: principal.calls: 0 is too small; write 1 or more`,
				`c.yaml:5: principal.connect_rate: 0 is too small; write 0.001 or more`,
			},
		},
		"rules on callers": {
			yaml: "auth: {methods: preshared, preshared: {tokens_file: tokens}}\nservers:\n  a:\n    command: x\n" +
				"    allow: [ann, '*', 'claim:groups']\n    allow_tools: ['', 'get_* for ann']\n    deny_tools: [' for preshared:ann']\n",
			want: []string{
				`c.yaml:5: servers.a.allow: "ann" names nobody; write "preshared:…", "oidc:…", "mtls:…" or "claim:name=value"`,
				`c.yaml:5: servers.a.allow: "*" names nobody; write "preshared:…", "oidc:…", "mtls:…" or "claim:name=value"`,
				`c.yaml:5: servers.a.allow: "claim:groups" names nobody; write "preshared:…", "oidc:…", "mtls:…" or "claim:name=value"`,
				`c.yaml:6: servers.a.allow_tools: "" names no tool; write "get_*"`,
				`c.yaml:6: servers.a.allow_tools: "get_* for ann" names nobody; write "preshared:…", "oidc:…", "mtls:…" or "claim:name=value"`,
				`c.yaml:7: servers.a.deny_tools: " for preshared:ann" names no tool; write "get_*"`,
			},
		},
		"rules on callers whom nobody tells apart": {
			yaml: "servers:\n  a:\n    command: x\n    allow: ['preshared:ann']\n    allow_tools: ['get_*', 'x for preshared:ann']\n    deny_tools: [y]\n",
			want: []string{
				`c.yaml:4: servers.a.allow: tells callers apart, and nothing does; set auth.methods`,
				`c.yaml:5: servers.a.allow_tools: tells callers apart, and nothing does; set auth.methods`,
			},
		},
		"variables": {
			env: []string{"MCPBRIDGE_GRCP_ADDR=x", "MCPBRIDGE_GRPC_PORT=9090", "MCPBRIDGE_CALLS_MAX_TIMEOUT=9",
				"MCPBRIDGE_POLICY_ALLOW_COMMANDS=npx", "MCPBRIDGE_MCP_CONFIG_FILES=x"},
			want: []string{
				`MCPBRIDGE_CALLS_MAX_TIMEOUT: calls.max_timeout: "9" has no unit; write "9s"`,
				`MCPBRIDGE_GRCP_ADDR: is no setting; names that begin with MCPBRIDGE_ are reserved for settings; ` +
					`did you mean "MCPBRIDGE_GRPC_ADDR"?`,
				`MCPBRIDGE_GRPC_PORT: is no setting; names that begin with MCPBRIDGE_ are reserved for settings; ` +
					`did you mean "MCPBRIDGE_GRPC_ADDR"?`,
				`MCPBRIDGE_MCP_CONFIG_FILES: is no setting; names that begin with MCPBRIDGE_ are reserved for settings; ` +
					`did you mean "MCPBRIDGE_MCP_CONFIG"?`,
				`MCPBRIDGE_POLICY_ALLOW_COMMANDS: policy.allow_commands: is a single value; ` +
					`write a list of argument lists, as in [[npx, -y, some-server]]`,
			},
		},
		"unknown flag": {
			args: []string{"--grcp-addr", "x"},
			want: []string{`--grcp-addr: is no flag; see -h for all flags; did you mean "--grpc-addr"?`},
		},
		"flag without a value": {
			args: []string{"--config"},
			want: []string{`command line: flag needs an argument: -config`},
		},
		"argument": {
			args: []string{"serve"},
			want: []string{`serve: is no flag; see -h for what can be given`},
		},
		"flag values": {
			args: []string{"--insecure-no-auth=perhaps", "--log-format", "xml"},
			want: []string{
				`--insecure-no-auth: insecure_no_auth: "perhaps" is neither true nor false`,
				`--log-format: log.format: "xml" is none of auto, json, text`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			args := test.args
			if test.yaml != "" {
				args = append([]string{"--config", writeFile(t, dir, "c.yaml", test.yaml)}, args...)
			}
			wantLines(t, loadProblems(t, args, test.env, dir), test.want)
		})
	}
}

func TestLoadProblemsOfFiles(t *testing.T) {
	t.Parallel()
	nested := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 6 {
		nested += fmt.Sprintf("%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n", 'b'+i, 'b'+i,
			'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i)
	}
	for name, test := range map[string]struct{ yaml, want string }{
		"syntax":        {"a: [1\nb: }", "c.yaml: is not valid YAML: line 1: did not find expected ',' or ']'"},
		"unknown alias": {"servers: {a: {headers: {K: *" + canary + "}}}", `c.yaml: is not valid YAML: unknown anchor; put a value that begins with "*" in quotes`},
		"alias bomb":    {nested, "c.yaml: is too large or too deeply nested for a configuration"},
		"alias cycle":   {"a: &a [*a]", "c.yaml: is too large or too deeply nested for a configuration"},
		"odd key":       {"log:\n  [a]: b", "c.yaml: has a key on line 2 that is not a plain text"},
		"two documents": {"log: {}\n---\nlog: {}", `c.yaml: has more than one YAML document; remove the "---" in between`},
		"not a mapping": {"- a", "c.yaml:1: is a list; write a mapping of names to values"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := writeFile(t, dir, "c.yaml", test.yaml)
			wantLines(t, loadProblems(t, []string{"--config", path}, nil, dir), []string{test.want})
		})
	}
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		got := loadProblems(t, []string{"--config", dir + "/no.yaml", "--mcp-config", dir + "/no.json"}, nil, dir)
		wantLines(t, got, []string{
			"no.yaml: cannot be read: no such file or directory", "no.json: cannot be read: no such file or directory"})
	})
	t.Run("directory", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		wantLines(t, loadProblems(t, []string{"--config", dir + "/."}, nil, dir), []string{".: cannot be read: is a directory"})
	})
}

func TestLoadEmptyFiles(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty": "", "comment": "# nothing\n", "null": "~", "mark": "\ufeff", "empty sections": "grpc:\nservers:\nlog: {level: }\n",
		"mark and text": "\ufefflog: {}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			load(t, []string{"--config", writeFile(t, t.TempDir(), "c.yaml", text)}, nil)
		})
	}
}
