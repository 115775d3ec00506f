package pool

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

// A hub tells those who are interested in an upstream what happens to it. None
// of its methods waits for anybody.
type hub struct {
	// mixed: principals share the upstream, so what one of them has caused is
	// not for the others.
	mixed bool

	// mu guards what follows. It is held after an Upstream's, and before a
	// queue's.
	mu        sync.Mutex
	interests []*interest
	// tasks are those that a modern server is to report on, in the order in which
	// they were begun.
	tasks []string
	// version counts the changes of what is wanted.
	version int64
	// outcome is what has become of it last, nil: nothing yet; settled is closed
	// with the next.
	outcome *outcome
	settled chan struct{}
	// over is why the hub has ended.
	over error
}

// A want is all that the interests in an upstream come to.
type want struct {
	version int64
	filter  mcp.Filter
	// level is the least severe log level of all; empty: none was asked for.
	level string
}

// wanted returns what is wanted of a server of that era.
func (h *hub) wanted(legacy bool) want {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := want{version: h.version}
	uris := make(map[string]struct{})
	for _, in := range h.interests {
		// On a legacy server the way for questions is that for notifications.
		if len(in.watchers) > 0 || in.standing && legacy {
			w.filter.Tools, w.filter.Prompts, w.filter.Resources = true, true, true
		}
		maps.Copy(uris, in.uris)
		w.level = lower(w.level, in.level)
	}
	w.filter.URIs = slices.Sorted(maps.Keys(uris))
	if !legacy {
		w.filter.Tasks = h.reportsLocked()
	}
	return w
}

// active reports whether somebody would miss the upstream.
func (h *hub) active() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, in := range h.interests {
		if in.active() {
			return true
		}
	}
	return false
}

// needs reports whether a keeper has something to do beyond that version: what
// the server sends unasked is worth a connection, a log level or a way for its
// questions is not.
func (h *hub) needs(done int64, ready bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.version == done {
		return false
	}
	for _, in := range h.interests {
		if len(in.watchers) > 0 || len(in.uris) > 0 || ready && (in.standing || in.level != "") {
			return true
		}
	}
	return false
}

// update changes an interest, which is part of the hub afterwards if there is
// anything to it. change reports whether it has changed anything. The version
// is that of what is wanted then.
func (h *hub) update(in *interest, change func() bool) (version int64, changed bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.over != nil:
		return 0, false, h.over
	case in.over != nil:
		return 0, false, in.over
	}
	if !change() {
		return h.version, false, nil
	}
	switch {
	case !in.active() && !in.standing:
		h.interests = without(h.interests, in)
	case !slices.Contains(h.interests, in):
		h.interests = append(h.interests, in)
	}
	h.version++
	return h.version, true, nil
}

// notify hands on what the server sent and no call wants, and reports whether
// anybody hears it.
func (h *hub) notify(msg jsonrpc.Message) bool {
	n := read(msg)
	h.mu.Lock()
	defer h.mu.Unlock()
	if msg.Method == notifyTask {
		h.unfollowLocked(msg.Params)
	}
	var e *Event
	for _, in := range h.interests {
		if h.mixed && n.private() || !in.wants(n) {
			continue
		}
		if e == nil {
			own := msg.CloneNotification()
			e = &Event{Time: time.Now(), Notification: &own}
		}
		in.add(*e)
	}
	return e != nil
}

// emit tells all watchers.
func (h *hub) emit(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, in := range h.interests {
		in.add(e)
	}
}

// wantConsent tells the watchers that err ended something for want of a person's
// consent, which is nobody's business but the principal's.
func (h *hub) wantConsent(err error) {
	if !h.mixed {
		h.emit(Event{Time: time.Now(), Consent: err})
	}
}

// assume tells the watchers what may have changed of what was listened for.
func (h *hub) assume(heard mcp.Filter) {
	now := time.Now()
	assumed := func(method, uri string) Event {
		return Event{Time: now, Assumed: &Assumed{Method: method, URI: uri}}
	}
	var lists []Event
	for method, is := range map[string]bool{notifyTools: heard.Tools, notifyPrompts: heard.Prompts, notifyResources: heard.Resources} {
		if is {
			lists = append(lists, assumed(method, ""))
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, in := range h.interests {
		for _, e := range lists {
			in.add(e)
		}
		for _, uri := range heard.URIs {
			if in.covers(uri) {
				in.add(assumed(notifyUpdated, uri))
			}
		}
	}
}

// gap tells the watchers that events may have been missed.
func (h *hub) gap() {
	h.mu.Lock()
	heard := h.lastLocked().granted
	h.mu.Unlock()
	h.assume(heard)
}

// end tells the watchers that it is over, and why.
func (h *hub) end(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over != nil {
		return
	}
	h.over = err
	for _, in := range h.interests {
		in.end(err)
	}
	h.interests = nil
	h.wakeLocked()
}
