//go:build !linux

package transport

import "net"

// finish closes c for writing.
func finish(c *net.TCPConn) { _ = c.CloseWrite() }
