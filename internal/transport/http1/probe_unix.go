//go:build linux || darwin

package http1

import (
	"errors"
	"net"
	"syscall"
)

// A Probe looks at what has come on a connection without reading it. It is for
// one goroutine at a time. A nil Probe sees nothing.
type Probe struct {
	raw  syscall.RawConn
	peek func(fd uintptr)
	n    int
	err  error
}

// NewProbe returns a probe of c, nil if it is no socket.
func NewProbe(c net.Conn) *Probe {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	p := &Probe{raw: raw}
	p.peek = func(fd uintptr) {
		var b [1]byte
		p.n, _, p.err = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	}
	return p
}

// Quiet reports whether the connection is open and nothing has come on it.
func (p *Probe) Quiet() bool {
	return p == nil || p.look() && waiting(p.err)
}

// Open reports whether the connection is open, whatever has come on it.
func (p *Probe) Open() bool {
	return p == nil || p.look() && (waiting(p.err) || p.err == nil && p.n > 0)
}

func (p *Probe) look() bool { return p.raw.Control(p.peek) == nil }

// waiting reports whether there was nothing to read.
func waiting(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR)
}
