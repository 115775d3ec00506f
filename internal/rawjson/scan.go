package rawjson

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Most strings are short, and calling anything for one costs more than looking
// at it. So strings are first looked at here, eight bytes at a time, for no more
// than shortString bytes; what is longer is for IndexByte.
const shortString = 64

// The bytes of a word, all of them: ones, top bits, and those that mean
// something in a string.
const (
	ones   = 0x0101010101010101
	tops   = 0x80 * ones
	spaces = ' ' * ones
	quotes = '"' * ones
	slants = '\\' * ones
)

// endOfPlain returns the index of the first byte at or after i that a string of
// plain ASCII does not have: a quote, a backslash, a control character, a byte
// that is not ASCII. If there is none in reach, it returns the index where it
// has stopped looking.
func endOfPlain(b []byte, i int) int {
	for end := min(len(b)-8, i+shortString); i <= end; i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		// Each term sets the top bit of the first byte in question, and perhaps of
		// some behind it: subtraction borrows, from low to high.
		if m := (w | (w - spaces) | ((w ^ quotes) - ones) | ((w ^ slants) - ones)) & tops; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	return i
}

// endOfLiteral is the same for the first quote or backslash.
func endOfLiteral(b []byte, i int) int {
	for end := min(len(b)-8, i+shortString); i <= end; i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		if m := (((w ^ quotes) - ones) | ((w ^ slants) - ones)) &^ w & tops; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	return i
}

// skip returns the index behind the value that starts at i.
func skip(b []byte, i int) int {
	if i >= len(b) {
		return i
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	for i < len(b) && b[i] > ' ' && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] != ':' {
		i++
	}
	return i
}

// skipNested steps over an object or array by counting brackets, which is
// enough for text that has been checked.
func skipNested(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch c := b[i]; {
		case c == '"':
			i = skipString(b, i)
			continue
		case c < '[': // most of what is not in a string
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return i
}

// skipString returns the index behind the string that starts at i.
func skipString(b []byte, i int) int {
	if i = endOfLiteral(b, i+1); i < len(b) && b[i] == '"' {
		return i + 1
	}
	for i < len(b) {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return len(b)
		}
		i += n + 1
		slashes := 0
		for k := i - 2; k >= 0 && b[k] == '\\'; k-- {
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
	}
	return i
}
