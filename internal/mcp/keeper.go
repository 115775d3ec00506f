package mcp

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

var errUnwanted = errors.New("the subscription is not wanted any more")

// endGrace bounds how long the end of a subscription on a shared stream is
// waited for. Servers need not confirm it, and those that do are quick.
const endGrace = 500 * time.Millisecond

// A keeper keeps one subscription with a modern server open: when it ends, the
// keeper opens it again, and calls gap then, since what happened in between is
// lost. It has one goroutine, which ends with the keeper or with the session.
type keeper struct {
	session *Session
	want    Filter
	gap     func()
	// first gets what became of the first opening.
	first chan error
	// granted is what the server granted last, nil before the first opening.
	granted atomic.Pointer[Filter]
	// id is that of the request that is open, 0 while there is none.
	id atomic.Int64
	// unwanted is closed when the subscription shall end, done when the goroutine
	// has.
	unwanted, done chan struct{}
	cancel         context.CancelCauseFunc
}

func (s *Session) newKeeper(want Filter, gap func()) *keeper {
	k := &keeper{
		session: s, want: want, gap: gap,
		first: make(chan error, 1), unwanted: make(chan struct{}), done: make(chan struct{}),
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	k.cancel = cancel
	if !s.spawn(func() { k.run(ctx) }) {
		cancel(nil)
		k.first <- s.closedError()
		close(k.done)
	}
	return k
}

// open waits for the first opening. If that fails, nothing is left of the
// keeper.
func (k *keeper) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, k.session.opts.InitializeTimeout, errSilent)
	defer cancel()
	select {
	case err := <-k.first:
		return err
	case <-ctx.Done():
		k.end()
		return canceled(ctx)
	}
}

func (k *keeper) run(ctx context.Context) {
	defer close(k.done)
	defer k.cancel(nil)
	began := time.Now()
	acknowledged, err := k.listen(ctx, func() { k.first <- nil })
	if !acknowledged {
		k.first <- err
		return
	}
	var pause reopening
	for k.pause(ctx, pause.wait(time.Since(began), err)) {
		began = time.Now()
		_, err = k.listen(ctx, func() { k.session.spawn(k.gap) })
		switch {
		case refused(err):
			k.session.opts.Logger.Warn("subscription not opened again", "error", err)
			k.gap()
			return
		case k.granted.Load().Empty():
			k.session.opts.Logger.Warn("subscription not opened again: the server grants nothing any more")
			return
		}
	}
}

// listen opens the subscription once, and returns when it is over.
func (k *keeper) listen(ctx context.Context, acknowledged func()) (bool, error) {
	id := k.session.nextID.Add(1)
	k.id.Store(id)
	defer k.id.Store(0)
	select {
	case <-k.unwanted: // end may have seen no id to cancel
		return false, errUnwanted
	default:
	}
	return k.session.subscribe(ctx, id, k.want, func(granted Filter) {
		k.granted.Store(&granted)
		acknowledged()
	})
}

// pause waits before the subscription is opened again, and reports whether it
// shall be.
func (k *keeper) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-k.unwanted:
	case <-ctx.Done():
	case <-k.session.Done():
	}
	return false
}

// refused reports whether a server that took the subscription once will not
// take it again. Over a limit it will, when it has noticed the end of what
// counts against it.
func refused(err error) bool {
	var je *jsonrpc.Error
	if !errors.As(err, &je) {
		return false
	}
	switch je.Code {
	case jsonrpc.CodeMethodNotFound, jsonrpc.CodeInvalidParams, codeMissingCapability:
		return true
	}
	return false
}

// overLimit reports whether the server has as many subscriptions as it wants.
func overLimit(err error) bool {
	var je *jsonrpc.Error
	return errors.As(err, &je) && je.Code == jsonrpc.CodeInternalError && strings.Contains(strings.ToLower(je.Message), "limit")
}

// ended reports whether the subscription is over for good.
func (k *keeper) ended() bool {
	select {
	case <-k.done:
		return true
	default:
		return false
	}
}

// end ends the subscription and the keeper. Over HTTP the end of the stream says
// it to the server; elsewhere it is told, and given time to confirm it.
func (k *keeper) end() {
	close(k.unwanted)
	if id := k.id.Load(); id != 0 && k.session.era().cancels() {
		k.session.cancel(context.Background(), id, errUnwanted)
		grace := time.NewTimer(endGrace)
		defer grace.Stop()
		select {
		case <-k.done:
		case <-grace.C:
		}
	}
	k.cancel(errUnwanted)
	<-k.done
}
