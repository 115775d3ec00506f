package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpbridge/mcpbridge/test/hostile"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// servers are the MCP servers of an mcpServers file, by name.
type servers map[string]entry

// An entry is how an mcpServers file describes a server.
type entry struct {
	Command string            `json:"command,omitempty"`
	Args    []string          `json:"args,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
	Type    string            `json:"type,omitempty"`
	URL     string            `json:"url,omitempty"`
}

// stdio is a server that is a child process.
func stdio(command peers.Command) entry {
	e := entry{Command: command.Path, Args: command.Args, Env: make(map[string]string)}
	for _, variable := range command.Env {
		name, value, _ := strings.Cut(variable, "=")
		e.Env[name] = value
	}
	return e
}

// overHTTP is a server of Streamable HTTP.
func overHTTP(url string) entry { return entry{Type: "http", URL: url} }

// hostileEntry starts a hostile server on that transport.
func hostileEntry(t *testing.T, transport string, options hostile.Options) entry {
	t.Helper()
	if transport == "stdio" {
		return stdio(hostile.Command(t, options))
	}
	return overHTTP(hostile.HTTP(t, options).URL)
}

// write makes a file of the servers and returns its path.
func (s servers) write(t *testing.T, dir string) (path string) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"mcpServers": s})
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "mcp.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
