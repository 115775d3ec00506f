package transport

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// writeBytes is how much may be written under one write timeout, so that a
// large message to a slow but willing reader is not mistaken for a stuck one.
const writeBytes = 1 << 20

// A process is a child in a process group of its own and our ends of its three
// pipes. reap must run in a goroutine for as long as the child lives, and close
// must be called after it; the other methods may be called concurrently, at any
// time.
type process struct {
	cmd                   *exec.Cmd
	stdin, stdout, stderr *os.File
	stopGrace, termGrace  time.Duration
	stopping              sync.Once

	// mu guards the fields below. Once reaped the process id may be another's.
	mu     sync.Mutex
	reaped bool
	timer  *time.Timer
}

// startProcess starts the command of cfg. The calling goroutine must keep to its
// thread for as long as the child lives: see tie.
func startProcess(cfg *StdioConfig) (*process, error) {
	attr, err := groupAttr()
	if err != nil {
		return nil, err
	}
	tie(attr)
	env := childEnv(cfg.Env)
	path, err := lookPath(cfg.Command, env)
	if err != nil {
		return nil, err
	}
	p := &process{stopGrace: cfg.StopGrace, termGrace: cfg.TermGrace}
	p.cmd = &exec.Cmd{
		Path: path, Args: append([]string{cfg.Command}, cfg.Args...),
		Env: env, Dir: cfg.Dir, SysProcAttr: attr,
	}
	if err := p.start(); err != nil {
		return nil, err
	}
	return p, nil
}

// start makes the pipes and starts the command. Files of our own, rather than
// what exec makes of readers and writers, cost no copying goroutine and take
// deadlines.
func (p *process) start() error {
	var theirs, ours [3]*os.File
	for i := range theirs {
		r, w, err := os.Pipe()
		if err != nil {
			closeFiles(theirs[:])
			closeFiles(ours[:])
			return err
		}
		if i > 0 {
			r, w = w, r
		}
		theirs[i], ours[i] = r, w
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = theirs[0], theirs[1], theirs[2]
	p.stdin, p.stdout, p.stderr = ours[0], ours[1], ours[2]
	err := p.cmd.Start()
	closeFiles(theirs[:])
	if err != nil {
		p.close()
	}
	return err
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // of a nil file too
	}
}

// write writes b to the child. It fails when the child takes nothing for as
// long as timeout, and says how many bytes the pipe has accepted.
func (p *process) write(b []byte, timeout time.Duration) (n int, err error) {
	for n < len(b) {
		if err := p.stdin.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
			return n, err
		}
		k, err := p.stdin.Write(b[n:min(n+writeBytes, len(b))])
		n += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// stop begins the staged end that the specification asks for: stdin is closed,
// later the group gets SIGTERM, later SIGKILL (spec 2025-11-25,
// basic/lifecycle#shutdown). It does not wait.
func (p *process) stop() {
	p.stopping.Do(func() {
		_ = p.stdin.Close()
		p.after(p.stopGrace, func() {
			p.signal(syscall.SIGTERM)
			p.after(p.termGrace, p.kill)
		})
	})
}

// after calls f once d has passed, unless the child has ended by then.
func (p *process) after(d time.Duration, f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		p.timer = time.AfterFunc(d, f)
	}
}

func (p *process) kill() { p.signal(syscall.SIGKILL) }

// signal signals the child's whole group: launchers such as npx and sh leave
// the server to a grandchild.
func (p *process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		signalGroup(p.cmd.Process.Pid, sig)
	}
}

// reapedLocked ends the sending of signals.
func (p *process) reapedLocked() {
	p.reaped = true
	if p.timer != nil {
		p.timer.Stop()
	}
}

// hurry gives whoever reads what the ended child has written until the end of
// grace, and whoever writes to it no time at all. Pipes may outlive the child
// in the hands of processes that have left its group.
func (p *process) hurry(grace time.Duration) {
	_ = p.stdin.Close()
	deadline := time.Now().Add(grace)
	_ = p.stdout.SetReadDeadline(deadline)
	_ = p.stderr.SetReadDeadline(deadline)
}

// close closes our ends of the pipes.
func (p *process) close() { closeFiles([]*os.File{p.stdin, p.stdout, p.stderr}) }

// inherited are the variables that a child gets from our environment, the short
// list of the Python SDK.
func inherited() []string { return []string{"HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"} }

// childEnv builds a child's environment: the short list with the configured
// entries on top.
func childEnv(configured []string) []string {
	var env []string
	for _, key := range inherited() {
		// A value that starts with "()" is a function exported by bash, which
		// is code.
		if v, ok := os.LookupEnv(key); ok && !strings.HasPrefix(v, "()") {
			env = append(env, key+"="+v)
		}
	}
	return append(env, configured...)
}

// lookPath finds a command as the child would: in the PATH of env, which the
// configuration may have set. Relative entries of PATH do not count.
func lookPath(command string, env []string) (string, error) {
	if command == "" {
		return "", errors.New("no command")
	}
	if filepath.Base(command) != command {
		return command, nil
	}
	var path string
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = v
		}
	}
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if file, err := exec.LookPath(filepath.Join(dir, command)); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("find %q in PATH: %w", command, exec.ErrNotFound)
}
