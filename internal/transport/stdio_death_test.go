//go:build unix

package transport

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// eventually polls until ok, for things outside of this process.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ctx := short(tb); !ok(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("still waiting: %s", what)
		}
	}
}

// alive reports whether the process runs; a zombie does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	state := stat[bytes.LastIndexByte(stat, ')')+1:]
	return !bytes.HasPrefix(bytes.TrimSpace(state), []byte("Z"))
}

func pidOf(c *stdioConn) int { return c.proc.cmd.Process.Pid }

func TestStdioExit(t *testing.T) {
	t.Parallel()
	c := dialStdio(t, childConfig(t, "serve"), ignore)
	_, err := c.RoundTrip(short(t), &Request{ID: 1, Method: "exit"})
	wantError(t, err, KindExited, Unknown)
	e := asError(t, err)
	var exit *exec.ExitError
	if !errors.As(e, &exit) || exit.ExitCode() != 7 {
		t.Errorf("got cause %v, want exit status 7", e.Err)
	}
	if want := "loading\nTraceback: out of cheese"; e.Detail != want {
		t.Errorf("got detail %q, want %q", e.Detail, want)
	}
	<-c.Done()
	wantError(t, c.Err(), KindExited, NotSent)
	_, err = c.RoundTrip(short(t), &Request{ID: 2, Method: "echo"})
	wantError(t, err, KindExited, NotSent)
	wantError(t, c.Send(short(t), &Message{Body: []byte(`{}`)}), KindExited, NotSent)
	closeNow(t, c)
	wantError(t, c.Err(), KindExited, NotSent)
}

// TestStdioLastWords has the child exit as soon as it has answered, with the end
// of the answer still in the pipe.
func TestStdioLastWords(t *testing.T) {
	t.Parallel()
	for _, size := range []int{10, 1 << 20} {
		c := dialStdio(t, childConfig(t, "serve"), ignore)
		params := `"` + strings.Repeat("w", size) + `"`
		if got := callStdio(t, c, 1, "last", params); got != params {
			t.Errorf("got %d bytes, want %d", len(got), len(params))
		}
		_, err := c.RoundTrip(short(t), &Request{ID: 2, Method: "echo"})
		if e := asError(t, err); e.Kind != KindExited {
			t.Errorf("got %v", e)
		}
	}
}

func TestStdioProgramThatIsNoServer(t *testing.T) {
	t.Parallel()
	c := dialStdio(t, StdioConfig{Command: "true"}, ignore)
	_, err := c.RoundTrip(short(t), &Request{ID: 1, Method: "echo"})
	e := asError(t, err)
	if e.Kind != KindExited || !strings.Contains(e.Error(), "exit status 0") {
		t.Errorf("got %v", e)
	}
}

// A journalCall is what a caller was told of a call.
type journalCall struct {
	nonce string
	sent  bool
	err   error
}

// TestStdioKill kills the child under load, and holds what callers were told
// against what the child has noted down.
func TestStdioKill(t *testing.T) {
	t.Parallel()
	outcomes := make(map[string]int)
	for round := range 20 {
		journal := filepath.Join(t.TempDir(), "journal")
		cfg := childConfig(t, "serve")
		cfg.Env = append(cfg.Env, childJournalEnv+"="+journal)
		c := dialStdio(t, cfg, ignore)
		// Every other round with lines of which the pipe holds but a few, so that
		// the kill finds one half written.
		calls := killUnderLoad(t, c, 100+20*round, round%2*20_000)
		noted, err := os.ReadFile(journal)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range calls {
			runs := strings.Count(string(noted), call.nonce+"\n")
			outcomes[checkHonest(t, call, runs)]++
		}
	}
	t.Logf("outcomes: %v", outcomes)
}

// killUnderLoad has 50 callers call until the child is gone, which is killed
// after that many answers. Each call carries so many bytes of padding.
func killUnderLoad(t *testing.T, c *stdioConn, answers, padding int) []journalCall {
	t.Helper()
	var mu sync.Mutex
	var calls []journalCall
	var id, answered atomic.Int64
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() {
			for {
				n := id.Add(1)
				call := journalCall{nonce: fmt.Sprintf("nonce-%d-", n)}
				var sent atomic.Bool
				_, call.err = c.RoundTrip(short(t), &Request{
					ID: n, Method: "journal", Params: strconv.AppendQuote(nil, strings.Repeat(" ", padding)+call.nonce),
					OnSend: func() { sent.Store(true) },
				})
				call.sent = sent.Load()
				mu.Lock()
				calls = append(calls, call)
				mu.Unlock()
				if call.err != nil {
					return
				}
				if answered.Add(1) == int64(answers) {
					_ = syscall.Kill(pidOf(c), syscall.SIGKILL)
				}
			}
		})
	}
	callers.Wait()
	return calls
}

