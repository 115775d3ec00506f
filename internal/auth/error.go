package auth

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// An Error says why a caller was not believed. Its text is for the caller, and
// holds nothing that the caller sent.
type Error struct {
	Problem string

	// cause is for the log: why the issuer's keys are not known. Nil for none.
	cause error
}

func (e *Error) Error() string { return e.Problem }

// maxCause bounds what the log is told in the words of others.
const maxCause = 512

// clipped returns err with a text that is not too long: the library quotes what
// an issuer has answered.
func clipped(err error) error {
	if err == nil || len(err.Error()) <= maxCause {
		return err
	}
	return errors.New(strings.ToValidUTF8(err.Error()[:maxCause], "") + "…")
}

// An UnavailableError says that a caller could not be authenticated for want of
// somebody who has to be asked, which is no fault of the caller's.
type UnavailableError struct {
	// RetryAfter is when it is worth another try.
	RetryAfter time.Duration
	// Err is for the log.
	Err error
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("ask the issuer of tokens for its keys: %v", e.Err)
}

func (e *UnavailableError) Unwrap() error { return e.Err }

// A QuotaError says which limit a principal has reached.
type QuotaError struct {
	// Limit is the key of the configuration.
	Limit string
	Max   string
	// RetryAfter is when the call has a chance.
	RetryAfter time.Duration
}

func (e *QuotaError) Error() string {
	return fmt.Sprintf("the limit %s of %s is reached", e.Limit, e.Max)
}
