package transport

import (
	"net"
	"runtime"

	"golang.org/x/sys/unix"
)

// The states of a socket whose FIN has not been acknowledged.
const (
	tcpEstablished = 1
	tcpFinWait1    = 4
)

// finish closes c for writing and waits until the other end's kernel knows it,
// which under load takes longer than the system call.
func finish(c *net.TCPConn) {
	_ = c.CloseWrite()
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	for pending := true; pending; runtime.Gosched() {
		err := raw.Control(func(fd uintptr) {
			info, err := unix.GetsockoptTCPInfo(int(fd), unix.SOL_TCP, unix.TCP_INFO)
			pending = err == nil && (info.State == tcpEstablished || info.State == tcpFinWait1)
		})
		pending = pending && err == nil
	}
}
