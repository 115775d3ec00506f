package auth

import (
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// busyRetry is when a caller that has too much in flight may try again.
const busyRetry = time.Second

// LimitOptions say how much one principal may do at a time. Zero fields are no
// limit.
type LimitOptions struct {
	// Calls and Bytes bound what is in flight: the calls, and the size of their
	// requests.
	Calls int
	Bytes int64
	// ConnectRate is how many sessions a second may be opened, ConnectBurst how
	// many at once.
	ConnectRate  float64
	ConnectBurst int
}

// Limits keep each principal to its share. They may be used concurrently.
type Limits struct {
	opts LimitOptions

	mu    sync.Mutex // guards what follows
	users map[string]*usage
	// sweepAt is how many users there may be before the idle ones are forgotten.
	sweepAt int
}

// minSweep is how many users are few enough to remember.
const minSweep = 1024

// usage is what one principal has in flight.
type usage struct {
	calls    int
	bytes    int64
	connects *rate.Limiter // nil: it has opened no session
}

// NewLimits returns limits that nobody has used yet.
func NewLimits(o LimitOptions) *Limits {
	return &Limits{opts: o, users: make(map[string]*usage), sweepAt: minSweep}
}

// begin counts a call, or refuses it with a [*QuotaError]. Whoever is let in
// calls end.
func (l *Limits) begin(principal string, connect bool, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.users[principal]
	if u == nil {
		u = l.addLocked(principal, now)
	}
	if l.opts.Calls > 0 && u.calls >= l.opts.Calls {
		return &QuotaError{Limit: "principal.calls", Max: strconv.Itoa(l.opts.Calls), RetryAfter: busyRetry}
	}
	if connect && l.opts.ConnectRate > 0 {
		if err := l.connect(u, now); err != nil {
			return err
		}
	}
	u.calls++
	return nil
}

// connect takes one from the principal's sessions of this second.
func (l *Limits) connect(u *usage, now time.Time) error {
	if u.connects == nil {
		u.connects = rate.NewLimiter(rate.Limit(l.opts.ConnectRate), max(l.opts.ConnectBurst, 1))
	}
	if u.connects.AllowN(now, 1) {
		return nil
	}
	missing := 1 - u.connects.TokensAt(now)
	return &QuotaError{
		Limit: "principal.connect_rate", Max: strconv.FormatFloat(l.opts.ConnectRate, 'g', -1, 64) + " a second",
		RetryAfter: time.Duration(missing / l.opts.ConnectRate * float64(time.Second)),
	}
}

// grow counts bytes of a call that has begun, or refuses them.
func (l *Limits) grow(principal string, bytes int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.users[principal]
	if l.opts.Bytes > 0 && u.bytes+bytes > l.opts.Bytes {
		return &QuotaError{Limit: "principal.bytes", Max: strconv.FormatInt(l.opts.Bytes, 10), RetryAfter: busyRetry}
	}
	u.bytes += bytes
	return nil
}

// end takes a call back, with the bytes that it has grown by.
func (l *Limits) end(principal string, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.users[principal]
	u.calls--
	u.bytes -= bytes
}

// addLocked remembers a principal. To keep their number in bounds, those whose
// usage is that of somebody who was never seen are forgotten now and then.
func (l *Limits) addLocked(principal string, now time.Time) *usage {
	if len(l.users) >= l.sweepAt {
		for id, u := range l.users {
			if u.calls == 0 && (u.connects == nil || u.connects.TokensAt(now) >= float64(u.connects.Burst())) {
				delete(l.users, id)
			}
		}
		l.sweepAt = max(minSweep, 2*len(l.users))
	}
	u := new(usage)
	l.users[principal] = u
	return u
}
