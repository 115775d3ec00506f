package hostile

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// stdioClient is connected to a hostile server that runs as a process.
type stdioClient struct {
	in     *os.File
	out    *bufio.Reader
	stderr *lockedBuffer
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process is gone and reaped
}

func overStdio(t *testing.T, options Options) client { return start(t, options) }

// start starts a server. Cleanup kills it.
func start(t *testing.T, options Options) *stdioClient {
	t.Helper()
	stdin, in := pipe(t)
	out, stdout := pipe(t)
	command := Command(t, options)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), command.Path, command.Args...)
	cmd.Env = command.Env
	cmd.Stdin, cmd.Stdout = stdin, stdout
	stderr := &lockedBuffer{}
	cmd.Stderr = stderr
	cmd.WaitDelay = time.Second // a grandchild may hold stderr open
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = stdin.Close()
	_ = stdout.Close()
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
	})
	return &stdioClient{in: in, out: bufio.NewReader(out), stderr: stderr, cmd: cmd, exited: exited}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.Close()
		_ = w.Close()
	})
	return r, w
}

func (c *stdioClient) write(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		t.Fatalf("write %s: %v", line, err)
	}
}

// line returns the next line of stdout with its line feed.
func (c *stdioClient) line(t *testing.T) string {
	t.Helper()
	line, err := c.out.ReadString('\n')
	if err != nil {
		t.Fatalf("read stdout: %v after %.200q; stderr: %.500s", err, line, c.stderr)
	}
	return line
}

func (c *stdioClient) ask(t *testing.T, request string, n int) []string {
	t.Helper()
	c.write(t, request)
	return c.more(t, n)
}

func (c *stdioClient) more(t *testing.T, n int) []string {
	t.Helper()
	var lines []string
	for range n {
		lines = append(lines, c.line(t))
	}
	return lines
}

func (c *stdioClient) tell(t *testing.T, message string) {
	t.Helper()
	c.write(t, message)
}

// waitExit waits until the process is gone and returns its status.
func (c *stdioClient) waitExit(t *testing.T) int {
	t.Helper()
	select {
	case <-c.exited:
		return c.cmd.ProcessState.ExitCode()
	case <-time.After(deadline):
		t.Fatal("the process did not exit")
		return 0
	}
}

// lockedBuffer is a buffer that may be read while it is written.
type lockedBuffer struct {
	mu     sync.Mutex // guards buffer
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(data)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func (b *lockedBuffer) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Len()
}

const ping = `{"jsonrpc":"2.0","id":8,"method":"ping"}`

// stdioSmokeTests are those of the modes that stdio has, but for the ones that
// everywhereSmokeTests has.
func stdioSmokeTests() map[string]smokeTest {
	discover := requestOf(Dual, "7", "server/discover", "")
	return map[string]smokeTest{
		"silent-discover":      saysNext(discover+"\n"+initialize, `"id":1,"result":{"protocolVersion"`),
		"late-discover":        saysNext(discover+"\n"+initialize, `"id":1,"result"`, `"id":7,"error"`),
		"late-discover-result": saysNext(discover+"\n"+initialize, `"id":7,"result":{"resultType"`, `"id":1,"result"`),
		"bom":                  saysNext(ping, "\ufeff{"),
		"blank-lines":          saysNext(ping, "\n", "\r\n", "  \t\n", "}\r\n", "\r\n"),
		"noise-flood":          floodsNoise,
		"noise":                printsNoise,
		"out-of-order":         answersInReverse,
		"exit-discover":        exitsOnDiscover,
		"silent-call":          keepsCallWaiting,
		"endless-line":         endsNoLine,
		"stderr-flood":         floodsStderr,
		"exit-at-once":         exitsAtOnce,
		"slow-start":           startsSlowly,
		"crash":                crashes,
		"stubborn":             isStubborn,
		"deaf":                 isDeaf,
		"grandchild":           leavesGrandchild,
		"closed-stdout":        closesStdout,
	}
}

// saysNext tests that some lines are answered with lines that contain the parts.
func saysNext(lines string, parts ...string) smokeTest {
	return func(t *testing.T, mode string) {
		wants(t, start(t, Options{Mode: mode}).ask(t, lines, len(parts)), parts...)
	}
}

func printsNoise(t *testing.T, mode string) {
	c := start(t, Options{Mode: mode})
	noisy := strings.Count(noise, "\n")
	c.more(t, noisy)
	messages := c.ask(t, ping, 2*noisy+1)
	wants(t, messages[noisy:noisy+1], `"id":8,"result"`)
	if got := strings.Join(messages[noisy+1:], ""); got != noise {
		t.Errorf("the noise after the message is %q", got)
	}
}

func floodsNoise(t *testing.T, mode string) {
	c := start(t, Options{Mode: mode})
	messages := c.ask(t, callOf(Dual, "7", "nonce"), noiseFlood+1)
	wants(t, messages[noiseFlood-1:], "INFO: still working", `"text":"nonce"`)
}

func answersInReverse(t *testing.T, mode string) {
	journal := NewJournal(t)
	c := start(t, Options{Mode: mode, Journal: journal})
	c.write(t, callOf(Dual, "7", "first"))
	waitFor(t, journal, Executed, "first")
	wants(t, c.ask(t, callOf(Dual, "8", "second"), 2), `"text":"second"`, `"text":"first"`)
}

