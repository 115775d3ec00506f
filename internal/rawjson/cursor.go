package rawjson

import "bytes"

// A Cursor walks a JSON value once, from front to back. Commas and colons say
// nothing in text that has been checked, and are stepped over like white space.
type Cursor struct {
	b []byte
	i int
}

// NewCursor returns a Cursor at the start of b.
func NewCursor(b []byte) Cursor { return Cursor{b: b} }

// Peek returns the first byte of the value, key or closing bracket that comes
// next, 0 at the end.
func (c *Cursor) Peek() byte {
	for ; c.i < len(c.b); c.i++ {
		if ch := c.b[c.i]; ch > ' ' && ch != ',' && ch != ':' {
			return ch
		}
	}
	return 0
}

// Enter steps into the array or object that comes next.
func (c *Cursor) Enter() {
	if c.Peek() != 0 {
		c.i++
	}
}

// More reports whether the array or object has another member; if not, it steps
// behind it.
func (c *Cursor) More() bool {
	switch c.Peek() {
	case 0:
		return false
	case '}', ']':
		c.i++
		return false
	}
	return true
}

// Token steps over the value or key that comes next and returns its text.
func (c *Cursor) Token() []byte {
	c.Peek()
	from := c.i
	c.i = max(skip(c.b, from), min(from+1, len(c.b))) // always on, whatever the text is
	return c.b[from:c.i]
}

// String steps over the string that comes next and returns what is between its
// quotes, and whether that is the text itself: plain, without escapes.
func (c *Cursor) String() (text []byte, plain bool) {
	if c.Peek() != '"' {
		return c.Token(), true
	}
	from := c.i + 1
	end := endOfLiteral(c.b, from)
	if end < len(c.b) && c.b[end] == '"' {
		c.i = end + 1
		return c.b[from:end], true
	}
	c.i = skipString(c.b, c.i)
	text = c.b[from:max(from, c.i-1)]
	return text, bytes.IndexByte(text, '\\') < 0
}

// Left is how long the text is that comes next.
func (c *Cursor) Left() int { return len(c.b) - c.i }
