package pool

import (
	"context"
	"errors"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// A keeper sees to it that the server tells what its upstream's hub wants to
// hear: on the open session, and on the next one if that is lost. There is one
// while anything is wanted, on a goroutine of its own.
type keeper struct {
	u *Upstream
	// wake holds a token while there may be something to do.
	wake   chan struct{}
	cancel context.CancelFunc

	// What follows is the goroutine's own.

	// done is the version of what is wanted that needs no further care.
	done int64
	// heard is what the server was last listened to for.
	heard mcp.Filter
	// missed: the session on which that was so is lost.
	missed bool
	// failures counts in a row, losses the sessions in a row that did not last.
	failures, losses int
}

// steadyLife is how long a session must have lasted to be opened again at once
// when it is lost: a server that dies as soon as it is listened to is not
// started in a loop.
const steadyLife = 10 * time.Second

// keepLocked has a keeper look after what is wanted. Whoever waits for an
// outcome that no keeper can bring gets it at once.
func (u *Upstream) keepLocked() {
	switch {
	case u.keeper != nil:
		u.keeper.signal()
	case u.state != Shutdown && u.hub.needs(none, u.state == Ready):
		ctx, cancel := context.WithCancel(u.pool.closing)
		k := &keeper{u: u, wake: make(chan struct{}, 1), cancel: cancel, done: none}
		u.keeper = k
		u.pool.background.Go(func() {
			defer cancel()
			k.run(ctx)
		})
	default:
		u.hub.abandon(nil)
	}
}

// none is the version of nothing.
const none = -1

// dismiss ends the keeper if nothing is left for it to do, and reports that.
func (u *Upstream) dismiss(k *keeper) bool {
	u.mu.Lock()
	defer u.unlock()
	u.noticeLocked()
	if u.state != Shutdown && u.hub.needs(k.done, u.state == Ready) {
		return false
	}
	u.keeper = nil
	u.hub.abandon(errLostMeanwhile)
	return true
}

var errLostMeanwhile = errors.New("the connection to the server was lost")

func (k *keeper) signal() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run keeps the server talking until there is nothing left to do, or the
// upstream is over.
func (k *keeper) run(ctx context.Context) {
	for ctx.Err() == nil && !k.u.dismiss(k) {
		live, err := k.u.acquire(ctx, false)
		if err != nil {
			k.fail(ctx, err)
			continue
		}
		// It does not hold up the end of the session as a call does.
		k.u.release(live, transport.NotSent)
		began := time.Now()
		if k.attend(ctx, live) {
			k.lose(ctx, time.Since(began))
		}
	}
}

// lose waits after the loss of a session that was attended to for that long. Who
// waits for an outcome is told, as in fail.
func (k *keeper) lose(ctx context.Context, attended time.Duration) {
	if attended >= steadyLife {
		k.losses = 0
		return
	}
	if k.losses++; k.losses > 1 {
		k.u.hub.abandon(errLostMeanwhile)
		k.rest(ctx, nil, max(k.u.pool.opts.Backoff.wait(k.losses-1), time.Millisecond))
	}
}

// fail tells those who wait that there is no session, and waits until there may
// be one again.
func (k *keeper) fail(ctx context.Context, err error) {
	k.u.hub.abandon(k.u.wrap(err, transport.NotSent, 1))
	k.failures++
	pause := max(k.u.pool.opts.Backoff.wait(k.failures), time.Millisecond)
	var failed *ConnectError
	switch {
	case needsAuthorization(err):
		pause = 0 // somebody else will see to that
	case errors.As(err, &failed):
		pause = max(pause, failed.RetryAfter)
	}
	k.rest(ctx, nil, pause)
}

// attend looks after one session until it is over, which it reports, or nothing
// is wanted.
func (k *keeper) attend(ctx context.Context, live *Live) (lost bool) {
	a := &attendance{keeper: k, live: live, legacy: live.Info().Era == mcp.EraLegacy}
	defer a.close()
	select {
	case <-k.wake: // what there was to do is done now
	default:
	}
	for ctx.Err() == nil && !a.over() {
		w := k.u.hub.wanted(a.legacy)
		again := a.apply(ctx, w)
		switch {
		case a.over():
		case w.filter.Empty() && again == 0:
			k.done = w.version
			return false
		default:
			k.rest(ctx, live.Done(), again)
		}
	}
	k.done, k.missed = none, k.missed || !k.heard.Empty()
	return ctx.Err() == nil
}

// rest waits until there may be something to do: it is woken, done is closed,
// the pause, if it is above 0, or ctx is over.
func (k *keeper) rest(ctx context.Context, done <-chan struct{}, pause time.Duration) {
	var due <-chan time.Time
	if pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-k.wake:
	case <-done:
	case <-due:
	case <-ctx.Done():
	}
}
