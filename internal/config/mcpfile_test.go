package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// show writes a server with its secrets, and the folder of the tests as DIR.
func show(t *testing.T, s Server) string {
	t.Helper()
	dir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	line := fmt.Sprintf("%s %s%s", s.Type, s.Command, s.URL.Reveal())
	for _, arg := range s.Args {
		line += " " + arg
	}
	if s.Cwd != "" {
		line += " in " + s.Cwd
	}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		line += fmt.Sprintf(" %s=%s", name, s.Env[name].Reveal())
	}
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		line += fmt.Sprintf(" %s: %s", name, s.Headers[name].Reveal())
	}
	return strings.ReplaceAll(line, dir, "DIR")
}

// The files in testdata have the shape of what each product writes.
func TestLoadMCPFiles(t *testing.T) {
	t.Parallel()
	env := []string{"HOME=/home/op", "TICKETS_TOKEN=t-1", "NOTES_TOKEN=n-2", "LINT_LEVEL=high"}
	for name, test := range map[string]struct {
		servers  map[string]string
		warnings []string
	}{
		"claude_desktop": {servers: map[string]string{
			"filesystem": "stdio npx -y @modelcontextprotocol/server-filesystem /srv/files",
			"memory":     "stdio npx -y @modelcontextprotocol/server-memory MEMORY_FILE_PATH=/srv/memory.json",
		}},
		"claude_code": {
			servers: map[string]string{
				"tickets": "http https://tickets.example.com/mcp Authorization: Bearer t-1",
				"events":  "sse https://events.example.com/sse",
				"local":   "stdio /opt/mcp/bin/server --log 📝",
			},
			warnings: []string{"testdata/claude_code.json:11: servers.events.oauth: is ignored: in an mcpServers file other products give it other meanings; " +
				"set servers.events.oauth in mcpbridge's own file"},
		},
		"vscode": {servers: map[string]string{
			"lint":   "stdio node DIR/tools/lint.js --folder=testdata COLOUR=deep blue LEVEL=high",
			"search": "http https://search.example.com/mcp X-Api-Key: k-123",
		}},
		"cursor": {
			servers: map[string]string{
				"notes": "http https://notes.example.com/mcp Authorization: Bearer n-2",
				"home":  "stdio /home/op/bin/notes/server",
			},
			warnings: []string{"testdata/cursor.json:7: servers.notes.auth: is ignored: mcpbridge has no use for it"},
		},
		"windsurf": {servers: map[string]string{"remote": "http https://remote.example.com/mcp API_KEY: Bearer k-123"}},
		"gemini": {
			servers: map[string]string{
				"streamable": "http https://one.example.com/mcp",
				"python":     "stdio python -m server in DIR/servers API_KEY=$TICKETS_TOKEN",
			},
			warnings: []string{
				"testdata/gemini.json:6: servers.streamable.timeout: is ignored: in an mcpServers file other products give it " +
					"other meanings; set servers.streamable.timeout in mcpbridge's own file",
				"testdata/gemini.json:7: servers.streamable.trust: is ignored: mcpbridge has no use for it",
				"testdata/gemini.json:13: servers.python.env.API_KEY: is taken as it is; " +
					"write ${TICKETS_TOKEN} for the value of the variable",
				"testdata/gemini.json:14: servers.python.includeTools: is ignored: mcpbridge has no use for it",
			},
		},
		"fastmcp": {
			servers: map[string]string{
				"weather":   "http https://weather.example.com/mcp",
				"feed":      "sse https://feed.example.com/sse",
				"assistant": "stdio uv run assistant.py in /srv/assistant",
				"socket":    "websocket wss://socket.example.com/mcp",
			},
			warnings: []string{
				"testdata/fastmcp.json:6: servers.weather.timeout: is ignored: in an mcpServers file other products give it " +
					"other meanings; set servers.weather.timeout in mcpbridge's own file",
				"testdata/fastmcp.json:7: servers.weather.description: is ignored: mcpbridge has no use for it",
			},
		},
		"copilot": {
			servers: map[string]string{
				"code": "stdio uvx serena TOKEN=t-1",
				"docs": "http https://docs.example.com/mcp",
			},
			warnings: []string{
				"testdata/copilot.json:7: servers.code.tools: is ignored: mcpbridge has no use for it",
				"testdata/copilot.json:13: servers.docs.tools: is ignored: mcpbridge has no use for it",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := load(t, []string{"--mcp-config", filepath.Join("testdata", name+".json")}, env)
			got := make(map[string]string)
			for name, s := range cfg.Servers {
				got[name] = show(t, s)
			}
			if !maps.Equal(got, test.servers) {
				t.Errorf("servers = %q\nwant      %q", got, test.servers)
			}
			var warnings []string
			for _, w := range cfg.Warnings {
				warnings = append(warnings, w.Error())
			}
			wantLines(t, warnings, test.warnings)
		})
	}
}

