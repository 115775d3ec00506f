package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fuzzServers holds that whatever a file has in it, reading it ends, every
// server that comes out of it is valid, and no message has a secret in it.
func fuzzServers(f *testing.F, ours bool, parse func([]byte) (node, error)) {
	f.Fuzz(func(t *testing.T, data []byte) {
		root, err := parse(data)
		if err != nil {
			return
		}
		l := newLoader([]string{"SECRET=" + canary, "HOME=/nowhere"})
		doc := &document{path: "m", base: "/nowhere", ours: ours, root: root}
		if ours {
			l.readFile(doc)
		}
		l.readServers(doc)
		warnings := Problems(l.cfg.Warnings)
		cfg, err := l.finish()
		switch {
		case err == nil && cfg.Validate() != nil:
			t.Errorf("finish() = %+v, which is not valid: %v", cfg, cfg.Validate())
		case err != nil && (cfg != nil || strings.Contains(err.Error(), canary)):
			t.Errorf("finish() = %v, %v", cfg, err)
		case strings.Contains(warnings.Error(), canary):
			t.Errorf("warnings = %v", warnings)
		}
	})
}

func FuzzMCPFile(f *testing.F) {
	for _, path := range corpus(f, "testdata/*.json") {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"servers": {"a": {"type": "${SECRET}", "url": "${SECRET}", "headers": {"${SECRET}": "${SECRET}\n"}}}}`))
	f.Add([]byte(`{"servers": {"b": {"command": ["${SECRET}", "${SECRET"], "cwd": "${SECRET}", "envFile": "${SECRET}"}}} // x`))
	fuzzServers(f, false, parseJSONC)
}

func FuzzOwnFile(f *testing.F) {
	for _, path := range corpus(f, "testdata/*.yaml") {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("a: &a {b: *a}\nservers: {x: {url: '${SECRET}', timeout: 1s, enabled: no}}\n"))
	fuzzServers(f, true, parseYAML)
}

func corpus(f *testing.F, pattern string) []string {
	f.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		f.Fatalf("no files %s: %v", pattern, err)
	}
	return paths
}

// FuzzExpand holds that text without a reference stays as it is, and the
// environment comes out only where it is asked for.
func FuzzExpand(f *testing.F) {
	for _, text := range []string{"", "a", "${SECRET}", "$${SECRET}", "${NONE:-x}", "${env:SECRET", "${file:/nowhere}", "$$$${SECRET}}"} {
		f.Add(text)
	}
	x := expander{vars: environ{"SECRET": canary}, doc: &document{base: "/nowhere"}}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "file:") || strings.Contains(text, canary) {
			return // reads a file of the machine, or brings the canary along
		}
		got, complaints := x.expand(text)
		if !strings.Contains(text, "${") && (got != text || complaints != nil) {
			t.Errorf("expand(%q) = %q, %q", text, got, complaints)
		}
		if strings.Contains(got, canary) && !strings.Contains(text, "SECRET") {
			t.Errorf("expand(%q) = %q", text, got)
		}
		if strings.Contains(strings.Join(complaints, " "), canary) {
			t.Errorf("expand(%q) complains %q", text, complaints)
		}
	})
}
