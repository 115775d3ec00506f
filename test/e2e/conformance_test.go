package e2e

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mcpbridge/mcpbridge/test/peers"
)

// A score is how many checks of each scenario have to succeed: as many as for
// the official Go SDK's client. The suite calls a scenario passed that had no
// check at all, so counting is what makes it a test.
type score map[string]int

func requirements20251125() score {
	return score{
		"initialize": 1, "tools_call": 2, "elicitation-sep1034-client-defaults": 5, "sse-retry": 3,
		"json-schema-2020-12-preservation": 9,

		"auth/metadata-default": 19, "auth/metadata-var1": 19, "auth/metadata-var2": 19, "auth/metadata-var3": 19,
		"auth/basic-cimd": 14, "auth/pre-registration": 14, "auth/scope-from-www-authenticate": 15,
		"auth/scope-from-scopes-supported": 15, "auth/scope-omitted-when-undefined": 15, "auth/scope-step-up": 24,
		"auth/scope-retry-limit": 19, "auth/token-endpoint-auth-basic": 20, "auth/token-endpoint-auth-post": 20,
		"auth/token-endpoint-auth-none": 20, "auth/client-credentials-basic": 9, "auth/client-credentials-jwt": 9,
	}
}

func requirements20260728() score {
	return score{
		"tools_call": 2, "request-metadata": 6, "http-standard-headers": 9, "http-custom-headers": 18,
		"http-invalid-tool-headers": 12, "json-schema-ref-no-deref": 1, "json-schema-2020-12-preservation": 9,
		"sep-2322-client-request-state": 5,

		"auth/metadata-default": 18, "auth/metadata-var1": 18, "auth/metadata-var2": 18, "auth/metadata-var3": 18,
		"auth/basic-cimd": 12, "auth/pre-registration": 12, "auth/scope-from-www-authenticate": 14,
		"auth/scope-from-scopes-supported": 14, "auth/scope-omitted-when-undefined": 14, "auth/scope-step-up": 27,
		"auth/scope-retry-limit": 11, "auth/token-endpoint-auth-basic": 19, "auth/token-endpoint-auth-post": 19,
		"auth/token-endpoint-auth-none": 19, "auth/resource-mismatch": 5, "auth/offline-access-scope": 11,
		"auth/offline-access-not-supported": 14, "auth/authorization-server-migration": 27, "auth/iss-supported": 14,
		"auth/iss-not-advertised": 14, "auth/iss-supported-missing": 15, "auth/iss-wrong-issuer": 15, "auth/iss-unexpected": 15,
		"auth/iss-normalized": 15, "auth/metadata-issuer-mismatch": 5, "auth/client-credentials-basic": 7, "auth/client-credentials-jwt": 7,
	}
}

// TestConformance runs the official conformance suite for clients against the
// bridge, driven by gRPC.
func TestConformance(t *testing.T) {
	for name, test := range map[string]struct {
		arguments []string
		want      score
	}{
		"requirements 2025-11-25": {[]string{"--requirements", "2025-11-25"}, requirements20251125()},
		"requirements 2026-07-28": {[]string{"--requirements", "2026-07-28"}, requirements20260728()},
		"enterprise":              {[]string{"--scenario", "auth/enterprise-managed-authorization"}, score{"auth/enterprise-managed-authorization": 10}},
		// It measures times, so it is run once more with nothing beside it.
		"sse-retry alone": {[]string{"--scenario", "sse-retry"}, score{"sse-retry": 3}},
	} {
		t.Run(name, func(t *testing.T) {
			results := runConformance(t, test.arguments)
			for _, scenario := range slices.Sorted(maps.Keys(test.want)) {
				results[scenario].check(t, scenario, test.want[scenario])
			}
		})
	}
}

// A scenarioResult is what the suite found in one scenario.
type scenarioResult struct {
	success int
	// problems are the checks that failed or warned.
	problems []string
	stderr   string
}

func (r scenarioResult) check(t *testing.T, scenario string, want int) {
	t.Helper()
	if r.success < want || len(r.problems) > 0 {
		t.Errorf("%s: %d checks succeeded, want %d; problems:\n%s\nthe adapter said: %s",
			scenario, r.success, want, strings.Join(r.problems, "\n"), r.stderr)
	}
}

// runConformance runs the suite and returns the results by scenario.
func runConformance(t *testing.T, arguments []string) map[string]scenarioResult {
	t.Helper()
	suite := peers.Conformance(t)
	b := start(t, setup{config: `
policy:
  allow_urls: ["http://localhost:*"]
  allow_private_addresses: true
oauth:
  client_metadata_url: https://conformance-test.local/client-metadata.json
`})
	directory := t.TempDir()
	arguments = append(slices.Concat(suite[1:], []string{"client", "--command", adapter(t), "-o", directory}), arguments...)
	command := exec.CommandContext(t.Context(), suite[0], arguments...)
	command.Dir = directory
	command.Env = append(os.Environ(), "MCPBRIDGE_ADDR="+b.grpcAddr)
	output, err := command.CombinedOutput()
	if err != nil { // for the results to explain
		t.Logf("the suite ended with %v", err)
	}
	results := readResults(t, directory)
	if len(results) == 0 {
		t.Fatalf("the suite left no results; it said:\n%s", output)
	}
	return results
}

// adapter builds the client that the suite starts. The suite splits the command
// at spaces, which temporary directories have none of.
func adapter(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "adapter")
	command := exec.CommandContext(t.Context(), "go", "build", "-o", path, "github.com/mcpbridge/mcpbridge/test/conformance/adapter")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build the adapter: %v\n%s", err, output)
	}
	return path
}

// readResults reads what the suite writes: for each scenario a directory of its
// name and the time, with the checks in a file.
func readResults(t *testing.T, directory string) map[string]scenarioResult {
	t.Helper()
	stamp := regexp.MustCompile(`-\d{4}-\d\d-\d\dT[-\d]*Z$`)
	results := make(map[string]scenarioResult)
	err := fs.WalkDir(os.DirFS(directory), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "checks.json" {
			return err
		}
		place := filepath.Dir(path)
		results[stamp.ReplaceAllString(place, "")] = readResult(t, filepath.Join(directory, place))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func readResult(t *testing.T, directory string) (r scenarioResult) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(directory, "checks.json"))
	if err != nil {
		t.Fatal(err)
	}
	var checks []struct {
		ID, Status, Description string
		ErrorMessage            string
		Details                 json.RawMessage
	}
	if err := json.Unmarshal(data, &checks); err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		switch c.Status {
		case "SUCCESS":
			r.success++
		case "FAILURE", "WARNING":
			r.problems = append(r.problems, strings.Join([]string{c.Status, c.ID, c.Description, c.ErrorMessage, string(c.Details)}, ": "))
		}
	}
	if stderr, err := os.ReadFile(filepath.Join(directory, "stderr.txt")); err == nil {
		r.stderr = string(stderr)
	}
	return r
}