// checkHonest compares the outcome of a call with how often it was run, and
// names it.
func checkHonest(t *testing.T, call journalCall, runs int) string {
	t.Helper()
	if runs > 0 && !call.sent {
		t.Errorf("%s was run without OnSend", call.nonce)
	}
	if call.err == nil {
		if runs != 1 {
			t.Errorf("%s was answered and run %d times", call.nonce, runs)
		}
		return "answered"
	}
	e := asError(t, call.err)
	if e.Kind != KindExited || runs > 1 || runs > 0 && e.Delivery == NotSent {
		t.Errorf("%s was run %d times: %v, %v", call.nonce, runs, e.Delivery, e)
	}
	return fmt.Sprintf("%v, run %d times", e.Delivery, runs)
}

func TestStdioGrandchildren(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"group", "setsid"} {
		for _, end := range []string{"killed", "closed"} {
			t.Run(how+" "+end, func(t *testing.T) {
				t.Parallel()
				cfg := childConfig(t, "serve")
				cfg.StopGrace = time.Hour // of which nothing is needed
				c := dialStdio(t, cfg, ignore)
				pid, err := strconv.Atoi(callStdio(t, c, 1, "spawn", strconv.Quote(how)))
				if err != nil {
					t.Fatal(err)
				}
				// One that has left the group is out of reach; it must not hold us up.
				t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
				if end == "killed" {
					_ = syscall.Kill(pidOf(c), syscall.SIGKILL)
					_, err := c.RoundTrip(short(t), &Request{ID: 2, Method: "nothing"})
					if e := asError(t, err); e.Kind != KindExited {
						t.Errorf("got %v", e)
					}
				}
				ctx := short(t)
				if err := c.Close(ctx); err != nil || ctx.Err() != nil {
					t.Errorf("close: %v, %v", err, ctx.Err())
				}
				if how == "group" {
					eventually(t, "the grandchild's end", func() bool { return !alive(pid) })
				}
			})
		}
	}
}

func TestStdioHalfClosedPipes(t *testing.T) {
	t.Parallel()
	t.Run("stdout", func(t *testing.T) {
		t.Parallel()
		c := dialStdio(t, childConfig(t, "serve"), ignore)
		_, err := c.RoundTrip(short(t), &Request{ID: 1, Method: "close-stdout"})
		wantError(t, err, KindLost, Unknown)
		eventually(t, "the child's end", func() bool { return !alive(pidOf(c)) })
	})
	t.Run("stdin", func(t *testing.T) {
		t.Parallel()
		cfg := childConfig(t, "serve")
		cfg.StopGrace = 10 * time.Millisecond
		c := dialStdio(t, cfg, ignore)
		callStdio(t, c, 1, "close-stdin", `{}`)
		_, err := c.RoundTrip(short(t), &Request{ID: 2, Method: "echo"})
		wantError(t, err, KindLost, NotSent)
		wantError(t, c.Send(short(t), &Message{Body: []byte(`{}`)}), KindLost, NotSent)
		eventually(t, "the child's end", func() bool { return !alive(pidOf(c)) })
	})
}

// TestStdioTornLine kills a child that has taken a part of a line: it cannot
// have acted on it.
func TestStdioTornLine(t *testing.T) {
	t.Parallel()
	c := dialStdio(t, childConfig(t, "deaf"), ignore)
	params := []byte(`"` + strings.Repeat("p", 1<<20) + `"`)
	begun := make(chan struct{})
	failed := make(chan error, 1)
	go func() {
		_, err := c.RoundTrip(short(t), &Request{ID: 1, Method: "echo", Params: params, OnSend: func() { close(begun) }})
		failed <- err
	}()
	<-begun
	_ = syscall.Kill(pidOf(c), syscall.SIGKILL)
	wantError(t, <-failed, KindExited, NotSent)
}
