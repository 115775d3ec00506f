package transport

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// reap waits until the child has ended, kills what is left of its group and
// returns the child's exit status as [exec.Cmd.Wait] does.
//
// It first waits without collecting the child: as long as the zombie is there,
// the id of its group cannot pass to other processes, so that the signal hits
// nobody else.
func (p *process) reap() error {
	for {
		err := unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	signalGroup(p.cmd.Process.Pid, syscall.SIGKILL)
	err := p.cmd.Wait()
	p.reapedLocked()
	return err
}
