// Package child runs the test binary once more as something else, so that a test
// needs no helper program built beforehand.
package child

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// Command is how to start a program. It needs nothing from the parent's
// environment that is not in Env.
type Command struct {
	Path string
	Args []string // without Path
	Env  []string // key=value
}

// Self returns the command that runs the test binary again with the variable
// set to what, as JSON.
func Self(t testing.TB, variable string, what any) Command {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatalf("find the test binary: %v", err)
	}
	value, err := json.Marshal(what)
	if err != nil {
		t.Fatalf("encode %s: %v", variable, err)
	}
	return Command{Path: path, Env: []string{
		variable + "=" + string(value),
		// A binary built with -race waits a second at its exit for reports from
		// other threads, which would make every stop look like a slow one.
		"GORACE=atexit_sleep_ms=0",
	}}
}

// Run is what a TestMain calls for each thing its binary can be. If the process
// was started from a Self command with that variable, Run decodes the value,
// runs it and exits; if not, it returns at once.
func Run[T any](variable string, run func(T) error) {
	value, ok := os.LookupEnv(variable)
	if !ok {
		return
	}
	if err := decodeAndRun(value, run); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", variable, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func decodeAndRun[T any](value string, run func(T) error) error {
	var what T
	if err := json.Unmarshal([]byte(value), &what); err != nil {
		return fmt.Errorf("decode the value: %w", err)
	}
	return run(what)
}
