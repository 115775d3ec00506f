package transport

import (
	"bufio"
	"errors"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// TestStdioChildDoesNotOutliveUs kills the process that has started a child.
func TestStdioChildDoesNotOutliveUs(t *testing.T) {
	t.Parallel()
	cfg := childConfig(t, "parent")
	cmd := exec.CommandContext(t.Context(), cfg.Command)
	cmd.Env = cfg.Env
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, errRead := bufio.NewReader(out).ReadString('\n')
	errKill := cmd.Process.Kill()
	_ = cmd.Wait()
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err := errors.Join(errRead, errKill, err); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the child", func() bool { return !alive(pid) })
}

// TestStdioChildOutlivesThreads ends the thread of the goroutine that dials.
func TestStdioChildOutlivesThreads(t *testing.T) {
	t.Parallel()
	dialed := make(chan Transport)
	ended := make(chan struct{})
	go func() {
		runtime.LockOSThread() // and never unlocked
		defer close(ended)
		tr, err := NewStdio(childConfig(t, "serve")).Dial(t.Context(), ignore)
		if err != nil {
			t.Error(err)
		}
		dialed <- tr
	}()
	c, ok := (<-dialed).(*stdioConn)
	if !ok {
		t.FailNow()
	}
	t.Cleanup(func() { closeNow(t, c) })
	<-ended
	for id := range int64(100) {
		callStdio(t, c, id+1, "echo", `{}`)
	}
}
