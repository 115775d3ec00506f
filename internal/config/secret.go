package config

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is text that must not be printed: however it is formatted, logged or
// marshalled, it comes out as "[redacted]". The zero value is the empty secret.
//
// The text is behind a pointer because the methods are not enough: for a Secret
// in an unexported field fmt calls none of them and prints what reflection
// finds, which is now an address.
type Secret struct{ text *string }

// NewSecret wraps text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Reveal returns the text. Its result is for the wire, never for a log line, an
// error or a span.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// GoString returns "[redacted]".
func (Secret) GoString() string { return redacted }

// LogValue is "[redacted]".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]".
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns "[redacted]" as a JSON string.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Format covers every verb but %p and %T, which fmt does not ask about.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// Args are the arguments of a command. They are plain strings to run it with,
// but they often carry tokens, so like a [Secret] they are not printed. In an
// unexported field they would be: keep them out of those.
type Args []string

// String returns "[redacted]".
func (Args) String() string { return redacted }

// GoString returns "[redacted]".
func (Args) GoString() string { return redacted }

// LogValue is "[redacted]".
func (Args) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]".
func (Args) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Format covers the verbs as for [Secret].
func (Args) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }
