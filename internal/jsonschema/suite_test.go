package jsonschema

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The official test suite, as far as the module cache has it: the module of the
// Go SDK's schema library comes with a copy.
func TestSuite(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/jsonschema-go").Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		t.Fatalf("find the module with the suite: %v", err)
	}
	total, unchecked := 0, 0
	for _, draft := range []string{"draft2020-12", "draft7"} {
		files, _ := filepath.Glob(filepath.Join(dir, "jsonschema", "testdata", draft, "*.json"))
		for _, file := range files {
			if filepath.Base(file) == "format.json" {
				continue
			}
			n, u := suiteFile(t, draft, file)
			total, unchecked = total+n, unchecked+u
		}
	}
	t.Logf("%d tests, %d unchecked", total, unchecked)
	if total < 1500 {
		t.Errorf("only %d tests", total)
	}
}

func suiteFile(t *testing.T, draft, file string) (total, unchecked int) {
	var groups []struct {
		Description string
		Schema      json.RawMessage
		Tests       []struct {
			Description string
			Data        json.RawMessage
			Valid       bool
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &groups); err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		schema := []byte(g.Schema)
		if draft == "draft7" && schema[0] == '{' && !strings.Contains(string(schema), `"$schema"`) {
			schema = append([]byte(`{"$schema":"http://json-schema.org/draft-07/schema#"`+map[bool]string{true: "", false: ","}[string(schema) == "{}"]), schema[1:]...)
		}
		s, err := Compile(schema, Options{})
		for _, tt := range g.Tests {
			total++
			got := err
			if err == nil {
				got = s.Validate(tt.Data)
			}
			if errors.Is(got, ErrUnchecked) {
				unchecked++
				continue
			}
			if (got == nil) != tt.Valid {
				t.Errorf("%s/%s: %s: %s: %v", draft, filepath.Base(file), g.Description, tt.Description, got)
			}
		}
	}
	return total, unchecked
}
