// Package api_test guards the REST face of the API: which paths there are, and
// which call each of them makes. buf breaking sees neither.
package api_test

import (
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

const (
	swaggerFile = "../../gen/openapi/mcpbridge.swagger.json"
	goldenFile  = "testdata/rest.golden"
)

var update = flag.Bool("update", false, "rewrite "+goldenFile+" from the OpenAPI document")

// TestRESTSurface compares every method, path and operation id of the committed
// OpenAPI document with the golden list. A line that is removed or altered
// breaks callers; a line that is added does not.
func TestRESTSurface(t *testing.T) {
	t.Parallel()

	got := restSurface(t)
	if *update {
		if err := os.WriteFile(goldenFile, []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}

	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("gone, which breaks callers: %s", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("new, to be added with -update: %s", line)
		}
	}
}

// TestEveryTargetHasEveryPath checks that whatever can be called on a server
// can be called on a session and on a group as well.
func TestEveryTargetHasEveryPath(t *testing.T) {
	t.Parallel()

	paths := map[string][]string{}
	for _, line := range restSurface(t) {
		fields := strings.Fields(line)
		for _, target := range []string{"server", "session", "group"} {
			if rest, ok := strings.CutPrefix(fields[0], "/v1/"+target+"s/{"+target+"}"); ok && rest != "" {
				key := fields[1] + " " + rest
				paths[key] = append(paths[key], target)
			}
		}
	}
	for key, targets := range paths {
		if len(targets) != 3 && !strings.Contains(key, " /members") {
			t.Errorf("%s is there only for %v", key, targets)
		}
	}
}

// TestEveryRPCHasAPath checks that no RPC is missing from the REST mapping,
// which the generator would not notice.
func TestEveryRPCHasAPath(t *testing.T) {
	t.Parallel()

	surface := strings.Join(restSurface(t), "\n") + "\n"
	service := mcpbridgev1.File_mcpbridge_v1_mcp_service_proto.Services().ByName("McpService")
	for i := range service.Methods().Len() {
		name := service.Methods().Get(i).Name()
		if !strings.Contains(surface, " McpService_"+string(name)+"\n") {
			t.Errorf("%s has no REST path", name)
		}
	}
}

// restSurface lists the operations of the OpenAPI document as sorted lines of
// path, method and operation id.
func restSurface(t *testing.T) []string {
	t.Helper()

	text, err := os.ReadFile(swaggerFile)
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatalf("read %s: %v", swaggerFile, err)
	}

	var lines []string
	for path, operations := range document.Paths {
		for method, operation := range operations {
			lines = append(lines, path+" "+strings.ToUpper(method)+" "+operation.OperationID)
		}
	}
	if len(lines) == 0 {
		t.Fatalf("%s lists no operation", swaggerFile)
	}
	slices.Sort(lines)
	return lines
}
