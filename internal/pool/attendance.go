package pool

import (
	"context"
	"errors"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// An attendance is a keeper's work on one session.
type attendance struct {
	*keeper
	live   *Live
	legacy bool
	began  time.Time
	// listener is nil until there is something to listen for.
	listener *mcp.Listener
	// set is what the listener was set to.
	set mcp.Filter
	// out is what came of it.
	out outcome
}

// apply makes the session tell what is wanted. It returns after how long that
// must be tried again; 0: it need not.
func (a *attendance) apply(ctx context.Context, w want) (again time.Duration) {
	ctx, cancel := context.WithTimeoutCause(ctx, a.u.pool.opts.ConnectTimeout, errListenTimeout)
	defer cancel()
	a.setLevel(ctx, w.level)
	a.listen(ctx, w.filter)
	if a.over() { // who waits, waits for the next session
		return 0
	}
	a.out.version = w.version
	a.u.hub.settle(a.out)
	if !a.out.final {
		a.failures++
		return max(a.u.pool.opts.Backoff.wait(a.failures), time.Millisecond)
	}
	a.failures = 0
	before := a.heard
	a.heard = a.out.granted
	if a.missed {
		a.missed = false
		a.u.hub.assume(before)
	}
	return 0
}

// over reports whether the session is, or another one has its place.
func (a *attendance) over() bool { return a.live.ended() || a.live.left.Load() }

// setLevel sets the log level of a legacy session. A modern server is told it
// with each request.
func (a *attendance) setLevel(ctx context.Context, level string) {
	a.out.levelErr = nil
	if !a.legacy || level == "" || level == a.live.level {
		return
	}
	if a.out.levelErr = a.live.SetLevel(ctx, level); a.out.levelErr == nil {
		a.live.level = level
	}
}

// listen listens for what f says.
func (a *attendance) listen(ctx context.Context, f mcp.Filter) {
	if a.out.final && f.Equal(a.set) {
		return
	}
	a.set = f
	if a.listener == nil {
		if f.Empty() {
			a.out.final = true
			return
		}
		a.listener = a.live.Listen(a.u.hub.gap, a.lost)
	}
	granted, err := a.listener.Set(ctx, f)
	a.out.granted, a.out.err, a.out.final = granted, err, final(err)
	if err != nil {
		a.u.pool.opts.Logger.Debug("server does not report on all that is wanted", "server", a.u.server.Name, "error", err)
		return
	}
	a.u.answered(a.live)
}

func (a *attendance) close() {
	if a.listener != nil {
		a.listener.Close()
	}
}

var errListenTimeout = errors.New("the server did not say in time what it reports on")

// final reports whether an error is the server's last word, so that asking
// again does not help. What may have been lost on the way is not.
func final(err error) bool {
	var te *transport.Error
	return err == nil || !errors.As(err, &te) && !errors.Is(err, errListenTimeout) && !errors.Is(err, context.Canceled)
}
