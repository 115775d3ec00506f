package transport

import (
	"net"
	"sync/atomic"
	"time"
)

// A socket is the network connection below a WebSocket: it bounds how much is
// read of the reply to the upgrade and how long a server may be silent, and
// counts what is written.
type socket struct {
	net.Conn

	// headLeft is how much may still be read before the upgrade is over.
	headLeft int
	// silence is how long a read may take once the upgrade is over; 0 before.
	silence time.Duration
	written atomic.Int64
}

// upgraded ends the upgrade. It must be called before further reads.
func (s *socket) upgraded(silence time.Duration) { s.silence = silence }

func (s *socket) Read(p []byte) (int, error) {
	if s.silence == 0 {
		return s.readHead(p)
	}
	if err := s.SetReadDeadline(time.Now().Add(s.silence)); err != nil {
		return 0, err
	}
	return s.Conn.Read(p)
}

func (s *socket) readHead(p []byte) (int, error) {
	if s.headLeft == 0 {
		return 0, &limitError{"the reply to the upgrade", responseHeaderBytes}
	}
	n, err := s.Conn.Read(p[:min(len(p), s.headLeft)])
	s.headLeft -= n
	return n, err
}

func (s *socket) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	s.written.Add(int64(n))
	return n, err
}
