// Package e2e tests mcpbridge as its users have it: the binary, started with
// flags and files, called by gRPC and REST, in front of real MCP servers and of
// servers that misbehave.
//
// Each test starts a bridge of its own, on free ports of 127.0.0.1 and without
// any configuration of the machine, and stops it by SIGTERM; a bridge that does
// not exit with 0 then, or leaves a child behind, fails its test.
package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/mcpbridge/mcpbridge/test/hostile"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

func TestMain(m *testing.M) {
	peers.ServeIfChild()
	hostile.ServeIfChild()

	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := os.RemoveAll(binaryDir()); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(code)
	}))
}

// binaryDir is where the binary of this process's tests is.
func binaryDir() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("mcpbridge-e2e-%d", os.Getpid()))
}

// built builds the binary, once.
var built = sync.OnceValues(func() (path string, err error) {
	if err := consult("../../cmd", "../../internal", "../../gen"); err != nil {
		return "", err
	}
	path = filepath.Join(binaryDir(), "mcpbridge")
	arguments := []string{"build", "-o", path}
	if raced() {
		arguments = append(arguments, "-race")
	}
	// go test puts the directory of its own go first in PATH.
	command := exec.Command("go", append(arguments, "github.com/mcpbridge/mcpbridge/cmd/server")...)
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the bridge: %w\n%s", err, output)
	}
	return path, nil
})

// consult looks at directories and all below. What it is for: go test takes the
// result of another run only if nothing has changed that the tests have looked
// at, and what the binary is built from would not be among that.
func consult(directories ...string) error {
	for _, directory := range directories {
		err := filepath.WalkDir(directory, func(_ string, _ fs.DirEntry, err error) error { return err })
		if err != nil {
			return fmt.Errorf("look at the sources: %w", err)
		}
	}
	return nil
}

// raced reports whether the tests run with the race detector.
func raced() bool {
	info, _ := debug.ReadBuildInfo()
	for _, setting := range info.Settings {
		if setting.Key == "-race" {
			return setting.Value == "true"
		}
	}
	return false
}

// binary returns the path of the bridge, with the race detector in it if the
// tests have it.
func binary(t *testing.T) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
