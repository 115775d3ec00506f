package mcp

import (
	"bytes"
	"encoding/json"
	"sync"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// The bounds of a cache.
const (
	maxCacheEntries = 64
	maxCacheBytes   = 8 << 20
	// maxTTL bounds how long a server is believed.
	maxTTL = time.Hour
)

// A cache keeps results for as long as the server says that they are good (spec
// 2026-07-28, server/utilities/caching). A nil cache keeps nothing.
type cache struct {
	// mu guards what follows.
	mu      sync.Mutex
	entries map[cacheKey]*entry
	bytes   int
	// epoch counts the changes that the server announced. What was asked for
	// before one is not kept after it.
	epoch uint64
}

// A cacheKey is what a result depends on. limits are those of a whole list, zero
// for anything else.
type cacheKey struct {
	method, params string
	limits         ListLimits
}

// An entry is a result that may be used again. It is not changed.
type entry struct {
	json json.RawMessage
	// next is the cursor of the page that follows.
	next *string
	// chapters are what the result says of tools.
	chapters []*chapter
	// uri is the resource that was read.
	uri string
	// until is when the entry ends; zero for what must not be kept.
	until  time.Time
	public bool
}

// result returns what callers get.
func (e *entry) result(cached bool) *Result { return &Result{JSON: e.json, Cached: cached} }

// size is that of the texts that are kept with the entry.
func (e *entry) size(key cacheKey) int {
	n := len(e.json) + len(key.params) + len(e.uri)
	for _, c := range e.chapters {
		if &c.page[0] != &e.json[0] { // not the result itself
			n += len(c.page)
		}
	}
	return n
}

// timed notes for how long, and for whom, the server lets us keep the entry. Of
// the ttl, what is absent, negative or no integer is 0; an absent scope is
// private.
func (e *entry) timed() *entry {
	if !bytes.Contains(e.json, []byte(`"ttlMs"`)) {
		return e
	}
	var ttl int64
	_ = rawjson.Object(e.json, func(key, v []byte) error {
		switch string(key) {
		case "ttlMs":
			ttl, _ = rawjson.SafeInteger(v)
		case "cacheScope":
			scope, _ := rawjson.String(v)
			e.public = scope == "public"
		}
		return nil
	})
	if ttl > 0 {
		e.until = time.Now().Add(time.Duration(min(ttl, maxTTL.Milliseconds())) * time.Millisecond)
	}
	return e
}

func (c *cache) get(key cacheKey) *entry {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	if e == nil || time.Now().Before(e.until) {
		return e
	}
	c.removeLocked(key)
	return nil
}

// now returns the epoch, for a put later.
func (c *cache) now() uint64 {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

// put keeps an entry that was asked for in the epoch.
func (c *cache) put(key cacheKey, e *entry, epoch uint64) {
	size := e.size(key)
	if c == nil || size > maxCacheBytes {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch != epoch {
		return
	}
	c.removeLocked(key)
	for len(c.entries) >= maxCacheEntries || c.bytes+size > maxCacheBytes {
		c.removeLocked(c.firstToEndLocked())
	}
	if c.entries == nil {
		c.entries = make(map[cacheKey]*entry)
	}
	c.entries[key] = e
	c.bytes += size
}

// firstToEndLocked returns the entry that is of the least use.
func (c *cache) firstToEndLocked() (first cacheKey) {
	var end time.Time
	for key, e := range c.entries {
		if end.IsZero() || e.until.Before(end) {
			first, end = key, e.until
		}
	}
	return first
}

func (c *cache) removeLocked(key cacheKey) {
	if e := c.entries[key]; e != nil {
		c.bytes -= e.size(key)
		delete(c.entries, key)
	}
}

// drop forgets the results of a method: all of them, or those about a resource.
func (c *cache) drop(method, uri string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	for key, e := range c.entries {
		if key.method == method && (uri == "" || e.uri == uri) {
			c.removeLocked(key)
		}
	}
}
