package mcp

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// A walk puts the pages of a list together, within limits.
type walk struct {
	list    List
	limits  ListLimits
	cursors map[string]bool
	names   map[string]bool

	pages, bytes int
	// items is the text of the array so far, without its end.
	items []byte
	count int
	// rest is the text of the first page's other members, with a comma before
	// each.
	rest []byte
	// ttl and scope are the shortest and the narrowest of any page; a page that
	// says nothing may not be cached at all.
	ttl     float64
	public  bool
	noCache bool
	// until is when the first of the pages ends, chapters what they say of tools.
	until    time.Time
	chapters []*chapter
}

// take adds a page that has come.
func (w *walk) take(e *entry) error {
	if w.pages == 0 || e.until.Before(w.until) {
		w.until = e.until
	}
	w.chapters = append(w.chapters, e.chapters...)
	return w.add(e.json)
}

// entry is the whole list, to be kept.
func (w *walk) entry() *entry {
	return &entry{json: w.result().JSON, chapters: w.chapters, until: w.until, public: w.public}
}

// add adds one page.
func (w *walk) add(page []byte) error {
	w.pages++
	w.bytes += len(page)
	switch {
	case w.pages > w.limits.Pages:
		return &LimitError{Limit: "limits.list_pages", Max: int64(w.limits.Pages)}
	case w.bytes > w.limits.Bytes:
		return &LimitError{Limit: "limits.list_bytes", Max: int64(w.limits.Bytes)}
	}
	if w.pages == 1 {
		w.items, w.ttl, w.public = []byte{'['}, math.MaxInt64, true
	}
	w.caching(page)
	return rawjson.Object(page, func(key, v []byte) error {
		switch string(key) {
		case w.list.Member:
			return rawjson.Array(v, w.item)
		case "nextCursor", "ttlMs", "cacheScope":
		default:
			if w.pages == 1 {
				w.rest = append(rawjson.AppendString(append(w.rest, ','), key), ':')
				w.rest = append(w.rest, v...)
			}
		}
		return nil
	})
}

// item adds one item. An item that stands on two pages, because the list moved
// in between, is kept once.
func (w *walk) item(v []byte) error {
	if name := w.list.name(v); name != "" {
		if w.names[name] {
			return nil
		}
		w.names[name] = true
	}
	if w.count++; w.count > w.limits.Items {
		return &LimitError{Limit: "limits.list_items", Max: int64(w.limits.Items)}
	}
	if len(w.items) > 1 {
		w.items = append(w.items, ',')
	}
	w.items = append(w.items, v...)
	return nil
}

// caching notes for how long, and for whom, the page may be cached.
func (w *walk) caching(page []byte) {
	ttl, err := strconv.ParseFloat(string(rawjson.Get(page, "ttlMs")), 64)
	if err != nil {
		w.noCache = true
	}
	w.ttl = min(w.ttl, ttl)
	scope, _ := rawjson.String(rawjson.Get(page, "cacheScope"))
	w.public = w.public && scope == "public"
}

// result is the whole list.
func (w *walk) result() *Result {
	b := append([]byte{'{'}, rawjson.AppendString(nil, w.list.Member)...)
	b = append(b, ':')
	b = append(append(b, w.items...), ']')
	b = append(b, w.rest...)
	if !w.noCache {
		scope := "private"
		if w.public {
			scope = "public"
		}
		b = append(b, `,"ttlMs":`...)
		b = strconv.AppendFloat(b, w.ttl, 'f', -1, 64)
		b = append(b, `,"cacheScope":"`+scope+`"`...)
	}
	return &Result{JSON: json.RawMessage(append(b, '}'))}
}

// name is what tells the items of a list apart; empty if the item has none.
func (l List) name(item []byte) string {
	if len(item) == 0 || item[0] != '{' {
		return ""
	}
	name, _ := rawjson.String(rawjson.Get(item, l.key))
	return name
}
