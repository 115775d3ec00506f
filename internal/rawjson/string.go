package rawjson

import (
	"bytes"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// String decodes the JSON string v. Surrogates without a partner become U+FFFD.
func String(v []byte) (string, error) {
	if len(v) < 2 || v[0] != '"' || v[len(v)-1] != '"' {
		return "", fmt.Errorf("%.20q is not a JSON string", v)
	}
	return string(unquote(v)), nil
}

// AppendUnquoted appends the text of the JSON string v, quotes included, and
// reports whether it is exact: surrogates without a partner become U+FFFD.
func AppendUnquoted(dst, v []byte) (out []byte, exact bool) {
	if len(v) < 2 {
		return dst, true
	}
	return AppendUnescaped(dst, v[1:len(v)-1])
}

// AppendUnescaped is AppendUnquoted for what is between the quotes.
func AppendUnescaped(dst, v []byte) (out []byte, exact bool) {
	exact = true
	for len(v) > 0 {
		n := bytes.IndexByte(v, '\\')
		if n < 0 {
			n = len(v)
		}
		dst, v = append(dst, v[:n]...), v[n:]
		if len(v) > 0 {
			var ok bool
			dst, v, ok = unescape(dst, v)
			exact = exact && ok
		}
	}
	return dst, exact
}

// unquote decodes the string v, which includes its quotes. It aliases v where
// there is nothing to decode.
func unquote(v []byte) []byte {
	if len(v) >= 2 && bytes.IndexByte(v, '\\') < 0 {
		return v[1 : len(v)-1]
	}
	out, _ := AppendUnquoted(make([]byte, 0, len(v)), v)
	return out
}

// unescape decodes the escape that v starts with and returns what is left.
func unescape(out, v []byte) (dst, rest []byte, exact bool) {
	if len(v) < 2 {
		return append(out, v...), nil, true
	}
	switch v[1] {
	case 'b':
		return append(out, '\b'), v[2:], true
	case 'f':
		return append(out, '\f'), v[2:], true
	case 'n':
		return append(out, '\n'), v[2:], true
	case 'r':
		return append(out, '\r'), v[2:], true
	case 't':
		return append(out, '\t'), v[2:], true
	case 'u':
		return unescapeRune(out, v)
	default:
		return append(out, v[1]), v[2:], true
	}
}

func unescapeRune(out, v []byte) (dst, rest []byte, exact bool) {
	r, rest := hexRune(v)
	if r < 0 {
		return utf8.AppendRune(out, utf8.RuneError), v[2:], false
	}
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(out, r), rest, true
	}
	low, after := hexRune(rest)
	if full := utf16.DecodeRune(r, low); low >= 0 && full != utf8.RuneError {
		return utf8.AppendRune(out, full), after, true
	}
	return utf8.AppendRune(out, utf8.RuneError), rest, false
}

// hexRune reads \uXXXX at the start of v; it returns -1 if there is none.
func hexRune(v []byte) (rune, []byte) {
	if len(v) < 6 || v[0] != '\\' || v[1] != 'u' {
		return -1, v
	}
	var r rune
	for _, c := range v[2:6] {
		switch {
		case c >= 'a':
			c -= 'a' - 10
		case c >= 'A':
			c -= 'A' - 10
		default:
			c -= '0'
		}
		r = r<<4 | rune(c)
	}
	return r, v[6:]
}

// AppendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD; the line separators U+2028 and U+2029 are escaped, since some
// readers of line-framed JSON break lines at them.
func AppendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, c)
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		switch {
		case r == utf8.RuneError && n == 1:
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\ufffd"...)
			start = i + n
		case r == '\u2028' || r == '\u2029':
			dst = append(dst, s[start:i]...)
			dst = append(dst, '\\', 'u', '2', '0', '2', byte('0'+r&0xf))
			start = i + n
		}
		i += n
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
}

// AppendCompact appends v without the white space between its tokens. Nothing
// else of the text changes.
func AppendCompact(dst, v []byte) []byte {
	for i := 0; i < len(v); {
		switch {
		case isSpace(v[i]):
			i++
		case v[i] == '"':
			end := skipString(v, i)
			dst = append(dst, v[i:end]...)
			i = end
		default:
			end := i + 1
			for end < len(v) && v[end] != '"' && !isSpace(v[end]) {
				end++
			}
			dst = append(dst, v[i:end]...)
			i = end
		}
	}
	return dst
}

// AppendLine appends v so that it holds no line break: as it is if it has
// none, compacted otherwise.
func AppendLine(dst, v []byte) []byte {
	if bytes.IndexByte(v, '\n') < 0 && bytes.IndexByte(v, '\r') < 0 {
		return append(dst, v...)
	}
	return AppendCompact(dst, v)
}
