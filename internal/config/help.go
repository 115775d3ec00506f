package config

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

const helpIntro = `mcpbridge lets any program use MCP servers: it keeps the MCP sessions and
serves them by gRPC and REST.

Started without configuration it serves one built-in MCP server, "demo".
To serve your own, name the file your editor or assistant already has:

  mcpbridge --mcp-config ~/.cursor/mcp.json

Other commands:

  mcpbridge check    read the configuration and say what is wrong with it
  mcpbridge health   ask a running bridge how it is
  mcpbridge version  say which version this is

Flags:
`

const helpOutro = `
Every setting has a variable too, which flags override: MCPBRIDGE_ and the key
in capitals, as in MCPBRIDGE_GRPC_ADDR or MCPBRIDGE_CALLS_MAX_TIMEOUT. Variables
override the configuration file, a YAML file with the keys and the servers:

  grpc:
    addr: 127.0.0.1:9090
  servers:
    github:
      url: https://api.githubcopilot.com/mcp/
      headers: {Authorization: "Bearer ${GITHUB_TOKEN}"}

docs/configuration.md has every key with its default.
`

// writeHelp writes what -h shows.
func writeHelp(output io.Writer, all []setting) error {
	var text strings.Builder
	text.WriteString(helpIntro)
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	row := func(flag, help, def string) {
		if def != "" {
			help += " (default " + def + ")"
		}
		_, _ = fmt.Fprintf(table, "  --%s\t%s\n", flag, help) // a Builder takes everything
	}
	row("config FILE", "Configuration file. Without it: ./mcpbridge.yaml,", "")
	_, _ = fmt.Fprint(table, "  \t~/.config/mcpbridge/config.yaml, /etc/mcpbridge/config.yaml, or none.\n")
	for _, s := range all {
		if s.flag {
			row(s.flagName()+placeholder(s), s.help, helpDefault(s))
		}
	}
	_ = table.Flush()
	text.WriteString(helpOutro)
	_, err := io.WriteString(output, text.String())
	return err
}

// placeholder names the value of a flag that takes one.
func placeholder(s setting) string {
	switch {
	case isBoolean(s):
		return ""
	case s.paths:
		return " FILE"
	case strings.HasSuffix(s.key, ".addr"):
		return " ADDR"
	}
	return " " + strings.ToUpper(s.key[strings.LastIndexByte(s.key, '.')+1:])
}

// helpDefault leaves out the defaults that go without saying.
func helpDefault(s setting) string {
	if def := s.value.String(); def != "false" && def != "[]" {
		return def
	}
	return ""
}
