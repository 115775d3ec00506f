package oauth

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrNotFound says that no such authorization waits for a person: it was never
// asked for, has been used, has expired, or is somebody else's.
var ErrNotFound = errors.New("no such authorization waits; it may be used up or expired, so call again for a new one")

// A RequiredError says that a person has to consent before the server can be
// used. Its text does not have the URL, which is for that person only.
type RequiredError struct {
	// URL is for the person to open in a browser.
	URL string
	// Expires is until when [Manager.Complete] may come.
	Expires time.Time
	// Scopes are those that are asked for.
	Scopes []string

	flow *flow
}

func (e *RequiredError) Error() string { return "a person has to consent to the use of the server" }

// NeedsAuthorization tells the pool that the server may be tried again at any time.
func (e *RequiredError) NeedsAuthorization() bool { return true }

// Target is what waits for the consent, as far as it was said.
func (e *RequiredError) Target() string {
	if e.flow == nil {
		return ""
	}
	if t := e.flow.target.Load(); t != nil {
		return *t
	}
	return ""
}

// SetTarget names what waits for the consent, for [Manager.Complete] to return.
func (e *RequiredError) SetTarget(target string) {
	if e.flow != nil {
		e.flow.target.Store(&target)
	}
}

// A RefusedError says that an authorization server, or the person, said no, or
// that it does not do what MCP requires.
type RefusedError struct {
	// Problem says what was wrong. It may be shown to callers.
	Problem string
	// Code is the error code of OAuth, "" if there was none.
	Code string
	// Err is the cause, for the log. Its text may name addresses.
	Err error
}

func (e *RefusedError) Error() string {
	s := e.Problem
	if e.Code != "" {
		s += " (" + e.Code + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *RefusedError) Unwrap() error { return e.Err }

func refusedf(format string, args ...any) error {
	return &RefusedError{Problem: fmt.Sprintf(format, args...)}
}

// maxWords bounds what is repeated of a peer's words.
const maxWords = 200

// words returns the peer's words as they may be shown: cut, printable, and not
// at all if they repeat one of the secrets.
func words(text string, secrets ...string) string {
	for _, s := range secrets {
		if s != "" && strings.Contains(text, s) {
			return ""
		}
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxWords {
		text = text[:maxWords] + "…"
	}
	return strings.ToValidUTF8(text, "\ufffd")
}
