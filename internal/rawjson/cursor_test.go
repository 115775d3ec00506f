package rawjson

import (
	"bytes"
	"encoding/json"
	"testing"
)

// rebuild writes what the cursor sees, without white space.
func rebuild(dst []byte, c *Cursor) []byte {
	open := c.Peek()
	if open != '{' && open != '[' {
		return append(dst, c.Token()...)
	}
	dst = append(dst, open)
	c.Enter()
	for first := true; c.More(); first = false {
		if !first {
			dst = append(dst, ',')
		}
		if open == '{' {
			dst = append(append(dst, c.Token()...), ':')
		}
		dst = rebuild(dst, c)
	}
	return append(dst, open+2) // '[' and ']', '{' and '}' are two apart
}

func TestCursor(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`1`, ` "a\"b" `, `null`, `{}`, `[]`, `[[],{}]`, ` { "a" : [ 1 , -2.5e3 , true ] , "b,:" : { "c]}" : null } } `,
		`[{"x":"\\"},{"y":"\\\""},false]`,
	} {
		var want bytes.Buffer
		if err := json.Compact(&want, []byte(text)); err != nil {
			t.Fatal(err)
		}
		c := NewCursor([]byte(text))
		if got := rebuild(nil, &c); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s was seen as %s", text, got)
		}
	}
}

// FuzzCursor: text that is no JSON may be seen as anything, but the walk ends.
func FuzzCursor(f *testing.F) {
	f.Add([]byte(`{"a":[1,"b"]}`))
	f.Add([]byte(`[}]{"`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := NewCursor(b)
		for c.Peek() != 0 {
			at := c.i
			if ch := c.Peek(); ch == '{' || ch == '[' {
				c.Enter()
			} else if c.More() {
				c.Token()
			}
			if c.i <= at {
				t.Fatalf("stuck at %d of %q", at, b)
			}
		}
	})
}
