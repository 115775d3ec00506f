package rawjson

import (
	"errors"
	"fmt"
)

var errTruncated = errors.New("truncated JSON")

// Object calls yield for each member of the object b, in order, with the key
// decoded and the value as text without surrounding white space. Both alias b
// where they can. It stops at the first error and returns it.
func Object(b []byte, yield func(key, value []byte) error) error {
	i := space(b, 0)
	if i >= len(b) || b[i] != '{' {
		return fmt.Errorf("%.20q is not a JSON object", b[min(i, len(b)):])
	}
	i = space(b, i+1)
	if i < len(b) && b[i] == '}' {
		return nil
	}
	for {
		start := space(b, i)
		end := skip(b, start)
		colon := space(b, end)
		if colon >= len(b) {
			return errTruncated
		}
		from := space(b, colon+1)
		to := skip(b, from)
		if to > len(b) || from >= to {
			return errTruncated
		}
		if err := yield(unquote(b[start:end]), b[from:to]); err != nil {
			return err
		}
		if i = space(b, to); i >= len(b) || b[i] != ',' {
			return nil
		}
		i++
	}
}

// Array calls yield for each element of the array b, in order, as Object does.
func Array(b []byte, yield func(value []byte) error) error {
	i := space(b, 0)
	if i >= len(b) || b[i] != '[' {
		return fmt.Errorf("%.20q is not a JSON array", b[min(i, len(b)):])
	}
	i = space(b, i+1)
	if i < len(b) && b[i] == ']' {
		return nil
	}
	for {
		from := space(b, i)
		to := skip(b, from)
		if to > len(b) || from >= to {
			return errTruncated
		}
		if err := yield(b[from:to]); err != nil {
			return err
		}
		if i = space(b, to); i >= len(b) || b[i] != ',' {
			return nil
		}
		i++
	}
}

// Get returns the text of the member with that key, nil if there is none. Of
// duplicates the last wins.
func Get(b []byte, key string) (value []byte) {
	_ = Object(b, func(k, v []byte) error {
		if string(k) == key {
			value = v
		}
		return nil
	})
	return value
}

// IsNull reports whether the text is absent or null.
func IsNull(v []byte) bool { return len(v) == 0 || v[0] == 'n' }
