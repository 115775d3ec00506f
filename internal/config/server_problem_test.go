package config

import (
	"strings"
	"testing"
)

func TestLoadProblemsOfMCPFiles(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		json string
		want []string
	}{
		"no servers": {`{"mcpServer": {}}`, []string{
			`m.json: has neither "mcpServers" nor "servers" at its top; is it an mcpServers file?`}},
		"empty file": {"", []string{
			`m.json: has neither "mcpServers" nor "servers" at its top; is it an mcpServers file?`}},
		"syntax": {"{\n\"servers\": {,}}", []string{
			`m.json: is not valid JSON: line 2, column 13: invalid character ',' at start of value`}},
		"secret without quotes": {`{"servers": {"a": {"url": ` + canary + `}}}`, []string{
			`m.json: is not valid JSON: line 1, column 27`}},
		"open string":  {"{\"servers\": \"" + canary + "\\", []string{`m.json: is not valid JSON: line 1, column 26: parsing string: unexpected EOF`}},
		"open comment": {"{} /* " + canary, []string{`m.json: is not valid JSON: line 1, column 4: parsing comment: unexpected EOF`}},
		"too deep":     {strings.Repeat("[", 1001), []string{`m.json: is too deeply nested for a configuration`}},
		"names": {`{"servers": {"": {}, "a": {"command": "x"}, "a": {"command": "y"}}, "mcpServers": {"a": {"url": "https://x"}}}`,
			[]string{
				`m.json:1: servers: a server has an empty name; give it one`,
				`m.json:1: servers.a: is written on line 1 already; keep one`,
				`m.json:1: servers.a: the server is defined at m.json:1 already; keep one`,
			}},
		"kinds": {`{"servers": {
			"a": [],
			"b": {"command": {}, "args": "x", "env": [1], "cwd": []},
			"c": {"url": [], "headers": {"K": {}}},
			"d": {"command": "x", "args": [["y"]], "disabled": "maybe", "type": ["stdio"]}
		}}`, []string{
			`m.json:2: servers.a: is a list; write a mapping of names to values`,
			`m.json:3: servers.b.command: is a mapping; write one value`,
			`m.json:3: servers.b.args: is a single value; write a list`,
			`m.json:3: servers.b.env: is a list; write a mapping of names to values`,
			`m.json:3: servers.b.cwd: is a list; write one value`,
			`m.json:4: servers.c.url: is a list; write one value`,
			`m.json:4: servers.c.headers.K: is a mapping; write one value`,
			`m.json:5: servers.d.args: is a list; write one value`,
			`m.json:5: servers.d.disabled: "maybe" is neither true nor false`,
			`m.json:5: servers.d.type: is a list; write one value`,
		}},
		"how to reach it": {`{"servers": {
			"none": {},
			"both": {"command": "x", "url": "https://x"},
			"twice": {"url": "https://x", "serverUrl": "https://y"},
			"type": {"type": "carrier-pigeon", "url": "https://x"},
			"stdio": {"type": "stdio", "url": "https://x"},
			"http": {"type": "http", "command": "x"},
			"scheme": {"type": "http", "url": "wss://x"},
			"socket": {"type": "ws", "url": "https://x"},
			"relative": {"url": "x/mcp"},
			"user": {"url": "https://` + canary + `@x#y"},
			"broken": {"url": "https://x/%zz` + canary + `"},
			"my.name": {"command": ""}
		}}`, []string{
			`m.json:2: servers.none: has neither a command to run nor a url to connect to; write one of them`,
			`m.json:3: servers.both: has both a command and a url; remove one, or write the type`,
			`m.json:4: servers.twice.serverUrl: says again what another spelling of it says; keep one`,
			`m.json:5: servers.type.type: "carrier-pigeon" is none of stdio, http, sse, websocket`,
			`m.json:6: servers.stdio.command: is missing; write the program to run`,
			`m.json:6: servers.stdio.url: a stdio server is reached by its command; remove the url or the type`,
			`m.json:7: servers.http.command: a server of type http is reached by its url; remove the command or the type`,
			`m.json:7: servers.http.url: is missing; write the address of the server, as in "https://mcp.example.com/mcp"`,
			`m.json:8: servers.scheme.url: a server of type http has a URL that begins with http:// or https://`,
			`m.json:9: servers.socket.url: a server of type websocket has a URL that begins with ws:// or wss://`,
			`m.json:10: servers.relative.url: is not a complete URL; write it as in "https://mcp.example.com/mcp"`,
			`m.json:11: servers.user.url: has a user or password in it; send them as headers.Authorization`,
			`m.json:11: servers.user.url: has a part after #, which is never sent; remove it`,
			`m.json:12: servers.broken.url: is not a complete URL; write it as in "https://mcp.example.com/mcp"`,
			`m.json:13: servers["my.name"]: has neither a command to run nor a url to connect to; write one of them`,
		}},
		"references": {`{"servers": {
			"a": {"url": "https://${HOST}/${PORT}", "headers": {"K": "${input:key}"}},
			"b": {"command": "${file:none}", "args": ["${", "${A:-${B}}"], "env": {"X": "${command:x}"}},
			"c": {"command": "x", "envFile": "${NO_DIR}/vars"},
			"d": {"command": "x", "envFile": "vars"}
		}}`, []string{
			`m.json:2: servers.a.url: the variable HOST is not set; export it, or write ${HOST:-default}`,
			`m.json:2: servers.a.url: the variable PORT is not set; export it, or write ${PORT:-default}`,
			`m.json:2: servers.a.headers.K: ${input:key} asks a person, whom a service does not have; ` +
				`write ${env:NAME} or ${file:/path} instead`,
			`m.json:3: servers.b.command: the file none cannot be read: no such file or directory`,
			`m.json:3: servers.b.args: has a "${" without a "}"; write "$${" for a literal "${"`,
			`m.json:3: servers.b.args: the default of ${A} is a reference itself, which is not supported; ` +
				`write the default as plain text`,
			`m.json:3: servers.b.env.X: has a ${...} that is none of ${NAME}, ${NAME:-default}, ${env:NAME}, ${file:/path}, ` +
				`${userHome}, ${workspaceFolder}; write "$${" for a literal "${"`,
			`m.json:4: servers.c.env_file: the variable NO_DIR is not set; export it, or write ${NO_DIR:-default}`,
			`m.json:5: servers.d.env_file: vars cannot be read: no such file or directory`,
		}},
		"headers and variables": {`{"servers": {
			"a": {"url": "https://x", "headers": {"A B": "x", "": "x", "K": "a\nb", "X-Key": "1", "x-key": "2"}},
			"b": {"command": "x\u0000", "env": {"": "x", "A=B": "x", "C": "\u0000"}}
		}}`, []string{
			`m.json:2: servers.a.headers.: is not a header name; use letters, digits and dashes`,
			`m.json:2: servers.a.headers.A B: is not a header name; use letters, digits and dashes`,
			`m.json:2: servers.a.headers.K: has a line break or control character in its value; remove it`,
			`m.json:2: servers.a.headers.x-key: is the same header as X-Key; keep one`,
			`m.json:3: servers.b.command: has a NUL character in it or in its arguments or cwd; remove it`,
			`m.json:3: servers.b.env.: cannot be an environment variable; names have no "=" and neither part a NUL character`,
			`m.json:3: servers.b.env.A=B: cannot be an environment variable; names have no "=" and neither part a NUL character`,
			`m.json:3: servers.b.env.C: cannot be an environment variable; names have no "=" and neither part a NUL character`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := writeFile(t, dir, "m.json", test.json)
			wantLines(t, loadProblems(t, []string{"--mcp-config", path}, nil, dir), test.want)
		})
	}
}

