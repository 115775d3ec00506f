package hostile

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

const (
	// lifetime bounds a process that nothing else would end, so that a test that
	// fails to kill it leaves it behind for a while only.
	lifetime  = 2 * time.Minute
	slowStart = time.Second
)

// processModes attack how a client looks after its child.
func processModes() []mode {
	return []mode{
		{
			Mode:      stdioOnly("exit-at-once", "exits before it reads anything, with status 3 and a last word on stderr"),
			stdioMode: stdioMode{start: exitAtOnce},
		},
		{
			Mode:      stdioOnly("slow-start", fmt.Sprintf("needs %v before it reads anything", slowStart)),
			stdioMode: stdioMode{start: func(*process) { time.Sleep(slowStart) }},
		},
		{
			Mode: stdioOnly("crash", "runs a call and dies without answering it"),
			handle: onCall(func(_ context.Context, s *server, m message, _ outlet) {
				s.execute(m)
				os.Exit(1)
			}),
		},
		{
			Mode: stdioOnly("stubborn", "ignores SIGTERM and the end of its input"),
			stdioMode: stdioMode{
				start: func(*process) { signal.Ignore(syscall.SIGTERM) },
				end:   func(*process) { waitForDeath() },
			},
		},
		{
			Mode: stdioOnly("deaf", "reads nothing more after the handshake"),
			stdioMode: stdioMode{deafAfter: func(s *server, m message) bool {
				return m.Method == "notifications/initialized" || m.Method == "server/discover" && s.era != Legacy
			}},
		},
		{
			Mode:      stdioOnly("grandchild", `leaves behind a child that holds stdout; stderr says "grandchild <pid>"`),
			stdioMode: stdioMode{start: startGrandchild},
		},
		{
			Mode: stdioOnly("closed-stdout", "closes its stdout on a call, having run it, and lives on"),
			handle: onCall(func(_ context.Context, s *server, m message, _ outlet) {
				s.execute(m)
				_ = os.Stdout.Close()
			}),
		},
	}
}

func exitAtOnce(p *process) {
	_, _ = fmt.Fprintln(p.stderr, "cannot start: the disk is full")
	os.Exit(3)
}

// waitForDeath does nothing until the process is killed.
func waitForDeath() {
	time.Sleep(lifetime)
	os.Exit(9)
}

// lingerVariable marks a process as the grandchild of the mode of that name.
const lingerVariable = "MCPBRIDGE_TEST_LINGER"

func startGrandchild(p *process) {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	grandchild := exec.CommandContext(context.Background(), path)
	grandchild.Env = []string{lingerVariable + "=true"}
	grandchild.Stdout = os.Stdout
	grandchild.Stderr = os.Stderr
	if err := grandchild.Start(); err != nil {
		panic(err)
	}
	_, _ = fmt.Fprintln(p.stderr, "grandchild", grandchild.Process.Pid)
}

func linger(bool) error {
	waitForDeath()
	return nil
}
