package jsonschema

import (
	"bytes"
	"math/big"
	"strconv"
	"strings"
)

// A decimal is a JSON number, exactly: 0.digits times ten to the power of
// point. digits has no zero at either end; zero has none at all.
type decimal struct {
	negative bool
	digits   string
	point    int64
}

// maxExponent is where exponents are cut off: nobody compares beyond it.
const maxExponent = 1 << 40

// parseDecimal reads the text of a JSON number.
func parseDecimal(text []byte) decimal {
	var d decimal
	if text[0] == '-' {
		d.negative, text = true, text[1:]
	}
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		d.point = exponent(string(text[i+1:]))
		text = text[:i]
	}
	whole, fraction, _ := strings.Cut(string(text), ".")
	d.point += int64(len(whole))
	digits := strings.TrimLeft(whole+fraction, "0")
	d.point -= int64(len(whole) + len(fraction) - len(digits))
	d.digits = strings.TrimRight(digits, "0")
	if d.digits == "" {
		return decimal{}
	}
	return d
}

// exponent reads an exponent; one that is out of range is cut off.
func exponent(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64) // on overflow the nearest number
	return max(min(n, maxExponent), -maxExponent)
}

// integer reports whether d has no fraction: 1.0 has none.
func (d decimal) integer() bool { return d.point >= int64(len(d.digits)) }

// compare returns -1, 0 or 1.
func (d decimal) compare(e decimal) int {
	switch {
	case d.negative != e.negative:
		if d.negative {
			return -1
		}
		return 1
	case d.negative:
		return e.magnitude(d)
	default:
		return d.magnitude(e)
	}
}

// magnitude compares without regard to the sign.
func (d decimal) magnitude(e decimal) int {
	switch {
	case d.digits == "" || e.digits == "":
		return len(d.digits) - len(e.digits)
	case d.point != e.point:
		return int(max(-1, min(1, d.point-e.point)))
	default:
		return strings.Compare(d.digits, e.digits)
	}
}

// multipleOf reports whether d is an integer times e, which is not zero.
func (d decimal) multipleOf(e decimal) bool {
	if d.digits == "" {
		return true
	}
	a, _ := new(big.Int).SetString(d.digits, 10)
	b, _ := new(big.Int).SetString(e.digits, 10)
	shift := (d.point - int64(len(d.digits))) - (e.point - int64(len(e.digits)))
	ten := big.NewInt(10)
	if shift >= 0 { // a * 10^shift mod b
		power := ten.Exp(ten, big.NewInt(shift), b)
		return power.Mul(power, a).Mod(power, b).Sign() == 0
	}
	if -shift > int64(len(d.digits)) { // b * 10^-shift is greater than a
		return false
	}
	b.Mul(b, ten.Exp(ten, big.NewInt(-shift), nil))
	return a.Mod(a, b).Sign() == 0
}

// append appends a text that equal numbers share, and no others.
func (d decimal) append(b []byte) []byte {
	if d.negative {
		b = append(b, '-')
	}
	b = append(b, '.')
	b = append(b, d.digits...)
	b = append(b, 'e')
	return strconv.AppendInt(b, d.point, 10)
}
