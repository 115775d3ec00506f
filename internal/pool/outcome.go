package pool

import (
	"context"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

// An outcome is what the server made of what was wanted.
type outcome struct {
	// version is what was wanted then.
	version int64
	// granted is what is listened for.
	granted mcp.Filter
	// err is why it is not all that was wanted; final: asking again does not
	// help.
	err   error
	final bool
	// levelErr is why the log level was not set.
	levelErr error
}

// settle notes what has become of what was wanted, and tells those who wait.
func (h *hub) settle(o outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.outcome = &o
	h.wakeLocked()
}

// abandon settles what nobody looks after: err is why.
func (h *hub) abandon(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lastLocked().version < h.version {
		h.outcome = &outcome{version: h.version, err: err, levelErr: err}
		h.wakeLocked()
	}
}

// lastLocked returns what has become of what was wanted last.
func (h *hub) lastLocked() outcome {
	if h.outcome == nil {
		return outcome{}
	}
	return *h.outcome
}

func (h *hub) wakeLocked() {
	if h.settled != nil {
		close(h.settled)
		h.settled = nil
	}
}

// wait returns what has become of that version of what is wanted, or of a later
// one. It fails only if ctx or the hub ends first.
func (h *hub) wait(ctx context.Context, version int64) (outcome, error) {
	return h.waitUntil(ctx, version, nil)
}

// waitUntil is wait, but when due says that the time is over, what there is will
// do. It is not final then: the server has yet to say something of that version.
func (h *hub) waitUntil(ctx context.Context, version int64, due <-chan time.Time) (outcome, error) {
	for {
		h.mu.Lock()
		o, over := h.lastLocked(), h.over
		if over == nil && o.version < version && h.settled == nil {
			h.settled = make(chan struct{})
		}
		settled := h.settled
		h.mu.Unlock()
		switch {
		case over != nil:
			return o, over
		case o.version >= version:
			return o, nil
		}
		select {
		case <-settled:
		case <-due:
			o.final = false
			return o, nil
		case <-ctx.Done():
			return o, context.Cause(ctx)
		}
	}
}
