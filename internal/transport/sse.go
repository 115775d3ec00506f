package transport

import (
	"bytes"
	"io"
	"strconv"
	"time"
)

// An sseEvent is one event of an event stream.
type sseEvent struct {
	// Type is the event's type, "message" where the server named none.
	Type string
	// Data is never empty. Its memory belongs to whoever asked for the event.
	Data []byte
}

// The sizes of an sseReader's buffer: what it starts with, for a call and for a
// stream on which most of the time nothing comes, and from where on an event takes
// the buffer along rather than being copied out of it.
const (
	sseFirstBuffer = 1 << 10
	sseQuietBuffer = 256
	sseLargeEvent  = 16 << 10
)

// An sseReader reads an event stream as the WHATWG HTML standard defines it
// (9.2.6): lines end in CR, LF or CRLF, a leading byte order mark is skipped,
// an event that the stream does not finish is discarded. Events without data
// only carry an id or a retry time and are not returned. It is for one
// goroutine.
type sseReader struct {
	r   io.Reader
	max int
	// first is how large the buffer is at first.
	first int

	buf     []byte // what was read and may still be needed
	pos     int    // where the current line starts
	scanned int    // up to where the current line's end was looked for
	skipLF  bool   // the last line ended in CR; an LF that follows belongs to it
	begun   bool   // the first line has been seen

	hasData   bool
	dataStart int // the event's data is buf[dataStart:dataEnd]
	dataEnd   int
	eventType string
	idField   []byte

	lastID []byte
	retry  time.Duration
	told   bool // retry was set

	events int // how many were returned
}

// newSSEReader returns a reader of events, each of which may take up max bytes.
func newSSEReader(r io.Reader, limit int64) *sseReader {
	return &sseReader{r: r, max: int(limit), first: sseFirstBuffer}
}

// LastID returns the id to resume the stream after, empty if there is none.
func (s *sseReader) LastID() string { return string(s.lastID) }

// Retry returns the reconnection time that the server asked for, unclamped;
// told is false if it asked for none.
func (s *sseReader) Retry() (wait time.Duration, told bool) { return s.retry, s.told }

// Reset has s read another stream that goes on where the last one ended: of
// that it keeps the id and the reconnection time.
func (s *sseReader) Reset(r io.Reader) {
	s.r = r
	s.buf, s.pos, s.scanned = s.buf[:0], 0, 0
	s.skipLF, s.begun, s.hasData, s.eventType = false, false, false, ""
	s.idField = append(s.idField[:0], s.lastID...)
}

// Forget has s take no note any more of where the last stream ended.
func (s *sseReader) Forget() { s.lastID, s.idField = nil, nil }

// Next returns the next event that has data. At the end of the stream it
// returns the reader's error, io.EOF for a clean end; an event that is too
// long is a [*limitError].
func (s *sseReader) Next() (sseEvent, error) {
	for {
		start, end, err := s.line()
		if err != nil {
			return sseEvent{}, err
		}
		if start < end {
			s.field(start, end)
			continue
		}
		if ev := s.dispatch(); len(ev.Data) > 0 {
			s.events++
			return ev, nil
		}
	}
}

// line steps over the next line and returns where in buf its text lies.
func (s *sseReader) line() (start, end int, err error) {
	for {
		if s.skipLF && s.pos < len(s.buf) {
			if s.skipLF = false; s.buf[s.pos] == '\n' {
				s.pos++
			}
			s.scanned = s.pos
		}
		if n := lineEnd(s.buf[s.scanned:]); n >= 0 {
			start, end = s.pos, s.scanned+n
			s.skipLF = s.buf[end] == '\r'
			s.pos, s.scanned = end+1, end+1
			if !s.begun && bytes.HasPrefix(s.buf[start:end], []byte("\ufeff")) {
				start += len("\ufeff")
			}
			s.begun = true
			return start, end, nil
		}
		s.scanned = len(s.buf)
		if err := s.fill(); err != nil {
			return 0, 0, err
		}
	}
}

