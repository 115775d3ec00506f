package mcp

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// The waits before a subscription is opened again: the first, the longest, and
// how long a subscription must have lived for the next wait to be the first
// again.
const (
	firstReopening   = 500 * time.Millisecond
	longestReopening = 30 * time.Second
	steadyLife       = 10 * time.Second
)

// A reopening spaces the openings of one subscription. The zero value is ready.
type reopening struct{ next time.Duration }

// wait returns how long to wait after a subscription that lived that long and
// ended in err. The waits double, and vary by a fifth in either direction, so
// that the clients of a server that comes back do not come all at once.
func (r *reopening) wait(lived time.Duration, err error) time.Duration {
	if r.next == 0 || lived >= steadyLife {
		r.next = firstReopening
	}
	pause := time.Duration((0.8 + 0.4*rand.Float64()) * float64(r.next)) //nolint:gosec // jitter needs no secrecy
	r.next = min(2*r.next, longestReopening)
	if te, ok := errors.AsType[*transport.Error](err); ok {
		pause = max(pause, te.RetryAfter)
	}
	return pause
}
