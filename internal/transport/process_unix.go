//go:build unix

package transport

import "syscall"

// groupAttr makes the child the leader of a process group of its own.
func groupAttr() (*syscall.SysProcAttr, error) {
	return &syscall.SysProcAttr{Setpgid: true}, nil
}

// signalGroup signals every process of the group. That there may be none left
// is no error.
func signalGroup(group int, sig syscall.Signal) { _ = syscall.Kill(-group, sig) }
