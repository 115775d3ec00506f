package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpbridge/mcpbridge/test/peers"
)

// What the examples print where something asks.
const (
	asked    = "the server asks: Shall we go on?"
	accepted = `the tool says: {"action":"accept","confirmed":true}`
	declined = `the tool says: {"action":"decline","confirmed":false}`
	refused  = `SERVER_NOT_FOUND, not_sent: no server "nobody"`
)

// TestNodeExamples runs the examples for Node with the packages of test/npm.
func TestNodeExamples(t *testing.T) {
	t.Parallel()
	path, packages := peers.Node(t)
	root := nodeTree(t, packages)
	b := start(t, setup{})
	for _, tt := range []struct {
		script string
		args   []string
		want   []string
	}{
		{script: "call.mjs", want: []string{
			"tools: calculate confirm ", "6 * 7 = 42", "progress: 2 to go", "progress: 0 to go", `done: {"elapsed_ms":`,
			"error: NOT_FOUND " + refused,
		}},
		{script: "answer.mjs", want: []string{asked, "the form has: confirmed", accepted}},
		{script: "answer.mjs", args: []string{"no"}, want: []string{asked, declined}},
		{script: "watch.mjs", want: []string{
			"connected to mcpbridge-demo, which speaks 2", "event: ready", "event: the server asks: Is anybody there?",
			accepted, "the stream ends: no session ",
		}},
	} {
		t.Run(strings.Join(append([]string{tt.script}, tt.args...), " "), func(t *testing.T) {
			t.Parallel()
			script := filepath.Join(root, "examples", "node", tt.script)
			wantInOrder(t, output(t, nil, append([]string{path, script, b.grpcAddr}, tt.args...)...), tt.want)
		})
	}
}

// TestNodePackages: those that the examples name are those that they are tested
// with.
func TestNodePackages(t *testing.T) {
	t.Parallel()
	type manifest struct{ Dependencies map[string]string }
	var example, tested manifest
	for path, m := range map[string]*manifest{"../../examples/node/package.json": &example, "../npm/package.json": &tested} {
		if err := json.Unmarshal(read(t, path), m); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	for name, version := range example.Dependencies {
		if tested.Dependencies[name] != version {
			t.Errorf("the example has %s %s, the tests %q", name, version, tested.Dependencies[name])
		}
	}
}

// TestCurlExamples runs the examples for the shell.
func TestCurlExamples(t *testing.T) {
	t.Parallel()
	need(t, "bash", "curl")
	b := start(t, setup{})
	env := []string{"MCPBRIDGE_URL=" + b.restURL}
	for name, tt := range map[string]struct {
		command []string
		want    []string
	}{
		"tour": {[]string{"tour.sh"}, []string{
			`"name":"servers/demo"`, `"name":"calculate"`, `{"result":3.14159`, `"message":"2 to go"`, "event: progress",
			"+09:00", "The quick brown fox.", `"isError":true`, "Mcpbridge-Reason: SERVER_NOT_FOUND", `"timezone":"Europe/Oslo"`,
			"\n{}\n",
		}},
		"answer yes": {[]string{"answer.sh"}, []string{asked, `{"action":"accept","confirmed":true}`}},
		"answer no":  {[]string{"answer.sh", "no"}, []string{asked, `{"action":"decline","confirmed":false}`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.command[0] = "../../examples/curl/" + tt.command[0]
			wantInOrder(t, output(t, env, append([]string{"bash"}, tt.command...)...), tt.want)
		})
	}
}

// TestGoExample runs the example for Go.
func TestGoExample(t *testing.T) {
	t.Parallel()
	if err := consult("../../examples/go"); err != nil {
		t.Fatal(err)
	}
	b := start(t, setup{})
	path := filepath.Join(t.TempDir(), "example")
	arguments := []string{"build", "-o", path}
	if raced() {
		arguments = append(arguments, "-race") // what is built already has it
	}
	command := exec.CommandContext(t.Context(), "go", append(arguments, "../../examples/go")...)
	if text, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build the example: %v\n%s", err, text)
	}
	wantInOrder(t, output(t, nil, path, b.grpcAddr), []string{
		`6 * 7: {"result":42}`, asked, accepted, "error: NotFound " + refused,
	})
}

// TestPythonExamples generates code and runs the examples for Python, where
// there is a Python with grpcio and a protoc with the plugin for it.
func TestPythonExamples(t *testing.T) {
	t.Parallel()
	need(t, "protoc")
	plugin, err := exec.LookPath("grpc_python_plugin")
	if err != nil {
		giveUp(t, err)
	}
	python := pythonWithGRPC(t)
	dir := t.TempDir()
	protos, err := filepath.Glob("../../proto/mcpbridge/v1/*.proto")
	if err != nil {
		t.Fatal(err)
	}
	output(t, nil, append([]string{
		"protoc", "-I", "../../proto", "--python_out", dir, "--grpc_python_out", dir, "--plugin=protoc-gen-grpc_python=" + plugin,
	}, protos...)...)
	copyFiles(t, dir, "../../examples/python/*.py")
	b := start(t, setup{})
	for script, want := range map[string][]string{
		"call.py":   {"tools: calculate confirm ", "6 * 7 = 42", "progress: 0 to go", "error: NOT_FOUND " + refused},
		"answer.py": {asked, accepted},
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			wantInOrder(t, output(t, nil, python, filepath.Join(dir, script), b.grpcAddr), want)
		})
	}
}

// nodeTree returns a directory with what the examples for Node need of this one,
// in the same places, and the packages beside them as npm install would put them.
func nodeTree(t *testing.T, packages string) (root string) {
	t.Helper()
	root = t.TempDir()
	copyFiles(t, filepath.Join(root, "examples", "node"), "../../examples/node/*.mjs")
	copyFiles(t, filepath.Join(root, "proto", "mcpbridge", "v1"), "../../proto/mcpbridge/v1/*.proto")
	if err := os.Symlink(filepath.Join(packages, "node_modules"), filepath.Join(root, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return root
}

func copyFiles(t *testing.T, dir, pattern string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has %d files: %v", pattern, len(files), err)
	}
	for _, file := range files {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), read(t, file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// need skips the test without these programs, but on CI fails it.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			giveUp(t, err)
		}
	}
}

// giveUp skips the test for want of something, but on CI, where nothing may be
// skipped unseen, fails it.
func giveUp(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// output runs a command that must succeed, with env added to the environment,
// and returns what it prints.
func output(t *testing.T, env []string, words ...string) string {
	t.Helper()
	command := exec.CommandContext(bounded(t), words[0], words[1:]...)
	command.Env = append(os.Environ(), env...)
	text, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, text)
	}
	return string(text)
}

// wantInOrder wants the pieces to be in the text one after the other.
func wantInOrder(t *testing.T, text string, pieces []string) {
	t.Helper()
	rest := text
	for _, piece := range pieces {
		_, after, found := strings.Cut(rest, piece)
		if !found {
			t.Fatalf("there is no %q where it should be in\n%s", piece, text)
		}
		rest = after
	}
}

// pythonWithGRPC finds a Python that has grpcio: the first in PATH, or that of
// the system, whose packages the distribution has.
func pythonWithGRPC(t *testing.T) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), python, "-c", "import grpc, google.protobuf").Run() == nil {
			return python
		}
	}
	giveUp(t, errors.New("no Python here has grpcio"))
	return ""
}
