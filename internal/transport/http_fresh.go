package transport

import (
	"errors"
	"net"

	"github.com/mcpbridge/mcpbridge/internal/transport/http1"
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
	probe *http1.Probe // writes do not run at the same time
}

// fresh returns c as a freshConn if it is a socket.
func fresh(c net.Conn) net.Conn {
	if probe := http1.NewProbe(c); probe != nil {
		return &freshConn{Conn: c, probe: probe}
	}
	return c
}

func (f *freshConn) Write(p []byte) (int, error) {
	if !f.probe.Open() {
		return 0, errStale
	}
	return f.Conn.Write(p)
}
