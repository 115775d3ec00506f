package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Bounds on what is waited for. They are for a machine with much else to do,
// and end a test that has failed already.
const (
	startBound = 30 * time.Second
	stopBound  = 60 * time.Second
)

// setup says how to start a bridge. The zero value starts it as a stranger
// would: without any configuration.
type setup struct {
	// config is the text of a configuration file. Empty: there is none.
	config string
	// servers is what an mcpServers file holds. Nil: there is none.
	servers servers
	// env is what the environment has beside PATH and HOME, as key=value.
	env []string
	// args are further arguments.
	args []string
}

// A bridge is a running mcpbridge. Any number of clients may use it at the same
// time; its test alone stops it.
type bridge struct {
	grpcAddr string // host:port
	restURL  string // http://host:port
	adminURL string
	log      *logbook

	command *exec.Cmd
	ended   chan struct{} // closed when it has ended
	stopped bool          // by stop
}

// start starts a bridge and waits until it serves. It is stopped when the test
// ends, unless the test stops it before.
func start(t *testing.T, s setup) *bridge {
	t.Helper()
	args := append([]string{
		"--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0",
	}, s.args...)
	b := launch(t, s, args)
	t.Cleanup(func() {
		b.stop(t)
		if t.Failed() {
			t.Logf("log of the bridge:\n%s", b.log.tail())
		}
	})
	serving := b.log.wait(t, b.ended, "serving")
	b.grpcAddr, b.restURL, b.adminURL = serving.text("grpc"), serving.text("rest"), serving.text("admin")
	return b
}

// launch starts the binary in a directory of its own.
func launch(t *testing.T, s setup, args []string) *bridge {
	t.Helper()
	dir := t.TempDir()
	if s.servers != nil {
		args = append(args, "--mcp-config", s.servers.write(t, dir))
	}
	if s.config != "" {
		path := filepath.Join(dir, "bridge.yaml")
		if err := os.WriteFile(path, []byte(s.config), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	b := &bridge{log: &logbook{}, ended: make(chan struct{})}
	b.command = exec.Command(binary(t), args...)
	b.command.Dir = dir
	b.command.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir,
		// A data race makes the exit status 66, and the usual second of waiting
		// for reports would make every stop look like a slow one.
		"GORACE=atexit_sleep_ms=0 exitcode=66",
	}, s.env...)
	stderr, err := b.command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.command.Start(); err != nil {
		t.Fatalf("start the bridge: %v", err)
	}
	go b.watch(stderr)
	return b
}

// watch keeps what the bridge says until it has ended.
func (b *bridge) watch(stderr io.Reader) {
	defer close(b.ended)
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		b.log.add(strings.TrimSuffix(line, "\n"))
		if err != nil {
			break
		}
	}
	_ = b.command.Wait() // ProcessState has it
}

func (b *bridge) pid() int { return b.command.Process.Pid }

// signal sends the bridge a signal.
func (b *bridge) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := b.command.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal the bridge: %v", err)
	}
}

// stop stops the bridge in the way of an operator and checks that nothing is
// wrong with its end.
func (b *bridge) stop(t *testing.T) {
	t.Helper()
	if b.stopped {
		return
	}
	children := descendants(t, b.pid())
	b.signal(t, syscall.SIGTERM)
	b.awaitEnd(t, children)
}

// awaitEnd waits for a bridge that is stopping and checks its end: exit status
// 0, and none of the children left.
func (b *bridge) awaitEnd(t *testing.T, children []process) {
	t.Helper()
	b.stopped = true
	if err := b.wait(stopBound); err != nil {
		t.Error(err)
		_ = b.command.Process.Kill() // it has failed anyway
		<-b.ended
	}
	if code := b.command.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit status of the bridge is %d, want 0", code)
	}
	for _, child := range children {
		if child.lives(t) {
			t.Errorf("the bridge has left process %d (%s) behind", child.pid, child.name)
			_ = syscall.Kill(child.pid, syscall.SIGKILL)
		}
	}
}

// wait waits for the end of the bridge.
func (b *bridge) wait(bound time.Duration) error {
	select {
	case <-b.ended:
		return nil
	case <-time.After(bound):
		return fmt.Errorf("the bridge runs on after %v", bound)
	}
}

// runToEnd starts the binary and waits for it to end by itself.
func runToEnd(t *testing.T, s setup, args ...string) (code int, stderr string) {
	t.Helper()
	b := launch(t, s, args)
	if err := b.wait(startBound); err != nil {
		_ = b.command.Process.Kill()
		<-b.ended
		t.Fatalf("%v; it said:\n%s", err, b.log.text())
	}
	return b.command.ProcessState.ExitCode(), b.log.text()
}