func exitsOnDiscover(t *testing.T, mode string) {
	c := start(t, Options{Mode: mode})
	c.write(t, requestOf(Dual, "7", "server/discover", ""))
	c.waitExit(t)
}

func keepsCallWaiting(t *testing.T, mode string) {
	journal := NewJournal(t)
	c := start(t, Options{Mode: mode, Journal: journal})
	c.write(t, callOf(Dual, "7", "nonce"))
	waitFor(t, journal, Executed, "nonce")
	wants(t, c.ask(t, ping, 1), `"id":8,"result"`)
	c.write(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}`)
	waitFor(t, journal, Cancelled, "nonce")
}

func endsNoLine(t *testing.T, mode string) {
	journal := NewJournal(t)
	c := start(t, Options{Mode: mode, Journal: journal})
	c.write(t, callOf(Dual, "7", "nonce"))
	data := make([]byte, 8<<20)
	if _, err := io.ReadFull(c.out, data); err != nil {
		t.Fatal(err)
	}
	if bytes.IndexByte(data, '\n') >= 0 || !bytes.HasPrefix(data, []byte(`{"jsonrpc":"2.0","id":7`)) {
		t.Errorf("8 MiB begin with %.80q and have a line feed: %v", data, bytes.IndexByte(data, '\n') >= 0)
	}
	if journal.Count(t, Executed, "nonce") != 1 {
		t.Error("not executed")
	}
}

func floodsStderr(t *testing.T, mode string) {
	c := start(t, Options{Mode: mode})
	wants(t, c.ask(t, ping, 1), `"id":8,"result"`)
	eventually(t, "the whole flood", func() bool { return c.stderr.Len() == stderrFlood })
}

func exitsAtOnce(t *testing.T, mode string) {
	c := start(t, Options{Mode: mode})
	if status := c.waitExit(t); status != 3 {
		t.Errorf("status is %d, want 3", status)
	}
	if got := c.stderr.String(); !strings.Contains(got, "disk is full") {
		t.Errorf("stderr is %q", got)
	}
}

func startsSlowly(t *testing.T, mode string) {
	before := time.Now()
	c := start(t, Options{Mode: mode})
	wants(t, c.ask(t, ping, 1), `"id":8,"result"`)
	if elapsed := time.Since(before); elapsed < slowStart {
		t.Errorf("answered after %v", elapsed)
	}
}

func crashes(t *testing.T, mode string) {
	journal := NewJournal(t)
	c := start(t, Options{Mode: mode, Journal: journal})
	c.write(t, callOf(Dual, "7", "nonce"))
	if data, err := io.ReadAll(c.out); err != nil || len(data) > 0 {
		t.Errorf("stdout has %q (%v), want nothing", data, err)
	}
	if status := c.waitExit(t); status != 1 || journal.Count(t, Executed, "nonce") != 1 {
		t.Errorf("status is %d, journal is %v", status, journal.Entries(t))
	}
}

func isStubborn(t *testing.T, mode string) {
	c := start(t, Options{Mode: mode})
	wants(t, c.ask(t, ping, 1), `"id":8,"result"`)
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	wants(t, c.ask(t, ping, 1), `"id":8,"result"`)
	if err := c.in.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.exited:
		t.Errorf("exited: %v", c.cmd.ProcessState)
	case <-time.After(300 * time.Millisecond):
	}
}

func isDeaf(t *testing.T, mode string) {
	for _, era := range []Era{Dual, Legacy} {
		c := start(t, Options{Mode: mode, Era: era})
		if era == Legacy {
			wants(t, c.ask(t, initialize, 1), `"id":1,"result"`)
			c.write(t, initialized)
		} else {
			wants(t, c.ask(t, requestOf(Dual, "7", "server/discover", ""), 1), `"supportedVersions"`)
		}
		// A pipe takes 64 KiB and the server's own buffer some more.
		if err := c.in.SetWriteDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.in.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("era %q: writing ended with %v, want a deadline", era, err)
		}
	}
}

func leavesGrandchild(t *testing.T, mode string) {
	c := start(t, Options{Mode: mode})
	wants(t, c.ask(t, ping, 1), `"id":8,"result"`)
	var pid int
	eventually(t, "the grandchild", func() bool {
		_, err := fmt.Sscanf(c.stderr.String(), "grandchild %d\n", &pid)
		return err == nil
	})
	grandchild, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = grandchild.Kill() }()
	if err := c.in.Close(); err != nil {
		t.Fatal(err)
	}
	c.waitExit(t)
	if err := grandchild.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the grandchild is gone: %v", err)
	}
	ended := make(chan error)
	go func() {
		_, err := c.out.ReadByte()
		ended <- err
	}()
	if err := grandchild.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Errorf("stdout ended with %v, want EOF", err)
	}
}

func closesStdout(t *testing.T, mode string) {
	journal := NewJournal(t)
	c := start(t, Options{Mode: mode, Journal: journal})
	c.write(t, callOf(Dual, "7", "nonce"))
	if _, err := c.out.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("stdout ended with %v, want EOF", err)
	}
	if journal.Count(t, Executed, "nonce") != 1 {
		t.Error("not executed")
	}
	if err := c.cmd.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the process is gone: %v", err)
	}
	if err := c.in.Close(); err != nil {
		t.Fatal(err)
	}
	if status := c.waitExit(t); status != 0 {
		t.Errorf("status is %d", status)
	}
}
