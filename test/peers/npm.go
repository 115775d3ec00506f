package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"
	"time"
)

// installTime bounds one npm ci, which takes some ten seconds.
const installTime = 3 * time.Minute

// node returns the path of Node and the directory test/npm, with its packages
// installed. Without Node or without the packages and a way to get them it skips
// the test, but on CI, where nothing may be skipped unseen, it fails it.
func node(t testing.TB) (path, packages string) {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		giveUp(t, fmt.Errorf("this test needs Node: %w", err))
	}
	packages, err = npmDirectory()
	if err != nil {
		giveUp(t, err)
	}
	if err := install(t.Context(), packages); err != nil {
		giveUp(t, err)
	}
	return path, packages
}

func giveUp(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// npmDirectory finds test/npm from the directory of the package under test, in
// which go test runs.
func npmDirectory() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find test/npm: %w", err)
	}
	for directory := start; ; directory = filepath.Dir(directory) {
		candidate := filepath.Join(directory, "test", "npm")
		if _, err := os.Stat(filepath.Join(candidate, "package-lock.json")); err == nil {
			return candidate, nil
		}
		if directory == filepath.Dir(directory) {
			return "", fmt.Errorf("no test/npm above %s", start)
		}
	}
}

// install runs npm ci unless what is installed is what the lock file says. The
// test processes that go test runs side by side take turns.
func install(ctx context.Context, packages string) error {
	unlock, err := lockDirectory(packages)
	if err != nil {
		return err
	}
	defer unlock()
	if installed(packages) {
		return nil
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return fmt.Errorf("install test/npm: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, installTime)
	defer cancel()
	command := exec.CommandContext(ctx, npm, "ci", "--prefix", packages,
		"--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("install test/npm: %w\n%s", err, output)
	}
	if !installed(packages) {
		return errors.New("npm ci did not install what test/npm/package-lock.json says")
	}
	return nil
}

// lockDirectory waits until no other process holds the lock.
func lockDirectory(directory string) (unlock func(), err error) {
	file, err := os.Open(directory)
	if err != nil {
		return nil, fmt.Errorf("lock test/npm: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock test/npm: %w", err)
	}
	return func() { _ = file.Close() }, nil // which gives the lock up
}

// installed compares the lock file with the one that npm leaves in node_modules,
// which lacks the entry of the root package only.
func installed(packages string) bool {
	wanted, err := lockedPackages(filepath.Join(packages, "package-lock.json"))
	if err != nil {
		return false
	}
	got, err := lockedPackages(filepath.Join(packages, "node_modules", ".package-lock.json"))
	return err == nil && reflect.DeepEqual(wanted, got)
}

func lockedPackages(path string) (map[string]any, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var lock struct {
		Packages map[string]any `json:"packages"`
	}
	if err := json.Unmarshal(data, &lock); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	delete(lock.Packages, "")
	return lock.Packages, nil
}
