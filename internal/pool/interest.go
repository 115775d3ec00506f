package pool

import (
	"slices"
	"strings"
	"time"
)

// An interest is what one user of an upstream wants to hear from the server: a
// stream on the server's name, or a session. The hub that it is part of guards
// it.
type interest struct {
	watchers []*Watcher
	// uris are the resources to be told of.
	uris map[string]struct{}
	// level is the least severe log level that is wanted; empty: what comes.
	level string
	// stream: it is that of one watcher, and goes with it.
	stream bool
	// standing: the server may ask its questions at any time, so that a legacy
	// server must have a way to send them.
	standing bool
	// over is why nothing is wanted any more.
	over error
}

// active reports whether somebody would miss the upstream.
func (in *interest) active() bool {
	return len(in.watchers) > 0 || len(in.uris) > 0 || in.level != ""
}

// wants reports whether the watchers of the interest are to hear n.
func (in *interest) wants(n notice) bool {
	switch {
	case len(in.watchers) == 0:
		return false
	case n.kind == aboutResource:
		return in.covers(n.uri)
	case n.kind == aboutLog:
		return in.level == "" || severity(n.level) >= severity(in.level)
	}
	return true
}

// covers reports whether an update of that URI is of interest: "this might be a
// sub-resource of the one that the client actually subscribed to" (spec
// 2025-11-25, ResourceUpdatedNotification).
func (in *interest) covers(uri string) bool {
	if _, ok := in.uris[uri]; ok {
		return true
	}
	for u := range in.uris {
		if strings.HasPrefix(uri, u) {
			return true
		}
	}
	return false
}

func (in *interest) add(e Event) {
	for _, w := range in.watchers {
		w.events.Add(e, e.size())
	}
}

// publish hands v, of that many bytes, to the watchers, whatever else their queues
// hold, and returns how many there are.
func (in *interest) publish(v any, size int) (watchers int) {
	e := Event{Time: time.Now(), Own: v}
	for _, w := range in.watchers {
		if w.events.Keep(e, eventOverhead+size) {
			watchers++
		}
	}
	return watchers
}

// addURI and dropURI change the resources to be told of; dropURI reports
// whether the resource was one.
func (in *interest) addURI(uri string) {
	if in.uris == nil {
		in.uris = make(map[string]struct{}, 1)
	}
	in.uris[uri] = struct{}{}
}

func (in *interest) dropURI(uri string) bool {
	_, has := in.uris[uri]
	delete(in.uris, uri)
	return has
}

// end makes it want nothing, now and for ever, and tells the watchers why.
func (in *interest) end(err error) {
	in.over = err
	for _, w := range in.watchers {
		w.events.Close(err)
	}
	in.watchers, in.uris, in.level, in.standing = nil, nil, "", false
}

// without returns list without item, and nil for an empty list.
func without[T comparable](list []T, item T) []T {
	list = slices.DeleteFunc(list, func(other T) bool { return other == item })
	if len(list) == 0 {
		return nil
	}
	return list
}
