package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mcpbridge/mcpbridge/test/peers"
)

// pagesServers are the servers that the pages speak of, all of them the demo, with
// the group of docs/groups.md.
const pagesServers = `
servers:
  demo: &demo {command: %q, args: [demo]}
  work: *demo
  home: *demo
  mine: *demo
  one: *demo
  two: *demo
groups:
  office: {members: [work, home]}
`

// asReader makes curl fail where the bridge refuses, and leave a stream without end.
const asReader = `curl() {
	local bound=30
	[[ "$*" != */events ]] || bound=1
	command curl --silent --show-error --fail-with-body --max-time $bound "$@" || (($? == 28 && bound == 1))
}
`

// TestPages runs what the pages tell their readers to type: the curl commands, and
// the program in the README.
func TestPages(t *testing.T) {
	t.Parallel()
	need(t, "bash", "curl")
	b := start(t, setup{config: fmt.Sprintf(pagesServers, binary(t))})
	for page, least := range map[string]int{"README.md": 3, "docs/rest.md": 5, "docs/groups.md": 8, "docs/python-sdk.md": 7} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			script, count := asReader, 0
			for _, block := range blocks(t, page, "sh") {
				// A block without curl is of another kind, such as grpcurl's, which
				// TestQuickStart stands for.
				if commands := strings.Count("\n"+block, "\ncurl "); commands > 0 {
					script += block
					count += commands
				}
			}
			if count < least {
				t.Errorf("there are %d commands, want %d or more", count, least)
			}
			script = strings.ReplaceAll(script, "http://127.0.0.1:8080", b.restURL)
			output(t, nil, "bash", "-euc", script)
		})
	}
	t.Run("the program in the README", func(t *testing.T) {
		t.Parallel()
		path, packages := peers.Node(t)
		root := nodeTree(t, packages)
		program := blocks(t, "README.md", "js")[0]
		program = strings.ReplaceAll(program, "127.0.0.1:9090", b.grpcAddr)
		program = strings.ReplaceAll(program, `["proto"]`, `["`+filepath.Join(root, "proto")+`"]`)
		script := filepath.Join(root, "readme.mjs")
		if err := os.WriteFile(script, []byte(program), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, want := output(t, nil, path, script), "{\"result\":42}\n"; got != want {
			t.Errorf("it prints %q, want %q", got, want)
		}
	})
}

// TestLinks: what the pages link to within the project is there.
func TestLinks(t *testing.T) {
	t.Parallel()
	pages := []string{"README.md", "CHANGELOG.md"}
	for _, pattern := range []string{"docs/*.md", "docs/decisions/*.md", "examples/*.md", "examples/*/*.md"} {
		found, err := filepath.Glob("../../" + pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s has %d pages: %v", pattern, len(found), err)
		}
		for _, page := range found {
			pages = append(pages, strings.TrimPrefix(page, "../../"))
		}
	}
	link := regexp.MustCompile(`\]\(([^)#\s]+)(?:#([^)\s]+))?\)`)
	for _, page := range pages {
		for _, match := range link.FindAllStringSubmatch(string(read(t, "../../"+page)), -1) {
			if strings.Contains(match[1], "://") {
				continue
			}
			target := filepath.Join("../..", filepath.Dir(page), match[1])
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %v", page, err)
			} else if anchor := match[2]; anchor != "" && !hasAnchor(string(read(t, target)), anchor) {
				t.Errorf("%s: %s has no heading for #%s", page, match[1], anchor)
			}
		}
	}
}

// hasAnchor reports whether a page has a heading of that anchor, going by the
// rule of GitHub.
func hasAnchor(page, anchor string) bool {
	dropped := regexp.MustCompile(`[^\w\- ]`)
	for line := range strings.Lines(page) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			title = dropped.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			if strings.ReplaceAll(title, " ", "-") == anchor {
				return true
			}
		}
	}
	return false
}

// TestCheckTells: the command says what a bridge would serve.
func TestCheckTells(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"nothing", nil, "it names no servers, so the built-in demo server is served"},
		{"the example", []string{"--mcp-config", "../../examples/mcp.json"}, "servers are everything, files, remote"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			home := []string{"HOME=" + t.TempDir()}
			got := output(t, home, append([]string{binary(t), "check"}, tt.args...)...)
			if want := "the configuration is good: " + tt.want + "\n"; got != want {
				t.Errorf("it says %q, want %q", got, want)
			}
		})
	}
}

// blocks returns the blocks of code of a page that are in a language.
func blocks(t *testing.T, page, language string) (found []string) {
	t.Helper()
	block := regexp.MustCompile("(?s)\n```" + language + "\n(.*?)```")
	for _, match := range block.FindAllStringSubmatch(string(read(t, "../../"+page)), -1) {
		found = append(found, match[1])
	}
	if found == nil {
		t.Fatalf("%s has no code in %s", page, language)
	}
	return found
}
