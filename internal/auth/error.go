package auth

import (
	"fmt"
	"time"
)

// An Error says why a caller was not believed. Its text is for the caller, and
// holds nothing that the caller sent.
type Error struct{ Problem string }

func (e *Error) Error() string { return e.Problem }

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
