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
// while anything is wanted. It has a goroutine while it has something to do; for
// most of the time there is nothing.
type keeper struct {
	u *Upstream
	// wake holds a token while there may be something to do.
	wake chan struct{}

	// What follows is guarded by the upstream's mu.

	// resting is the work that goes on when the keeper is woken, nil while its
	// goroutine runs. cancel ends that.
	resting *attendance
	cancel  context.CancelFunc
	// ended: the upstream is over.
	ended bool

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
		u.keeper.wakeLocked()
	case u.state != Shutdown && u.hub.needs(none, u.state == Ready):
		u.keeper = &keeper{u: u, wake: make(chan struct{}, 1), done: none}
		u.keeper.goLocked(nil)
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

// goLocked has the goroutine go on with the work on a session, nil: on none.
func (k *keeper) goLocked(a *attendance) {
	ctx, cancel := context.WithCancel(k.u.pool.closing)
	if k.cancel = cancel; k.ended {
		cancel()
	}
	k.u.pool.background.Go(func() {
		defer cancel()
		k.run(ctx, a)
	})
}

// wakeLocked says that there may be something to do.
func (k *keeper) wakeLocked() {
	if a := k.resting; a != nil {
		k.resting = nil
		k.goLocked(a)
		return
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// endLocked ends the keeper.
func (k *keeper) endLocked() {
	k.ended = true
	k.cancel()
	k.wakeLocked()
}

// lost is told that the session is over which is attended to. The goroutine sees
// that by itself.
func (k *keeper) lost() {
	k.u.mu.Lock()
	defer k.u.unlock()
	if k.resting != nil {
		k.wakeLocked()
	}
}

// leftLocked says that a session has been left. If that is over, a goroutine that
// runs sees it by itself.
func (k *keeper) leftLocked(l *Live) {
	if k.resting != nil || !l.ended() {
		k.wakeLocked()
	}
}

// leaves reports whether the goroutine may leave, since nothing is to be done.
// Somebody will wake the keeper: whoever wants something else, the session when it
// is lost or, if it is not listened to, whoever sees that, or the end of the
// upstream.
func (k *keeper) leaves(a *attendance) bool {
	k.u.mu.Lock()
	defer k.u.unlock()
	select {
	case <-k.wake:
		return false
	default:
	}
	if k.ended || a.over() {
		return false
	}
	k.resting = a
	return true
}

// run keeps the server talking until there is nothing left to do, for now or for
// good, or the upstream is over. It goes on with the work on a session, if that is
// not nil.
func (k *keeper) run(ctx context.Context, a *attendance) {
	for ctx.Err() == nil && (a != nil || !k.u.dismiss(k)) {
		if a == nil {
			live, err := k.u.acquire(ctx, false)
			if err != nil {
				k.fail(ctx, err)
				continue
			}
			// It does not hold up the end of the session as a call does.
			k.u.release(live, transport.NotSent)
			a = &attendance{keeper: k, live: live, legacy: live.Info().Era == mcp.EraLegacy, began: time.Now()}
		}
		next := k.attend(ctx, a)
		if next == workRests {
			return
		}
		a.close()
		if next == workLost {
			k.lose(ctx, time.Since(a.began))
		}
		a = nil
	}
	if a != nil {
		a.close()
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

// What becomes of the work on a session.
type progress uint8

const (
	// workDone: nothing is wanted any more, or the keeper is over.
	workDone progress = iota
	// workLost: the session is over.
	workLost
	// workRests: it goes on when the keeper is woken.
	workRests
)

// attend looks after one session for as long as there is something to do.
func (k *keeper) attend(ctx context.Context, a *attendance) progress {
	select {
	case <-k.wake: // what there was to do is done now
	default:
	}
	for ctx.Err() == nil && !a.over() {
		w := k.u.hub.wanted(a.legacy)
		again := a.apply(ctx, w)
		switch {
		case a.over():
		case again > 0:
			k.rest(ctx, a.live.Done(), again)
		case w.filter.Empty():
			k.done = w.version
			return workDone
		case k.leaves(a):
			return workRests
		}
	}
	k.done, k.missed = none, k.missed || !k.heard.Empty()
	if ctx.Err() != nil {
		return workDone
	}
	return workLost
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