func TestLoadServerTypes(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]ServerType{
		`"command": "x"`:                                     TypeStdio,
		`"command": ["x", "y"]`:                              TypeStdio,
		`"command": "x", "type": "stdio"`:                    TypeStdio,
		`"command": "x", "type": "local"`:                    TypeStdio,
		`"command": "x", "type": ""`:                         TypeStdio,
		`"url": "http://x"`:                                  TypeHTTP,
		`"serverUrl": "https://x"`:                           TypeHTTP,
		`"httpUrl": "https://x"`:                             TypeHTTP,
		`"url": "https://x", "type": "http"`:                 TypeHTTP,
		`"url": "https://x", "transport": "http"`:            TypeHTTP,
		`"url": "https://x", "type": "streamable-http"`:      TypeHTTP,
		`"url": "https://x", "type": "streamableHttp"`:       TypeHTTP,
		`"url": "https://x", "transport": "streamable_http"`: TypeHTTP,
		`"url": "https://x", "type": "sse"`:                  TypeSSE,
		`"url": "https://x", "type": "SSE"`:                  TypeSSE,
		`"url": "ws://x"`:                                    TypeWebSocket,
		`"url": "WSS://x"`:                                   TypeWebSocket,
		`"url": "wss://x", "type": "ws"`:                     TypeWebSocket,
		`"url": "wss://x", "type": "websocket"`:              TypeWebSocket,
	} {
		path := writeFile(t, t.TempDir(), "m.json", `{"mcpServers": {"s": {`+fields+`}}}`)
		if got := load(t, []string{"--mcp-config", path}, nil).Servers["s"].Type; got != want {
			t.Errorf("%s: type %q, want %q", fields, got, want)
		}
	}
}

// Our own file is laid over the mcpServers files, field by field, and each text
// means what it means in its own file.
func TestLoadOwnServersOverMCPFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mcp := writeFile(t, dir, "project/.vscode/mcp.json", `{"servers": {
		"one": {"command": "${workspaceFolder}/run", "args": ["a"], "env": {"A": "1", "B": "2", "C": "3"}, "cwd": "sub"},
		"two": {"command": "${NOT_SET}"},
		"three": {"command": "x", "disabled": true},
		"four": {"command": "x"}
	}}`)
	own := writeFile(t, dir, "etc/c.yaml", `
mcp_config_files: [../project/.vscode/mcp.json]
servers:
  one: {args: ["${workspaceFolder}"], env: {B: b, C: null}, timeout: 3s}
  two: {disabled: true}
  three: {enabled: true, cwd: .}
  four: {command: null, url: https://x}
  a b: {command: [sh, -c], args: [date], env_file: vars}
`)
	writeFile(t, dir, "etc/vars", "A=1\n")
	cfg := load(t, []string{"--config", own}, nil)
	got := make(map[string]string)
	for name, s := range cfg.Servers {
		got[name] = strings.ReplaceAll(show(t, s), dir, "TMP")
	}
	want := map[string]string{
		"one":   "stdio TMP/project/run TMP/etc in TMP/project/sub A=1 B=b",
		"three": "stdio x in TMP/etc",
		"four":  "http https://x",
		"a b":   "stdio sh -c date A=1",
	}
	if !maps.Equal(got, want) {
		t.Errorf("servers = %q\nwant      %q", got, want)
	}
	if want := []string{mcp}; !slices.Equal(cfg.MCPConfigFiles, want) {
		t.Errorf("mcp_config_files = %q, want %q", cfg.MCPConfigFiles, want)
	}
}
