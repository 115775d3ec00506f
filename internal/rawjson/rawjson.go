// Package rawjson reads JSON as text: it checks it, walks it and cuts pieces
// out of it without building values, so that what one peer wrote reaches the
// other exactly as written.
//
// [Check] is the gate. Everything else takes text that has passed it; given
// other text it may return an error or nonsense, but does not panic.
package rawjson

import (
	"bytes"
	"errors"
	"fmt"
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
	return c.end()
}

// CheckMembers is [Check] that also calls yield for each member of b, in order,
// as [Object] does, if b is an object. It saves walking through b again. What it
// has yielded counts only if it returns nil.
func CheckMembers(b []byte, depth int, yield func(key, value []byte)) error {
	c := checker{b: b, depth: depth}
	if c.space(); c.peek() != '{' {
		return Check(b, depth)
	}
	err := c.object(func(key, value []byte) { yield(unquote(key), value) })
	if err != nil {
		return err
	}
	return c.end()
}

// end reports text after the value.
func (c *checker) end() error {
	if c.space(); c.i < len(c.b) {
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
		return c.object(nil)
	case ch == '[':
		return c.array()
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

// enter steps over the bracket that opens an array or object, and reports
// whether there is anything in it.
func (c *checker) enter(closing byte) (more bool, err error) {
	if c.depth == 0 {
		return false, ErrDepth
	}
	c.i++
	if c.space(); c.peek() == closing {
		c.i++
		return false, nil
	}
	c.depth--
	return true, nil
}

// object checks an object. yield, if it is not nil, is called for each member
// once it has been checked, with both texts as they are.
func (c *checker) object(yield func(key, value []byte)) error {
	more, err := c.enter('}')
	for more {
		if c.space(); c.peek() != '"' {
			return c.fail("expected a string as object key")
		}
		key := c.i
		if err := c.str(); err != nil {
			return err
		}
		end := c.i
		if c.space(); c.peek() != ':' {
			return c.fail("expected a colon")
		}
		c.i++
		c.space()
		value := c.i
		if err := c.value(); err != nil {
			return err
		}
		if yield != nil {
			yield(c.b[key:end], c.b[value:c.i])
		}
		if more, err = c.next('}'); err != nil {
			return err
		}
	}
	return err
}

func (c *checker) array() error {
	more, err := c.enter(']')
	for more {
		if err := c.value(); err != nil {
			return err
		}
		if more, err = c.next(']'); err != nil {
			return err
		}
	}
	return err
}

// next steps over what follows a member: a comma, after which there is more,
// or the closing byte, which ends what enter has begun.
func (c *checker) next(closing byte) (more bool, err error) {
	c.space()
	switch c.peek() {
	case ',':
		c.i++
		return true, nil
	case closing:
		c.i++
		c.depth++
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

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func space(b []byte, i int) int {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool { return c <= ' ' && (c == ' ' || c == '\n' || c == '\r' || c == '\t') }

// Trim returns b without the white space around it.
func Trim(b []byte) []byte {
	b = b[space(b, 0):]
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}
