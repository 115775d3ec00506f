package pool

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// Breaker says when a server has failed so often that its upstreams stop trying
// each for itself. Zero fields take the default.
type Breaker struct {
	// Failures is how many in a row open the circuit. Default 5.
	Failures int
	// Window is how long after the last failure, or the last wait, the row is
	// forgotten. Default 1 min.
	Window time.Duration
}

func (b Breaker) withDefaults() Breaker {
	if b.Failures <= 0 {
		b.Failures = 5
	}
	if b.Window <= 0 {
		b.Window = time.Minute
	}
	return b
}

// A circuit counts the failures of all upstreams of a server in a row. When
// there are too many it opens: until the wait of [Backoff] is over nobody
// connects, and then one upstream does, on trial. The zero value is closed. Its
// methods may be called concurrently.
type circuit struct {
	// mu guards what follows. It is held after an Upstream's.
	mu       sync.Mutex
	failures int
	last     time.Time
	open     bool
	// retryAt is when the next trial is due, trial that one is under way.
	retryAt time.Time
	trial   bool
	// closed is when it was last open.
	closed time.Time
}

// admit reports whether an upstream may connect now, and whether that is the
// trial, of which the circuit must be told how it ends. wait is when to ask
// again.
func (c *circuit) admit(now time.Time, o *Options) (trial bool, wait time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgetLocked(now, o)
	switch {
	case !c.open:
		return false, 0, true
	case c.trial:
		return false, o.Backoff.Base, false
	case now.Before(c.retryAt):
		return false, c.retryAt.Sub(now), false
	}
	c.trial = true
	return true, 0, true
}

// isOpen reports whether the circuit is, and when the next trial is due.
func (c *circuit) isOpen(now time.Time, o *Options) (wait time.Duration, open bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgetLocked(now, o)
	return max(0, c.retryAt.Sub(now)), c.open
}

// fail counts a failure, and reports whether it has opened the circuit.
func (c *circuit) fail(now time.Time, trial bool, o *Options) (opened bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgetLocked(now, o)
	if c.open && !trial { // begun before it opened
		return false
	}
	if trial {
		c.trial = false
	}
	c.failures++
	c.last = now
	if c.failures < o.Breaker.Failures {
		return false
	}
	opened = !c.open
	c.open = true
	c.retryAt = now.Add(o.Backoff.wait(c.failures))
	return opened
}

// succeed notes that the server answers.
func (c *circuit) succeed(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open {
		c.closed = now
	}
	c.failures, c.open, c.trial = 0, false, false
}

// abandon notes that a trial has ended without telling anything.
func (c *circuit) abandon() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trial = false
}

// overrules reports whether the circuit, and not an upstream that failed at that
// time, says when the next attempt is due: it is open, or was closed since.
func (c *circuit) overrules(failed time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open || c.closed.After(failed)
}

// observe returns 1 if the circuit is open, 0 if it is not.
func (c *circuit) observe(o *Options) int64 {
	if _, open := c.isOpen(time.Now(), o); open {
		return 1
	}
	return 0
}

// show returns the status of an upstream as calls would find it: while the
// circuit is open, an upstream that is not connected is as good as one that
// failed. What failed for others is not told.
func (c *circuit) show(st Status, o *Options) Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.forgetLocked(time.Now(), o); !c.open || st.State != Idle {
		return st
	}
	st.State = TransientFailure
	if st.LastFailure == nil {
		st.LastFailure = &Failure{Time: c.last, Err: &ConnectError{CircuitOpen: true, Err: errCircuit}}
	}
	return st
}

func (c *circuit) forgetLocked(now time.Time, o *Options) {
	if c.failures > 0 && !c.trial && now.Sub(c.last) > o.Breaker.Window && now.Sub(c.retryAt) > o.Breaker.Window {
		c.failures, c.open = 0, false
	}
}

// blames reports whether a failure to connect speaks against the server, and
// not against what was asked of it or who asked: whatever it answers, it is
// there.
func blames(err error) bool {
	if errors.Is(err, errConnectTimeout) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	var mismatch *mcp.IncompatibleError
	var te *transport.Error
	if errors.As(err, &mismatch) || !errors.As(err, &te) {
		return false
	}
	switch te.Kind {
	case transport.KindUnreachable, transport.KindIdentity, transport.KindExited, transport.KindLost:
		return true
	case transport.KindStatus:
		return te.Status >= 500
	default:
		return false
	}
}
