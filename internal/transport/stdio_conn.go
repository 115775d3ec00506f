package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// exitWait is how long a child that has closed a pipe may take to exit
	// before the loss of the pipe, rather than the exit, is the news.
	exitWait = 500 * time.Millisecond
	// drainTime is how long the output that an ended child has left behind is
	// read for, if another process keeps the pipe open.
	drainTime = 500 * time.Millisecond
	// reapWait is how long Close waits for a killed child after its context has
	// ended. Only a child stuck in the kernel takes as long.
	reapWait = 2 * time.Second
)

// A stdioConn is a running child. Four goroutines belong to it: one reads its
// stdout, one its stderr, one writes its stdin, and the one that has started it
// waits for its end and then for the other three.
type stdioConn struct {
	*duplex

	cfg    *StdioConfig
	log    *slog.Logger
	proc   *process
	stderr *ring

	workers sync.WaitGroup // the goroutines that supervise waits for
	torn    *waiter        // left by the writer for supervise
	exited  chan struct{}  // closed when the child has ended
	gone    chan struct{}  // closed when nothing is left
}

// newStdioConn returns the transport of proc. Its caller must supervise it.
func newStdioConn(cfg *StdioConfig, proc *process, r Receiver) *stdioConn {
	log := cfg.Logger.With("pid", proc.cmd.Process.Pid)
	c := &stdioConn{
		duplex: &duplex{
			stream: newStream(r, cfg.Limits.Depth, log, newNoise(log.With("stream", "stdout"), cfg.NoisePerMinute)),
			out:    newOutbox(cfg.QueueMessages, cfg.QueueBytes),
			frame:  appendBreak,
		},
		cfg: cfg, log: log, proc: proc,
		stderr: newRing(stderrBytes),
		exited: make(chan struct{}), gone: make(chan struct{}),
	}
	c.workers.Go(c.read)
	c.workers.Go(c.readStderr)
	c.workers.Go(c.write)
	return c
}

// Close implements [Transport]. The stages are those of [StdioConfig]; when ctx
// ends they are cut short by SIGKILL. It fails only if the process outlives
// even that.
func (c *stdioConn) Close(ctx context.Context) error {
	c.finish(&Error{Kind: KindClosed})
	c.proc.stop()
	select {
	case <-c.gone:
		return nil
	case <-ctx.Done():
	}
	c.proc.kill()
	timer := time.NewTimer(reapWait)
	defer timer.Stop()
	select {
	case <-c.gone:
		return nil
	case <-timer.C:
		return fmt.Errorf("stop stdio server, process %d: still there after SIGKILL: %w",
			c.proc.cmd.Process.Pid, context.Cause(ctx))
	}
}

// abandon ends the transport with e, and then the child.
func (c *stdioConn) abandon(e *Error) {
	c.finish(e)
	c.proc.stop()
}

// lose ends the transport because a pipe broke. If that is because the child is
// about to exit, the exit is waited for, so that its status becomes the reason.
func (c *stdioConn) lose(err error) {
	timer := time.NewTimer(exitWait)
	defer timer.Stop()
	select {
	case <-c.exited:
	case <-c.done:
	case <-timer.C:
		c.abandon(&Error{Kind: KindLost, Detail: c.stderr.lastLines(detailBytes), Err: err})
	}
}

// supervise waits for the end of the child, lets what it has left behind be
// read, and clears up.
func (c *stdioConn) supervise() {
	status := c.proc.reap()
	close(c.exited)
	c.proc.hurry(drainTime)
	c.workers.Wait()
	if c.torn != nil {
		// The child died without having seen the end of this line.
		c.torn.sent.Store(false)
	}
	if status == nil {
		status = errors.New("exit status 0")
	}
	c.log.Debug("stdio server ended", "status", status, "noise_lines", c.noise.total, "stray_responses", c.calls.stray.Load())
	c.finish(&Error{
		Kind: KindExited, Detail: c.stderr.lastLines(detailBytes),
		Err: fmt.Errorf("stdio server ended: %w", status),
	})
	c.proc.close()
	close(c.gone)
}
