package rawjson

import (
	"bytes"
	"strconv"
)

// maxSafe is the greatest integer that every reader of JSON has exactly
// (RFC 8259, section 6).
const maxSafe = 1<<53 - 1

// SafeInteger returns the integer that the text stands for, also if it is
// written as 42.0 or 4.2e1. It is not ok for any other value, and for integers
// that some readers would round: those above 2^53-1, of either sign.
func SafeInteger(v []byte) (n int64, ok bool) {
	digits, negative := bytes.CutPrefix(v, []byte{'-'})
	if len(digits) == 0 || !isDigit(digits[0]) {
		return 0, false
	}
	shift := 0
	if i := bytes.IndexAny(digits, "eE"); i >= 0 {
		// Out of range, it is the nearest number, which is out of range too.
		shift, _ = strconv.Atoi(string(digits[i+1:]))
		digits = digits[:i]
	}
	whole, fraction, _ := bytes.Cut(digits, []byte{'.'})
	n, ok = shiftDecimal(whole, fraction, max(-1<<40, min(shift, 1<<40)))
	if negative {
		n = -n
	}
	return n, ok
}

// shiftDecimal returns the number whole.fraction times ten to the power of shift.
func shiftDecimal(whole, fraction []byte, shift int) (n int64, ok bool) {
	point := len(whole) + shift // how many digits stand before the point
	for i := range len(whole) + len(fraction) {
		var digit byte
		if i < len(whole) {
			digit = whole[i]
		} else {
			digit = fraction[i-len(whole)]
		}
		switch {
		case i >= point && digit != '0':
			return 0, false
		case i < point:
			n = n*10 + int64(digit-'0')
		}
		if n > maxSafe {
			return 0, false
		}
	}
	for i := len(whole) + len(fraction); n != 0 && i < point; i++ {
		if n *= 10; n > maxSafe {
			return 0, false
		}
	}
	return n, true
}
