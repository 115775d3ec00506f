package rawjson

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// str checks a string. Long stretches without escapes are found by IndexByte and
// judged whole, which is what makes long texts cheap.
func (c *checker) str() error {
	c.i++
	quote := -1
	for {
		c.i = endOfPlain(c.b, c.i)
		switch c.peek() {
		case '"':
			c.i++
			return nil
		case '\\':
			if err := c.escape(); err != nil {
				return err
			}
			continue
		}
		if quote < c.i { // unknown, or it was escaped
			n := bytes.IndexByte(c.b[c.i:], '"')
			if n < 0 {
				c.i = len(c.b)
				return c.fail("")
			}
			quote = c.i + n
		}
		rest := c.b[c.i:quote]
		if esc := bytes.IndexByte(rest, '\\'); esc >= 0 {
			rest = rest[:esc]
		}
		if err := c.plain(rest); err != nil {
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
// there is none, and whether all before it is ASCII. It looks at many bytes at
// a time: a byte below 0x20 borrows from its top bit when 0x20 is subtracted.
func printable(s []byte) (n int, ascii bool) {
	var seen uint64
	for len(s)-n >= 32 {
		a, b := binary.LittleEndian.Uint64(s[n:]), binary.LittleEndian.Uint64(s[n+8:])
		c, d := binary.LittleEndian.Uint64(s[n+16:]), binary.LittleEndian.Uint64(s[n+24:])
		if ((a-spaces)&^a|(b-spaces)&^b|(c-spaces)&^c|(d-spaces)&^d)&tops != 0 {
			break
		}
		seen |= a | b | c | d
		n += 32
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

func isHex(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
