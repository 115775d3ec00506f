package pool

import (
	"context"
	"errors"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

const (
	// probeTimeout is how long a server may take to answer a ping.
	probeTimeout = 5 * time.Second
	// maxMisses is after how many unanswered pings in a row a session is given up.
	maxMisses = 2
)

// errSilent is why a session is given up that does not answer any more.
var errSilent = &transport.Error{Kind: transport.KindLost, Delivery: transport.Unknown, Err: errors.New("the server does not answer to pings")}

// health is what is known of how a session is. The upstream's mu guards it.
type health struct {
	// probed is when the last probe began; probing: it has not ended.
	probed  time.Time
	probing bool
	// misses counts the probes that got no answer, in a row.
	misses int
	// unanswered: the last call ended without an answer.
	unanswered bool
}

// tend looks after the sessions: it replaces those that are too old or do not
// answer, probes those that somebody relies on, and keeps as many as are wanted.
// A session whose state is its owner's is left alone, since nothing could be
// done about it, and so is one that a call has for itself.
func (u *Upstream) tend(now time.Time) {
	u.mu.Lock()
	defer u.unlock()
	u.noticeLocked()
	if u.state != Ready || u.held || u.pinnedTo(u.live.Session) {
		return
	}
	u.shrinkLocked(now)
	for l := range u.sessionsLocked() {
		switch {
		case l.health.misses >= maxMisses && u.judges(l):
			u.replaceLocked(now, l, errSilent)
			return // it may have changed what there is
		case !l.expires.IsZero() && now.After(l.expires):
			u.replaceLocked(now, l, nil)
		case u.probeDueLocked(l, now):
			u.probeLocked(l, now)
		}
	}
	u.warmLocked(now)
}

// probeDueLocked reports whether the session is to be probed. Never while a call
// is under way: the answer to a probe would have to wait for it.
func (u *Upstream) probeDueLocked(l *Live, now time.Time) bool {
	h, interval := &l.health, u.server.HealthInterval
	switch {
	case interval <= 0 || h.probing || l.inFlight > 0:
		return false
	case h.misses > 0 || h.unanswered:
		return true
	case l.lastUsed.After(h.probed):
		return now.Sub(l.lastUsed) >= interval
	}
	return l == u.live && now.Sub(h.probed) >= interval && u.hub.active()
}

func (u *Upstream) probeLocked(l *Live, now time.Time) {
	l.health.probed, l.health.probing = now, true
	u.pool.background.Go(func() {
		u.probed(l, now, probe(u.pool.closing, l.Session))
	})
}

// probe asks for a sign of life; whatever the server answers is one.
func probe(ctx context.Context, s *mcp.Session) error {
	ctx, cancel := context.WithTimeoutCause(ctx, probeTimeout, errSilent)
	defer cancel()
	_, err := s.Ping(ctx, nil)
	switch {
	case err == nil || mcp.DeliveryOf(err) == transport.Answered:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return err
}

// probed notes how a probe has ended.
func (u *Upstream) probed(l *Live, began time.Time, err error) {
	u.mu.Lock()
	defer u.unlock()
	h := &l.health
	h.probing = false
	u.noticeLocked()
	switch {
	case l.over:
	case err == nil:
		h.misses, h.unanswered = 0, false
		u.server.answersPings.Store(true)
	case l.inFlight > 0 || l.lastUsed.After(began): // a call may have kept it from answering
	default:
		h.misses++
	}
}

// judges reports whether pings tell how the session is: there are servers that
// never answer any.
func (u *Upstream) judges(l *Live) bool {
	return u.server.answersPings.Load() || l.health.unanswered
}