// lineEnd returns the index of the first line end in b, -1 if there is none.
func lineEnd(b []byte) int {
	n := bytes.IndexByte(b, '\n')
	if n >= 0 {
		b = b[:n]
	}
	if cr := bytes.IndexByte(b, '\r'); cr >= 0 {
		return cr
	}
	return n
}

// fill reads more, after dropping what is not needed any more.
func (s *sseReader) fill() error {
	keep := s.pos
	if s.hasData {
		keep = s.dataStart
	}
	if len(s.buf)-keep > s.max {
		return &limitError{"an event", int64(s.max)}
	}
	if keep == len(s.buf) || len(s.buf) == cap(s.buf) {
		s.drop(keep)
	}
	if len(s.buf) == cap(s.buf) {
		grown := make([]byte, len(s.buf), min(max(2*cap(s.buf), s.first), s.max+1))
		copy(grown, s.buf)
		s.buf = grown
	}
	n, err := s.r.Read(s.buf[len(s.buf):cap(s.buf)])
	s.buf = s.buf[:len(s.buf)+n]
	if n > 0 {
		return nil
	}
	return err
}

// drop forgets the first n bytes of buf.
func (s *sseReader) drop(n int) {
	s.buf = s.buf[:copy(s.buf, s.buf[n:])]
	s.pos -= n
	s.scanned -= n
	s.dataStart -= n
	s.dataEnd -= n
}

// field takes in the line buf[start:end].
func (s *sseReader) field(start, end int) {
	name, value := s.buf[start:end], end
	if n := bytes.IndexByte(name, ':'); n >= 0 {
		name, value = name[:n], start+n+1
		if value < end && s.buf[value] == ' ' {
			value++
		}
	}
	switch text := s.buf[value:end]; string(name) {
	case "data":
		s.addData(value, end)
	case "event":
		s.eventType = string(text)
	case "id":
		// "If the field value does not contain U+0000 NULL".
		if bytes.IndexByte(text, 0) < 0 {
			s.idField = append(s.idField[:0], text...)
		}
	case "retry":
		// The standard wants ASCII digits only. ParseUint accepts nothing else
		// in base 10; a number too large for it is no time to wait for.
		if ms, err := strconv.ParseUint(string(text), 10, 31); err == nil {
			s.retry, s.told = time.Duration(ms)*time.Millisecond, true
		}
	}
}

// addData appends buf[start:end] and a line feed to the event's data. The data
// lies further to the front of buf, so that later lines move down to it.
func (s *sseReader) addData(start, end int) {
	if !s.hasData {
		s.hasData, s.dataStart, s.dataEnd = true, start, end
		return
	}
	s.buf[s.dataEnd] = '\n'
	s.dataEnd++
	s.dataEnd += copy(s.buf[s.dataEnd:], s.buf[start:end])
}

// dispatch ends the event, at its blank line. The result has no data if the
// event had none.
func (s *sseReader) dispatch() sseEvent {
	s.lastID = append(s.lastID[:0], s.idField...)
	ev := sseEvent{Type: s.eventType}
	if ev.Type == "" {
		ev.Type = "message"
	}
	if s.hasData && s.dataEnd > s.dataStart {
		ev.Data = s.takeData()
	}
	s.hasData, s.eventType = false, ""
	return ev
}

// takeData returns the event's data in memory of its own: the buffer itself if
// the data fills much of it, a copy otherwise.
func (s *sseReader) takeData() []byte {
	data, rest := s.buf[s.dataStart:s.dataEnd:s.dataEnd], s.buf[s.pos:]
	whole := len(rest) == 0 && len(data) >= cap(s.buf)/4
	if !whole && len(data) < sseLargeEvent {
		return bytes.Clone(data)
	}
	s.buf = append([]byte(nil), rest...)
	s.pos, s.scanned = 0, 0
	return data
}
