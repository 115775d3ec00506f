package peers

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Conformance returns the command that runs the official conformance suite: a
// Node that is new enough for it, from npm like the suite itself, and the suite.
func Conformance(t testing.TB) []string {
	t.Helper()
	modules := filepath.Join(packagesIn(t, filepath.Join("test", "conformance", "npm")), "node_modules")
	platform := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if platform == "" {
		platform = runtime.GOARCH
	}
	node := filepath.Join(modules, fmt.Sprintf("node-%s-%s", runtime.GOOS, platform), "bin", "node")
	if _, err := os.Stat(node); err != nil {
		giveUp(t, fmt.Errorf("npm has no Node 22 for this platform: %w", err))
	}
	return []string{node, filepath.Join(modules, "@modelcontextprotocol", "conformance", "dist", "index.js")}
}
