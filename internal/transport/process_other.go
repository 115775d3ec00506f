//go:build !linux

package transport

import "syscall"

// tie does nothing: a child that does not heed the end of its stdin outlives us
// if we are killed.
func tie(*syscall.SysProcAttr) {}

// reap waits until the child has ended, kills what is left of its group and
// returns the child's exit status as [exec.Cmd.Wait] does.
//
// The portable wait collects the child at once, so between it and the signals
// there is a moment in which the id of an empty group might pass to another.
func (p *process) reap() error {
	err := p.cmd.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reapedLocked()
	signalGroup(p.cmd.Process.Pid, syscall.SIGKILL)
	return err
}