func TestLoadProblemsOfOwnServers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one := writeFile(t, dir, "one.json", `{"servers": {"a": {"command": "x"}}}`)
	two := writeFile(t, dir, "two.json", `{"mcpServers": {"a": {"command": "y"}}}`)
	path := writeFile(t, dir, "c.yaml", `
servers:
  a: {url: https://x}
  b: {command: x, tiemout: 1s, oauth: {scope: x}, protocol: 2025-06-17, max_message_bytes: 17MiB}
  c: {command: x, timeout: 20m, stateful: true, shared: true, repeatable_tools: [""]}
  d: {command: x, timeout: 5}
  e: {command: x, timeout: 1ms, protocol: 2026-07-28, command: y}
  f: {command: x, enabled: maybe}
  g: {command: x, stateful: true, max_upstreams: 2, warm_upstreams: -1, health_interval: -1s}
  h: {command: x, warm_upstreams: 1}
`)
	got := loadProblems(t, []string{"--config", path, "--mcp-config", one, "--mcp-config", two}, nil, dir)
	wantLines(t, got, []string{
		`two.json:1: servers.a: the server is defined in one.json:1 too; rename one of them`,
		`c.yaml:4: servers.b.tiemout: is no setting of a server; did you mean "timeout"?`,
		`c.yaml:4: servers.b.oauth.scope: is no setting of a server; did you mean "oauth.scopes"?`,
		`c.yaml:4: servers.b.protocol: "2025-06-17" is none of auto, modern, 2025-11-25, 2025-06-18, 2025-03-26, 2024-11-05`,
		`c.yaml:4: servers.b.max_message_bytes: 17MiB is more than limits.message_bytes, 16MiB; lower the one or raise the other`,
		`c.yaml:5: servers.c.timeout: 20m is more than calls.max_timeout, 15m; lower the one or raise the other`,
		`c.yaml:5: servers.c.shared: a stateful server cannot be shared: callers would see each other's state; remove one of the two`,
		`c.yaml:5: servers.c.repeatable_tools: "" is an empty item; leave it out`,
		`c.yaml:6: servers.d.timeout: "5" has no unit; write "5s"`,
		`c.yaml:7: servers.e.command: is written on line 7 already; keep one`,
		`c.yaml:8: servers.f.disabled: "maybe" is neither true nor false`,
		`c.yaml:9: servers.g.max_upstreams: calls on the name of a stateful server are refused, so they share no connections; remove one of the two`,
		`c.yaml:9: servers.g.warm_upstreams: -1 is too small; write 0 or more`,
		`c.yaml:9: servers.g.health_interval: -1s is too small; write 0s or more`,
		`c.yaml:10: servers.h.warm_upstreams: is not below max_upstreams; raise that, so that there can be spare ones`,
		`c.yaml:7: servers.e.protocol: "2026-07-28" is none of auto, modern, 2025-11-25, 2025-06-18, 2025-03-26, 2024-11-05`,
	})
}

