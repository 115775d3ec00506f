package mcp

import (
	"bytes"
	"encoding/json"
)

// Info is what a server said of itself in the handshake.
type Info struct {
	Era             Era
	ProtocolVersion string
	// ServerInfo and Capabilities are JSON objects as the server sent them; nil
	// if it sent none.
	ServerInfo   json.RawMessage
	Capabilities json.RawMessage
	// Result is the whole result of initialize or server/discover.
	Result json.RawMessage
}

// An agreement is what a handshake came to. It is not changed, so that sessions
// to which a server says the same share one.
type agreement struct {
	// era is the one that outgoing messages follow.
	era  era
	info Info
}

// same reports whether two agreements are alike. That with a legacy server is
// what it said; a modern one's depends on whose session it is too.
func (a *agreement) same(b *agreement) bool {
	return a.info.Era == EraLegacy && b.info.Era == EraLegacy && bytes.Equal(a.info.Result, b.info.Result)
}

// settle ends the handshake.
func (s *Session) settle(e era, info Info) {
	a := &agreement{era: e, info: info}
	if last := s.lastAgreed.Load(); last != nil && last.same(a) {
		a = last
	} else {
		s.lastAgreed.Store(a)
	}
	s.agreed.Store(a)
}

// era is that which outgoing messages follow. Before the handshake is over they
// follow none, which is a legacy one without a revision.
func (s *Session) era() era {
	if a := s.agreed.Load(); a != nil {
		return a.era
	}
	return legacy{}
}

// Info returns what the server said of itself. It is shared and must not be
// changed.
func (s *Session) Info() *Info {
	if a := s.agreed.Load(); a != nil {
		return &a.info
	}
	return new(Info)
}
