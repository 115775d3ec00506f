//go:build linux || darwin

package transport

import (
	"errors"
	"net"
	"syscall"
)

var errStale = errors.New("server closed the connection while it was idle")

// A freshConn fails a write, before any byte of it, if the server has closed
// the connection already. Without that the write goes to the kernel, and a call
// is lost of which nobody can say that it was not sent. net/http notices too,
// but only when its reading goroutine gets to run; measured with a server that
// closes after every reply, one call in 200 was faster.
//
// It costs one system call per write. Over TLS the server's farewell comes as
// data, and it is for net/http to notice.
type freshConn struct {
	net.Conn
	raw    syscall.RawConn
	peek   func(fd uintptr)
	closed bool // set by peek; writes do not run at the same time
}

// fresh returns c as a freshConn if it is a socket.
func fresh(c net.Conn) net.Conn {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return c
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return c
	}
	f := &freshConn{Conn: c, raw: raw}
	f.peek = func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case err == nil:
			f.closed = n == 0
		default:
			f.closed = !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR)
		}
	}
	return f
}

func (f *freshConn) Write(p []byte) (int, error) {
	if err := f.raw.Control(f.peek); err != nil {
		return 0, err
	}
	if f.closed {
		return 0, errStale
	}
	return f.Conn.Write(p)
}
