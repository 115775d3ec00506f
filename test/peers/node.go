package peers

import (
	"bufio"
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	startTime = time.Minute     // for a Node server to listen; a cold start takes a second or two
	stopTime  = 5 * time.Second // for it to exit by itself
)

const everythingScript = "node_modules/@modelcontextprotocol/server-everything/dist/index.js"

// EverythingCommand returns the command of the reference server "everything", of
// the TypeScript SDK v1, over stdio.
func EverythingCommand(t testing.TB) Command {
	t.Helper()
	path, packages := Node(t)
	return Command{Path: path, Args: []string{filepath.Join(packages, everythingScript), "stdio"}}
}

// EverythingHTTP runs the reference server "everything" over Streamable HTTP until
// the test ends and returns its URL.
func EverythingHTTP(t testing.TB) (url string) {
	t.Helper()
	return serveNode(t, []string{"PORT=0"}, everythingScript, "streamableHttp") + "/mcp"
}

// EverythingSSE runs the reference server "everything" over HTTP+SSE until the test
// ends and returns the URL of its event stream.
func EverythingSSE(t testing.TB) (url string) {
	t.Helper()
	return serveNode(t, []string{"PORT=0"}, everythingScript, "sse") + "/sse"
}

// V2Command returns the command of test/npm/v2-demo.mjs, a server of the TypeScript
// SDK v2, over stdio.
func V2Command(t testing.TB) Command {
	t.Helper()
	path, packages := Node(t)
	return Command{Path: path, Args: []string{filepath.Join(packages, "v2-demo.mjs"), "stdio"}}
}

// V2HTTP runs test/npm/v2-demo.mjs over Streamable HTTP until the test ends and
// returns its URL.
func V2HTTP(t testing.TB) (url string) {
	t.Helper()
	return serveNode(t, nil, "v2-demo.mjs", "http", "0") + "/mcp"
}

// WebSocket runs supergateway, which serves one child of the command to all of its
// sockets, until the test ends and returns its URL. It turns string ids into null.
func WebSocket(t testing.TB, command Command) (url string) {
	t.Helper()
	words := append([]string{"env", "-i"}, command.Env...)
	words = append(append(words, command.Path), command.Args...)
	for i, word := range words {
		words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	base := serveNode(t, []string{"PATH=/usr/bin:/bin"}, "node_modules/supergateway/dist/index.js",
		"--stdio", strings.Join(words, " "), "--outputTransport", "ws", "--port", "0",
		"--messagePath", "/ws", "--logLevel", "none")
	return "ws" + strings.TrimPrefix(base, "http") + "/ws"
}

// serveNode runs a script of test/npm, which is to listen on port 0, until the
// test ends and returns its URL, without a path.
func serveNode(t testing.TB, env []string, script string, args ...string) (url string) {
	t.Helper()
	path, packages := Node(t)
	args = append([]string{"--import", filepath.Join(packages, "loopback.mjs"), filepath.Join(packages, script)}, args...)
	command := exec.CommandContext(context.WithoutCancel(t.Context()), path, args...) // cleanup ends it
	command.Env = env
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatalf("start %s: %v", script, err)
	}
	ports := make(chan string, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		watch(stderr, t.Output(), ports)
		_ = killGroup(command) // what it started may outlive it
		_ = command.Wait()
	}()
	t.Cleanup(func() { stopNode(t, command, stdin, ended) })
	select {
	case port := <-ports:
		return "http://127.0.0.1:" + port
	case <-ended:
		t.Fatalf("%s ended: %v", script, command.ProcessState)
	case <-time.After(startTime):
		t.Fatalf("%s does not listen after %v", script, startTime)
	}
	return ""
}

// watch copies what a server says to log and picks out the port on which it listens.
func watch(stderr io.Reader, log io.Writer, ports chan<- string) {
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		_, _ = io.WriteString(log, line)
		if port, ok := strings.CutPrefix(line, "listening on port "); ok {
			select {
			case ports <- strings.TrimSpace(port):
			default: // only the first one counts
			}
		}
		if err != nil {
			return
		}
	}
}

// stopNode ends a server by ending its stdin and, if that does not help, with all
// the processes of its group by force.
func stopNode(t testing.TB, command *exec.Cmd, stdin io.Closer, ended <-chan struct{}) {
	t.Helper()
	_ = stdin.Close()
	select {
	case <-ended:
		return
	case <-time.After(stopTime):
	}
	if err := killGroup(command); err != nil {
		t.Errorf("kill process group %d: %v", command.Process.Pid, err)
	}
	<-ended
}

// killGroup kills a command that has not been waited for and all that it started.
func killGroup(command *exec.Cmd) error {
	return syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
}
