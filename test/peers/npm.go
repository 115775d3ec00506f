package peers

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
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

// Node returns the path of Node and the directory test/npm, with its packages
// installed. Without Node or without the packages and a way to get them it skips
// the test, but on CI, where nothing may be skipped unseen, it fails it.
func Node(t testing.TB) (path, packages string) {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		giveUp(t, fmt.Errorf("this test needs Node: %w", err))
	}
	return path, packagesIn(t, filepath.Join("test", "npm"))
}

// packagesIn returns the directory, given from the root of the project, with
// what its lock file says installed.
func packagesIn(t testing.TB, directory string) string {
	t.Helper()
	packages, err := find(directory)
	if err != nil {
		giveUp(t, err)
	}
	if err := install(t.Context(), packages); err != nil {
		giveUp(t, err)
	}
	return packages
}

func giveUp(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// find finds a directory of npm packages from the directory of the package under
// test, in which go test runs.
func find(directory string) (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find %s: %w", directory, err)
	}
	for root := start; ; root = filepath.Dir(root) {
		candidate := filepath.Join(root, directory)
		if _, err := os.Stat(filepath.Join(candidate, "package-lock.json")); err == nil {
			return candidate, nil
		}
		if root == filepath.Dir(root) {
			return "", fmt.Errorf("no %s above %s", directory, start)
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
		return fmt.Errorf("install %s: %w", packages, err)
	}
	ctx, cancel := context.WithTimeout(ctx, installTime)
	defer cancel()
	command := exec.CommandContext(ctx, npm, "ci", "--prefix", packages,
		"--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("install %s: %w\n%s", packages, err, output)
	}
	if !installed(packages) {
		return fmt.Errorf("npm ci did not install what the lock file in %s says", packages)
	}
	return nil
}

// lockDirectory waits until no other process holds the lock.
func lockDirectory(directory string) (unlock func(), err error) {
	file, err := os.Open(directory)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", directory, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock %s: %w", directory, err)
	}
	return func() { _ = file.Close() }, nil // which gives the lock up
}

// installed compares the lock file with the one that npm leaves in node_modules,
// which lacks the entry of the root package, and optional ones that are for
// other machines.
func installed(packages string) bool {
	wanted, err := lockedPackages(filepath.Join(packages, "package-lock.json"))
	if err != nil {
		return false
	}
	got, err := lockedPackages(filepath.Join(packages, "node_modules", ".package-lock.json"))
	return err == nil && reflect.DeepEqual(wanted, got)
}

func lockedPackages(path string) (map[string]map[string]any, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var lock struct {
		Packages map[string]map[string]any `json:"packages"`
	}
	if err := json.Unmarshal(data, &lock); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	delete(lock.Packages, "")
	maps.DeleteFunc(lock.Packages, func(_ string, p map[string]any) bool { return p["optional"] == true })
	return lock.Packages, nil
}