func TestLoadWarnsOfUnusedFields(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := writeFile(t, dir, "m.json", `{"servers": {
		"a": {"url": "https://x", "command": "", "args": [], "env": {"A": "1"}, "cwd": "/x", "envFile": ""},
		"b": {"command": "x", "headers": {"K": "v"}, "url": ""}
	}}`)
	cfg := load(t, []string{"--mcp-config", path}, nil)
	var got []string
	for _, w := range cfg.Warnings {
		got = append(got, strings.ReplaceAll(w.Error(), dir+"/", ""))
	}
	wantLines(t, got, []string{
		"m.json:2: servers.a.cwd: is ignored: a server of type http has no use for it",
		"m.json:2: servers.a.env.A: is ignored: a server of type http has no use for it",
		"m.json:3: servers.b.headers.K: is ignored: a server of type stdio has no use for it",
	})
	if a, b := show(t, cfg.Servers["a"]), show(t, cfg.Servers["b"]); a != "http https://x" || b != "stdio x" {
		t.Errorf("servers = %q, %q", a, b)
	}
}

func TestValidateServerBuiltByHand(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		server Server
		want   string
	}{
		"no type":      {Server{Command: "x", Protocol: ProtocolAuto}, "servers.s: has no type; write stdio, http, sse or websocket"},
		"unknown type": {Server{Type: "x", Command: "x", Protocol: ProtocolAuto}, `servers.s.type: "x" is none of stdio, http, sse, websocket`},
		"no protocol": {Server{Type: TypeStdio, Command: "x"},
			`servers.s.protocol: "" is none of auto, modern, 2025-11-25, 2025-06-18, 2025-03-26, 2024-11-05`},
	} {
		cfg := Default()
		cfg.Servers = map[string]Server{"s": test.server}
		if err := cfg.Validate(); err == nil || err.Error() != test.want {
			t.Errorf("%s: Validate() = %v, want %s", name, err, test.want)
		}
	}
	cfg := Default()
	server := DefaultServer()
	server.Type, server.Command = TypeStdio, "x"
	cfg.Servers = map[string]Server{"": server}
	if err := cfg.Validate(); err == nil || err.Error() != `servers[""]: the name is empty; give the server one` {
		t.Errorf("Validate() = %v", err)
	}
}
