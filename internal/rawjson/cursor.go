package rawjson

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
		if ch := c.b[c.i]; ch != ',' && ch != ':' && !isSpace(ch) {
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
