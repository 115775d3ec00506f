package pool

import (
	"errors"
	"time"
)

// A State is the state of an upstream, under the names of gRPC's channels.
type State uint8

const (
	// Idle: not connected; the next call connects.
	Idle State = iota
	// Connecting: an attempt is under way, and calls wait for it.
	Connecting
	// Ready: connected.
	Ready
	// TransientFailure: the last attempt failed, and the next is not due yet.
	TransientFailure
	// Shutdown: over for good.
	Shutdown
	// NeedsAuthorization: the last attempt failed for want of a person's consent.
	// The next call tries again.
	NeedsAuthorization
)

// states is how many there are.
const states = int(NeedsAuthorization) + 1

// String returns the name as gRPC writes it.
func (s State) String() string {
	names := [states]string{"IDLE", "CONNECTING", "READY", "TRANSIENT_FAILURE", "SHUTDOWN", "NEEDS_AUTHORIZATION"}
	if int(s) < len(names) {
		return names[s]
	}
	return "UNKNOWN"
}

// A Failure is why an upstream last failed.
type Failure struct {
	Time time.Time
	Err  error
}

// A Status is a snapshot of an upstream.
type Status struct {
	State State
	// LastFailure is nil if there was none.
	LastFailure *Failure
	// Generation numbers the session, or the last one if there is none at the
	// moment; 0 if there has been none.
	Generation int64
	// Sessions is how many sessions are open.
	Sessions int
}

// A Change is a change of state of an upstream, or of the sessions of one that
// stays ready.
type Change struct {
	Key  Key
	From State
	To   State
	// Err is why, nil if nothing went wrong.
	Err error
	// Generation numbers the session, as in [Status].
	Generation int64
}

// needsAuthorization reports whether err is for want of a person's consent: an
// error in its chain says so itself.
func needsAuthorization(err error) bool {
	var asker interface{ NeedsAuthorization() bool }
	return errors.As(err, &asker) && asker.NeedsAuthorization()
}
