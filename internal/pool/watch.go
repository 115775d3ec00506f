package pool

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/queue"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// A Watcher gets the events of a target from when it began. Next is for one
// goroutine at a time; the other methods may be called concurrently. Whoever
// began it closes it. While it is open, its target counts as used.
type Watcher struct {
	events  *queue.Queue[Event]
	status  Status
	granted []string
	// leave ends it; once sees to it that it does so once.
	leave func()
	once  sync.Once
}

// errWatchClosed is what Next returns after Close.
var errWatchClosed = errors.New("the watcher is closed")

// Next waits for an event. A reader that is too slow misses events, and is told
// how many and where. Its error is the cause of ctx's end, or why there will be
// no more events: [*NotFoundError], [*StateLostError], [ErrClosed] or
// [queue.ErrSlow].
func (w *Watcher) Next(ctx context.Context) (Event, error) {
	e, dropped, err := w.events.Next(ctx)
	if dropped > 0 {
		return Event{Time: time.Now(), Dropped: dropped}, nil
	}
	return e, err
}

// Granted returns the resources that the server reports on, sorted, as it was
// when the watcher began.
func (w *Watcher) Granted() []string { return w.granted }

// Status returns the state of the upstream when the watcher began.
func (w *Watcher) Status() Status { return w.status }

// Close ends the watcher. Only the first call counts.
func (w *Watcher) Close() { w.once.Do(w.leave) }

// Watch implements [Target].
func (u *Upstream) Watch(ctx context.Context, uris []string) (*Watcher, error) {
	in := &interest{stream: true, uris: make(map[string]struct{}, len(uris))}
	for _, uri := range uris {
		in.uris[uri] = struct{}{}
	}
	return u.watch(ctx, in)
}

// watch adds a watcher to an interest, connecting if need be.
func (u *Upstream) watch(ctx context.Context, in *interest) (*Watcher, error) {
	live, err := u.acquire(ctx, false)
	if err != nil {
		return nil, u.wrap(err, transport.NotSent, 1)
	}
	defer u.release(live, transport.NotSent)
	w := &Watcher{events: queue.New[Event](queue.DefaultItems, queue.DefaultBytes)}
	w.leave = func() { u.unwatch(in, w) }
	version, err := u.admit(in, w)
	if err != nil {
		return nil, err
	}
	// A server that takes its time over it is watched all the same. The time is no
	// context's: one that is made of ctx would leave something behind in it, for as
	// long as the watcher lasts.
	timer := time.NewTimer(u.pool.opts.ConnectTimeout)
	defer timer.Stop()
	out, err := u.hub.waitUntil(ctx, version, timer.C)
	if err != nil {
		w.Close()
		return nil, err
	}
	w.granted = u.grant(in, out)
	return w, nil
}

// admit adds the watcher, and notes the state that its first event follows.
func (u *Upstream) admit(in *interest, w *Watcher) (version int64, err error) {
	u.mu.Lock()
	defer u.unlock()
	u.noticeLocked()
	w.status = u.statusLocked()
	return u.changeLocked(in, func() bool {
		in.watchers = append(in.watchers, w)
		return true
	})
}

// unwatch takes the watcher back, and what is wanted for it alone.
func (u *Upstream) unwatch(in *interest, w *Watcher) {
	w.events.Close(errWatchClosed)
	u.amend(in, func() bool {
		in.watchers = without(in.watchers, w)
		if in.stream {
			in.uris = nil
		}
		return true
	})
}

// grant returns which resources of the interest the server reports on. What it
// refuses to a stream is not asked for again.
func (u *Upstream) grant(in *interest, out outcome) (granted []string) {
	u.amend(in, func() (changed bool) {
		for uri := range in.uris {
			switch {
			case slices.Contains(out.granted.URIs, uri):
				granted = append(granted, uri)
			case in.stream && out.final:
				delete(in.uris, uri)
				changed = true
			}
		}
		return changed
	})
	slices.Sort(granted)
	return granted
}
