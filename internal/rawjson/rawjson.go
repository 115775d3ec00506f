// Package rawjson reads JSON as text: it checks it, walks it and cuts pieces
// out of it without building values, so that what one peer wrote reaches the
// other exactly as written.
//
// [Check] is the gate. Everything else takes text that has passed it; given
// other text it may return an error or nonsense, but does not panic.
package rawjson

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// ErrDepth is returned by [Check] for text that is nested too deep.
var ErrDepth = errors.New("JSON is nested too deep")

// A SyntaxError says where text stops being JSON.
type SyntaxError struct {
	// Offset is the index of the offending byte.
	Offset int
	// Problem says what is wrong there.
	Problem string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at byte %d: %s", e.Offset, e.Problem)
}

// Check reports whether b is exactly one JSON value (RFC 8259) in valid UTF-8,
// surrounded by nothing but white space, with arrays and objects nested no
// deeper than depth. Duplicate object keys are allowed; see [CheckUnique].
func Check(b []byte, depth int) error {
	c := checker{b: b, depth: depth}
	if err := c.value(); err != nil {
		return err
	}
	if c.space(); c.i < len(b) {
		return c.fail("text after the value")
	}
	return nil
}

type checker struct {
	b     []byte
	i     int
	depth int
}

func (c *checker) fail(problem string) error {
	if c.i >= len(c.b) {
		problem = "unexpected end"
	}
	return &SyntaxError{Offset: c.i, Problem: problem}
}

func (c *checker) space() { c.i = space(c.b, c.i) }

// peek returns the byte at the cursor, 0 at the end.
func (c *checker) peek() byte {
	if c.i < len(c.b) {
		return c.b[c.i]
	}
	return 0
}

func (c *checker) value() error {
	c.space()
	switch ch := c.peek(); {
	case ch == '"':
		return c.str()
	case ch == '{':
		return c.nest(c.object)
	case ch == '[':
		return c.nest(c.array)
	case ch == '-' || isDigit(ch):
		return c.number()
	case ch == 't':
		return c.word("true")
	case ch == 'f':
		return c.word("false")
	case ch == 'n':
		return c.word("null")
	}
	return c.fail("expected a value")
}

func (c *checker) nest(body func() error) error {
	if c.depth == 0 {
		return ErrDepth
	}
	c.depth--
	c.i++
	err := body()
	c.depth++
	return err
}

func (c *checker) object() error {
	if c.space(); c.peek() == '}' {
		c.i++
		return nil
	}
	for {
		if c.space(); c.peek() != '"' {
			return c.fail("expected a string as object key")
		}
		if err := c.str(); err != nil {
			return err
		}
		if c.space(); c.peek() != ':' {
			return c.fail("expected a colon")
		}
		c.i++
		if err := c.value(); err != nil {
			return err
		}
		if more, err := c.next('}'); !more {
			return err
		}
	}
}

func (c *checker) array() error {
	if c.space(); c.peek() == ']' {
		c.i++
		return nil
	}
	for {
		if err := c.value(); err != nil {
			return err
		}
		if more, err := c.next(']'); !more {
			return err
		}
	}
}

// next steps over what follows a member: a comma, after which there is more,
// or the closing byte.
func (c *checker) next(closing byte) (more bool, err error) {
	c.space()
	switch c.peek() {
	case ',':
		c.i++
		return true, nil
	case closing:
		c.i++
		return false, nil
	}
	return false, c.fail("expected a comma or a closing bracket")
}

func (c *checker) word(w string) error {
	if !bytes.HasPrefix(c.b[c.i:], []byte(w)) {
		return c.fail("expected " + w)
	}
	c.i += len(w)
	return nil
}

func (c *checker) number() error {
	if c.peek() == '-' {
		c.i++
	}
	if c.peek() == '0' {
		c.i++
	} else if err := c.digits(); err != nil {
		return err
	}
	if c.peek() == '.' {
		c.i++
		if err := c.digits(); err != nil {
			return err
		}
	}
	if ch := c.peek(); ch == 'e' || ch == 'E' {
		c.i++
		if ch = c.peek(); ch == '+' || ch == '-' {
			c.i++
		}
		return c.digits()
	}
	return nil
}

func (c *checker) digits() error {
	if !isDigit(c.peek()) {
		return c.fail("expected a digit")
	}
	for isDigit(c.peek()) {
		c.i++
	}
	return nil
}

// str checks a string. Stretches without escapes are found by IndexByte and
// judged whole, which is what makes long texts cheap.
func (c *checker) str() error {
	c.i++
	quote := -1
	for {
		if quote < c.i { // unknown, or it was escaped
			n := bytes.IndexByte(c.b[c.i:], '"')
			if n < 0 {
				c.i = len(c.b)
				return c.fail("")
			}
			quote = c.i + n
		}
		rest := c.b[c.i:quote]
		esc := bytes.IndexByte(rest, '\\')
		if esc < 0 {
			if err := c.plain(rest); err != nil {
				return err
			}
			c.i++
			return nil
		}
		if err := c.plain(rest[:esc]); err != nil {
			return err
		}
		if err := c.escape(); err != nil {
			return err
		}
	}
}

// plain steps over s, a stretch of a string without quotes and escapes.
func (c *checker) plain(s []byte) error {
	k, ascii := printable(s)
	if k < len(s) {
		c.i += k
		return c.fail("control character in a string")
	}
	if !ascii && !utf8.Valid(s) {
		return c.fail("string is not valid UTF-8")
	}
	c.i += len(s)
	return nil
}

// printable returns the index of the first control character in s, len(s) if
// there is none, and whether all before it is ASCII. It looks at eight bytes at
// a time: a byte below 0x20 borrows from its top bit when 0x20 is subtracted.
func printable(s []byte) (n int, ascii bool) {
	const tops = 0x8080808080808080
	var seen uint64
	for len(s)-n >= 8 {
		w := binary.LittleEndian.Uint64(s[n:])
		if (w-0x2020202020202020)&^w&tops != 0 {
			break
		}
		seen |= w
		n += 8
	}
	for n < len(s) && s[n] >= 0x20 {
		seen |= uint64(s[n])
		n++
	}
	return n, seen&tops == 0
}

func (c *checker) escape() error {
	c.i++
	switch c.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		c.i++
		return nil
	case 'u':
		c.i++
		for range 4 {
			if !isHex(c.peek()) {
				return c.fail("expected four hexadecimal digits")
			}
			c.i++
		}
		return nil
	}
	return c.fail("unknown escape in a string")
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHex(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func space(b []byte, i int) int {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// Trim returns b without the white space around it.
func Trim(b []byte) []byte {
	b = b[space(b, 0):]
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}
