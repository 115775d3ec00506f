package transport

import "github.com/mcpbridge/mcpbridge/internal/jsonrpc"

// tokenBytes bounds what a sniffer keeps of a token: enough for a member's name
// and for any id of ours.
const tokenBytes = 32

// A sniffer finds out which request a text answers that cannot be read as a
// message: too long, nested too deep, not UTF-8. It goes through the text once,
// in any number of pieces, and keeps none of it. The zero value is ready.
type sniffer struct {
	depth           int
	quoted, escaped bool
	// begun and ended delimit the text's one object.
	begun, ended bool

	token  [tokenBytes]byte // what was read of the current token of the object
	n      int              // its length, which may be beyond tokenBytes
	isID   bool             // the token is the value of the member id
	id     [tokenBytes]byte
	idLen  int
	answer bool // a member that responses have was seen
	call   bool // a member that responses do not have was seen
}

// response returns the id of the request that the text answers, as far as it
// has been seen. A text that does not look like a response has none.
func (s *sniffer) response() (int64, bool) {
	if !s.answer || s.call {
		return 0, false
	}
	return jsonrpc.ID(s.id[:s.idLen]).Int()
}

func (s *sniffer) feed(b []byte) {
	for _, c := range b {
		switch {
		case s.ended:
			return
		case s.quoted:
			s.inside(c)
		default:
			s.outside(c)
		}
	}
}

// inside takes a byte of a string.
func (s *sniffer) inside(c byte) {
	switch {
	case s.escaped:
		s.escaped = false
	case c == '\\':
		s.escaped = true
	case c == '"':
		s.quoted = false
	}
	s.keep(c)
}

// outside takes a byte that is not within a string.
func (s *sniffer) outside(c byte) {
	switch c {
	case ' ', '\t', '\r', '\n':
		return
	case '"':
		s.quoted = true
		s.keep(c)
	case '{', '[':
		s.depth++
	case '}', ']':
		if s.depth--; s.depth == 0 {
			s.endMember()
			s.ended = true
		}
	case ':':
		s.endName()
	case ',':
		s.endMember()
	default:
		s.keep(c)
	}
	if !s.begun {
		// A log line that quotes a message is no message: the object must come first.
		s.begun, s.ended = true, c != '{'
	}
}

func (s *sniffer) keep(c byte) {
	if s.depth != 1 {
		return
	}
	if s.n < tokenBytes {
		s.token[s.n] = c
	}
	s.n++
}

func (s *sniffer) endName() {
	if s.depth != 1 {
		return
	}
	switch string(s.token[:min(s.n, tokenBytes)]) {
	case `"id"`:
		s.isID = true
	case `"jsonrpc"`, `"result"`, `"error"`:
		s.answer = true
	case `"method"`, `"params"`:
		s.call = true
	}
	s.n = 0
}

func (s *sniffer) endMember() {
	if s.depth > 1 {
		return
	}
	if s.isID && s.n <= tokenBytes {
		s.idLen = copy(s.id[:], s.token[:s.n])
	}
	s.isID, s.n = false, 0
}
