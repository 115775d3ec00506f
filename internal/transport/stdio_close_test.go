//go:build unix

package transport

import (
	"context"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"
)

func TestStdioClosePendingCalls(t *testing.T) {
	t.Parallel()
	c := dialStdio(t, childConfig(t, "serve"), ignore)
	sent := make(chan struct{})
	waiting := make(chan error, 1)
	go func() {
		_, err := c.RoundTrip(t.Context(), &Request{ID: 1, Method: "nothing", OnSend: func() { close(sent) }})
		waiting <- err
	}()
	<-sent
	closeNow(t, c)
	wantError(t, <-waiting, KindClosed, Unknown)
	<-c.Done()
	if c.Err() != nil {
		t.Errorf("Err is %v", c.Err())
	}
	_, err := c.RoundTrip(short(t), &Request{ID: 2, Method: "echo"})
	wantError(t, err, KindClosed, NotSent)
	closeNow(t, c)
}

func TestStdioCloseOfStubbornChild(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		mode       string
		stop, term time.Duration
		bound      time.Duration // of the context of Close
		signal     syscall.Signal
		min        time.Duration // that Close takes; how much more is the machine's affair
	}{
		"heeds SIGTERM":  {mode: "deaf", stop: 100 * time.Millisecond, term: time.Hour, signal: syscall.SIGTERM, min: 100 * time.Millisecond},
		"heeds nothing":  {mode: "stubborn", stop: 100 * time.Millisecond, term: 200 * time.Millisecond, signal: syscall.SIGKILL, min: 300 * time.Millisecond},
		"context cuts":   {mode: "stubborn", stop: time.Hour, bound: 50 * time.Millisecond, signal: syscall.SIGKILL},
		"default stages": {mode: "stubborn", signal: syscall.SIGKILL, min: 5 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := childConfig(t, tt.mode)
			cfg.StopGrace, cfg.TermGrace = tt.stop, tt.term
			c := dialStdio(t, cfg, ignore)
			if tt.mode == "stubborn" { // is ready, then: SIGTERM is ignored by now
				callStdio(t, c, 1, "echo", `{}`)
			}
			ctx := short(t)
			if tt.bound > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tt.bound)
				defer cancel()
			}
			start := time.Now()
			if err := c.Close(ctx); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took < tt.min {
				t.Errorf("Close took %v, want at least %v", took, tt.min)
			}
			if cut := ctx.Err() != nil; cut != (tt.bound > 0) {
				t.Errorf("its context has ended: %t", cut)
			}
			status := c.proc.cmd.ProcessState.Sys().(syscall.WaitStatus)
			if status.Signal() != tt.signal {
				t.Errorf("ended by %v, want %v", status.Signal(), tt.signal)
			}
		})
	}
}

// TestStdioLeavesNothing is not parallel: it counts what the process has open.
func TestStdioLeavesNothing(t *testing.T) {
	cycle := func() {
		c := dialStdio(t, childConfig(t, "serve"), ignore)
		callStdio(t, c, 1, "echo", `{}`)
		closeNow(t, c)
	}
	cycle()
	goroutines, fds := runtime.NumGoroutine(), openFiles(t)
	for range 200 {
		cycle()
	}
	eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	if got := openFiles(t); got != fds {
		t.Errorf("%d files are open, %d were before", got, fds)
	}
}

func openFiles(tb testing.TB) int {
	tb.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		tb.Skip("no /proc: ", err)
	}
	return len(entries)
}

func TestStdioUsesFourGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	c := dialStdio(t, childConfig(t, "serve"), ignore)
	callStdio(t, c, 1, "echo", `{}`)
	if n := runtime.NumGoroutine() - before; n > 4 {
		t.Errorf("%d goroutines per child", n)
	}
}
