package transport

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// tie has the child end with us also where we cannot end it, because we were
// killed or have crashed. The end of its stdin, which comes by itself, is not
// heeded by all. It gets SIGTERM and not SIGKILL, so that it may end in order,
// and launchers, such as npx, pass it on to the server: the signal is for the
// child alone, not for its group.
//
// The kernel sends it when the thread ends that has started the child, and not
// the process (prctl(2), PR_SET_PDEATHSIG).
func tie(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGTERM }

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
