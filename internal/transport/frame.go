package transport

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// Messages on stdio "are delimited by newlines, and MUST NOT contain embedded
// newlines" (spec 2025-11-25, basic/transports#stdio).

// lineBuffer is what a Linux pipe holds, so that one read empties it.
const lineBuffer = 64 << 10

// errEndlessLine is returned for a line that is so long that framing counts as lost.
var errEndlessLine = errors.New("line without end")

// A longLineError reports a line that was over the limit and has been skipped.
type longLineError struct {
	size, max int64
	// call is the id of the request that the line answered, 0 if unknown.
	call int64
}

func (e *longLineError) Error() string {
	return fmt.Sprintf("line of %d bytes is over the limit of %d", e.size, e.max)
}

// A lineReader cuts a stream into lines. Blank lines, white space around a line
// and a byte order mark at the start are left out, and so is an end of the
// stream that no line break follows: it is no message yet.
type lineReader struct {
	r   *bufio.Reader
	bom bool // still to be looked for
	// max is the longest line that is returned, lost the longest that is skipped.
	max, lost int64
}

func newLineReader(r io.Reader, limits Limits) *lineReader {
	return &lineReader{
		r:    bufio.NewReaderSize(r, lineBuffer),
		bom:  true,
		max:  min(limits.MessageBytes, limits.CallBytes),
		lost: max(limits.MessageBytes, limits.CallBytes),
	}
}

// next returns the next line, in memory of its own. After a [longLineError] it
// may be called again; every other error is the last.
func (l *lineReader) next() ([]byte, error) {
	var line []byte // the start of a line that is longer than the buffer
	for {
		chunk, err := l.r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		if l.bom {
			chunk, l.bom = bytes.TrimPrefix(chunk, []byte("\ufeff")), false
		}
		if int64(len(line)+len(chunk))-1 > l.max {
			return nil, l.skip(line, chunk)
		}
		switch {
		case err != nil:
			line = l.join(line, chunk)
			continue
		case line == nil:
			line = bytes.Clone(rawjson.Trim(chunk))
		default:
			line = rawjson.Trim(l.join(line, chunk))
		}
		if len(line) > 0 {
			return line, nil
		}
		line = nil
	}
}

// join appends chunk to line. The buffer doubles rather than growing by a
// quarter as append would: a long line costs twice its size in all, not five times.
func (l *lineReader) join(line, chunk []byte) []byte {
	if need := len(line) + len(chunk); need > cap(line) {
		line = append(make([]byte, 0, min(2*int64(need)-1, l.max)+1), line...)
	}
	return append(line, chunk...)
}

// skip reads to the end of a line whose first bytes are head and chunk.
func (l *lineReader) skip(head, chunk []byte) error {
	var s sniffer
	s.feed(head)
	size := int64(len(head))
	for {
		s.feed(chunk)
		size += int64(len(chunk))
		if size-1 > l.lost {
			return fmt.Errorf("%w: more than %d bytes", errEndlessLine, l.lost)
		}
		if len(chunk) > 0 && chunk[len(chunk)-1] == '\n' {
			id, _ := s.response()
			return &longLineError{size: size, max: l.max, call: id}
		}
		var err error
		if chunk, err = l.r.ReadSlice('\n'); err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// appendBreak ends msg, which must be JSON, as one line. Line breaks between
// its tokens are left out. U+2028 and U+2029, which some readers (Node's
// readline) take for line breaks too, are escaped.
func appendBreak(msg []byte) ([]byte, error) {
	if breaks(msg) {
		msg = rawjson.AppendLine(make([]byte, 0, len(msg)+1), msg)
		msg = bytes.ReplaceAll(msg, []byte("\u2028"), []byte(`\u2028`))
		msg = bytes.ReplaceAll(msg, []byte("\u2029"), []byte(`\u2029`))
		if breaks(msg) {
			// Let through, it would reach the server as messages of their own.
			return nil, errors.New("line break within a JSON string")
		}
	}
	return append(msg, '\n'), nil
}

func breaks(b []byte) bool {
	return bytes.IndexByte(b, '\n') >= 0 || bytes.IndexByte(b, '\r') >= 0 ||
		bytes.Contains(b, []byte("\u2028")) || bytes.Contains(b, []byte("\u2029"))
}
