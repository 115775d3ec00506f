package config

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
)

// value is the field of a [Config] or [Server] that a setting writes to.
type value interface {
	// assign reads n into the field. It leaves the field alone when n does not
	// fit, and the error tells what is wrong and the fix.
	assign(n node) error
	// check tells what is wrong with the field as it is now.
	check() error
	// String writes the field as an operator would.
	String() string
}

// single is a value written as one text.
type single[T any] struct {
	dst    *T
	parse  func(string) (T, error)
	format func(T) string
	rule   func(T) error // nil allows everything
}

func (v single[T]) assign(n node) error {
	if n.kind != scalar {
		return fmt.Errorf("is a %v; write one value", n.kind)
	}
	parsed, err := v.parse(n.text)
	if err != nil {
		return err
	}
	*v.dst = parsed
	return nil
}

func (v single[T]) check() error {
	if v.rule == nil {
		return nil
	}
	return v.rule(*v.dst)
}

func (v single[T]) String() string { return v.format(*v.dst) }

func boolean(dst *bool) value {
	parse := func(text string) (bool, error) {
		b, err := strconv.ParseBool(text)
		if err != nil {
			return false, fmt.Errorf("%q is neither true nor false", text)
		}
		return b, nil
	}
	return single[bool]{dst, parse, strconv.FormatBool, nil}
}

func choice(dst *string, choices ...string) value {
	rule := func(text string) error {
		if slices.Contains(choices, text) {
			return nil
		}
		return fmt.Errorf("%q is none of %s", text, strings.Join(choices, ", "))
	}
	return single[string]{dst, verbatim, asIs, rule}
}

func asIs(text string) string { return text }

func verbatim(text string) (string, error) { return text, nil }

// text is any text.
func text(dst *string) value { return single[string]{dst, verbatim, asIs, nil} }

// address is a listener; usual is what a message proposes.
func address(dst *Addr, usual Addr, unix bool) value {
	parse := func(text string) (Addr, error) { return Addr(text), nil }
	format := func(a Addr) string { return string(a) }
	return single[Addr]{dst, parse, format, addrRule(usual, unix)}
}

// count is a whole number of things, at least one.
func count(dst *int) value { return countFrom(dst, 1) }

// countOrNone is a whole number of things, or none.
func countOrNone(dst *int) value { return countFrom(dst, 0) }

func countFrom(dst *int, least int) value {
	parse := func(text string) (int, error) {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return 0, fmt.Errorf("%q is not a whole number below 2^31", text)
		}
		return int(n), nil
	}
	return single[int]{dst, parse, strconv.Itoa, atLeast(least, strconv.Itoa)}
}

func factor(dst *float64, least float64) value {
	parse := func(text string) (float64, error) {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0, fmt.Errorf("%q is not a number", text)
		}
		return f, nil
	}
	format := func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
	return single[float64]{dst, parse, format, atLeast(least, format)}
}

func duration(dst *time.Duration, least time.Duration) value {
	parse := func(text string) (time.Duration, error) {
		d, err := time.ParseDuration(text)
		if err == nil {
			return d, nil
		}
		if _, err := strconv.Atoi(text); err == nil {
			return 0, fmt.Errorf("%q has no unit; write %q", text, text+"s")
		}
		return 0, fmt.Errorf(`%q is not a duration; write it as in "30s" or "1h30m"`, text)
	}
	return single[time.Duration]{dst, parse, formatDuration, atLeast(least, formatDuration)}
}

// formatDuration leaves out the zero parts that time.Duration prints: "15m", not "15m0s".
func formatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func level(dst *slog.Level) value {
	parse := func(text string) (slog.Level, error) {
		var l slog.Level
		if err := l.UnmarshalText([]byte(text)); err != nil {
			return 0, fmt.Errorf("%q is none of debug, info, warn, error", text)
		}
		return l, nil
	}
	format := func(l slog.Level) string { return strings.ToLower(l.String()) }
	return single[slog.Level]{dst, parse, format, nil}
}

// atLeast returns the check for v >= least.
func atLeast[T cmp.Ordered](least T, format func(T) string) func(T) error {
	return func(v T) error {
		if v >= least {
			return nil
		}
		return errors.New(format(v) + " is too small; write " + format(least) + " or more")
	}
}
