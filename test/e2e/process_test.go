package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// A process is one as /proc shows it.
type process struct {
	pid, parent int
	name        string
	state       string // Z is a zombie
	started     string // tells it from a later process with the same id
}

func (p process) zombie() bool { return p.state == "Z" }

// lives reports whether the process still runs.
func (p process) lives(t *testing.T) bool {
	t.Helper()
	now, ok := readProcess(t, p.pid)
	return ok && now.started == p.started && !now.zombie()
}

// readProcess reads /proc/<pid>/stat; see proc(5).
func readProcess(t *testing.T, pid int) (p process, ok bool) {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, false // it has ended
	}
	open, closing := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	fields := strings.Fields(string(data[closing+1:]))
	if open < 0 || closing < open || len(fields) < 20 {
		t.Fatalf("/proc/%d/stat is %q", pid, data)
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		t.Fatalf("/proc/%d/stat is %q", pid, data)
	}
	return process{
		pid: pid, parent: parent, name: string(data[open+1 : closing]), state: fields[0], started: fields[19],
	}, true
}

// children returns the processes that pid has started, zombies too.
func children(t *testing.T, pid int) []process {
	t.Helper()
	var found []process
	for _, p := range processes(t) {
		if p.parent == pid {
			found = append(found, p)
		}
	}
	return found
}

// descendants returns the children of pid, and theirs, and so on.
func descendants(t *testing.T, pid int) []process {
	t.Helper()
	all := processes(t)
	family := map[int]bool{pid: true}
	var found []process
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if family[p.parent] && !family[p.pid] {
				family[p.pid], grown = true, true
				found = append(found, p)
			}
		}
	}
	return found
}

// needProcesses skips a test where processes cannot be looked at.
func needProcesses(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("this test needs /proc as Linux has it")
	}
}

// processes returns all of the machine's, or none where that is not possible.
func processes(t *testing.T) []process {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var all []process
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			continue
		}
		if p, ok := readProcess(t, pid); ok {
			all = append(all, p)
		}
	}
	return all
}

// openFiles counts the file descriptors of pid.
func openFiles(t *testing.T, pid int) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
