package config

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the generated tables to docs/configuration.md")

const page = "../../docs/configuration.md"

func readPage(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestDocsTables holds the tables of the page against the code: every key, its
// default, its variable and its flag.
func TestDocsTables(t *testing.T) {
	t.Parallel()
	server := DefaultServer()
	text := readPage(t)
	want := between(t, text, "settings", settingsTable(settings(Default())))
	want = between(t, want, "server settings", serverTable(serverSettings(&server)))
	want = between(t, want, "group settings", serverTable(groupSettings(&Group{Mode: GroupAlways})))
	if text == want {
		return
	}
	if !*update {
		t.Fatalf("the tables of %s are not those of the code; run go test ./internal/config -update", page)
	}
	if err := os.WriteFile(page, []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
}

// between replaces what is between the markers called name.
func between(t *testing.T, text, name, table string) string {
	t.Helper()
	begin, end := "<!-- "+name+": generated -->\n", "<!-- end of "+name+" -->\n"
	before, rest, found := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no markers for %s", page, name)
	}
	return before + begin + table + end + after
}

func settingsTable(all []setting) string {
	var out strings.Builder
	out.WriteString("| Key | Default | Variable | Meaning |\n|---|---|---|---|\n")
	for _, s := range all {
		variable := code(s.env())
		if s.fileOnly {
			variable = "none"
		}
		if s.flag {
			variable += "<br>" + code("--"+s.flagName())
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", code(s.key), code(s.value.String()), variable, s.help)
	}
	return out.String()
}

func serverTable(all []setting) string {
	var out strings.Builder
	out.WriteString("| Field | Default | Meaning |\n|---|---|---|\n")
	for _, s := range all {
		fmt.Fprintf(&out, "| %s | %s | %s |\n", code(s.key), code(s.value.String()), s.help)
	}
	return out.String()
}

func code(text string) string { return "`" + text + "`" }

// TestDocsConnectionFields holds the hand-written table of fields against the
// fields that are read, whatever they are called in other products.
func TestDocsConnectionFields(t *testing.T) {
	t.Parallel()
	text := readPage(t)
	for _, name := range append(connectionFields(), "transport", "serverUrl", "httpUrl", "envFile", "enabled") {
		if !strings.Contains(text, code(name)) {
			t.Errorf("%s does not name %s", page, code(name))
		}
	}
}

// TestAuthenticationExamples loads the examples of the page on authentication.
func TestAuthenticationExamples(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../docs/authentication.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(data), -1)
	for _, example := range examples {
		path := writeFile(t, t.TempDir(), "c.yaml", example[1])
		cfg, err := Load([]string{"--config", path}, nil, os.Stderr)
		if err != nil || !cfg.Auth.Enabled() || len(cfg.Warnings) > 0 {
			t.Errorf("%v, %v\n%s", err, cfg, example[1])
		}
	}
	if len(examples) < 4 {
		t.Errorf("there are %d examples", len(examples))
	}
}

// TestDocsExamples loads every example of the page: YAML as the configuration,
// JSON as an mcpServers file.
func TestDocsExamples(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "secrets/tickets-token", "t-1\n")
	env := []string{"HOME=/home/op", "GITHUB_TOKEN=g-1", "SEARCH_KEY=s-1"}
	examples := regexp.MustCompile("(?s)```(yaml|jsonc)\n(.*?)```").FindAllStringSubmatch(readPage(t), -1)
	flags := map[string]string{"yaml": "--config", "jsonc": "--mcp-config"}
	var seen []string
	for i, example := range examples {
		language, text := example[1], example[2]
		if language == "jsonc" && !slices.Contains(seen, language) {
			writeFile(t, dir, "mcp.json", text) // the one that the YAML examples name
		}
		seen = append(seen, language)
		path := writeFile(t, dir, fmt.Sprintf("%d.%s", i, language), text)
		cfg, err := Load([]string{flags[language], path}, env, os.Stderr)
		if err != nil {
			t.Errorf("%v\n%s", err, text)
			continue
		}
		if len(cfg.Warnings) > 0 {
			t.Errorf("%s: %v", filepath.Base(path), Problems(cfg.Warnings))
		}
	}
	if !slices.Contains(seen, "yaml") || !slices.Contains(seen, "jsonc") {
		t.Errorf("%s has examples in %q, want both languages", page, seen)
	}
}
