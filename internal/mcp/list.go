package mcp

import (
	"context"
	"errors"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// ListLimits bound a walk over all pages of a list. Zero fields take the
// default.
type ListLimits struct {
	// Pages bounds the pages. Default 100.
	Pages int
	// Items bounds the items of all pages. Default 10,000.
	Items int
	// Bytes bounds the JSON text of all pages. Default 32 MiB.
	Bytes int
}

// WithDefaults returns l with the defaults in place of zeros.
func (l ListLimits) WithDefaults() ListLimits {
	if l.Pages <= 0 {
		l.Pages = 100
	}
	if l.Items <= 0 {
		l.Items = 10_000
	}
	if l.Bytes <= 0 {
		l.Bytes = 32 << 20
	}
	return l
}

// ListPage gets one page of a list. A nil cursor asks for the first. It returns
// the cursor of the next page, nil if this was the last.
func (s *Session) ListPage(ctx context.Context, l List, cursor *string, meta []byte) (page *Result, next *string, err error) {
	params := l.params(cursor)
	key := cacheKey{method: l.method, params: string(params)}
	caches := s.caches(meta)
	if caches {
		if e := s.recallList(key); e != nil {
			return e.result(true), e.next, nil
		}
	}
	saver := s.saver()
	e, err := s.fetchPage(ctx, l, cursor, meta)
	if err != nil {
		return nil, nil, err
	}
	if caches {
		saver.keep(key, e)
	}
	return e.result(false), e.next, nil
}

// fetchPage gets one page from the server.
func (s *Session) fetchPage(ctx context.Context, l List, cursor *string, meta []byte) (*entry, error) {
	if l.method == methodTasksList && (s.era().kind() == EraModern || !s.declaresTasks("list")) {
		return nil, &UnsupportedError{What: methodTasksList}
	}
	r, err := s.Call(ctx, &Call{Method: l.method, Params: l.params(cursor), Meta: meta})
	if err != nil {
		if cursor != nil && invalidParams(err) { // a page that led to this cursor is not good any more
			s.forget(l.method, "")
		}
		return nil, err
	}
	ok, next := l.read(r.JSON)
	if !ok {
		return nil, &ResultError{Method: l.method, Problem: "it has no list of " + l.Member}
	}
	e := &entry{json: r.JSON, next: next}
	if l.method == methodToolsList {
		var c *chapter
		e.json, c = s.study(r.JSON)
		e.chapters = []*chapter{c}
	}
	return e.timed(), nil
}

// recallList returns a list that is known already, nil if it is not.
func (s *Session) recallList(key cacheKey) *entry {
	e := s.recall(key)
	if e != nil && e.public { // another session may have seen it
		s.book.add(e.chapters...)
	}
	return e
}

// read reports whether a page has a list, and returns the cursor of the next
// page. Only an absent cursor or null ends a list; an empty one is a cursor (spec
// 2026-07-28, server/utilities/pagination).
func (l List) read(page []byte) (ok bool, next *string) {
	var cursor []byte
	_ = rawjson.Object(page, func(key, v []byte) error {
		switch string(key) {
		case l.Member:
			ok = v[0] == '['
		case "nextCursor":
			cursor = v
		}
		return nil
	})
	if text, err := rawjson.String(cursor); err == nil {
		next = &text
	}
	return ok, next
}

// ListAll walks a list from its beginning to its end and returns it as if it
// had come on one page.
func (s *Session) ListAll(ctx context.Context, l List, meta []byte, limits ListLimits) (*Result, error) {
	limits = limits.WithDefaults()
	key := cacheKey{method: l.method, params: "all", limits: limits}
	caches := s.caches(meta)
	if caches {
		if e := s.recallList(key); e != nil {
			return e.result(true), nil
		}
	}
	saver := s.saver()
	e, err := s.walk(ctx, l, meta, limits)
	if err != nil {
		return nil, err
	}
	if caches {
		saver.keep(key, e)
	}
	return e.result(false), nil
}

func (s *Session) walk(ctx context.Context, l List, meta []byte, limits ListLimits) (*entry, error) {
	w := walk{list: l, limits: limits, cursors: make(map[string]bool), names: make(map[string]bool)}
	var cursor *string
	for {
		page, err := s.fetchPage(ctx, l, cursor, meta)
		if err != nil && s.leaked(cursor, err) {
			return w.entry(), nil
		}
		if err == nil {
			err = w.take(page)
		}
		switch {
		case err != nil:
			return nil, err
		case page.next == nil || s.leaked(page.next, nil) && w.cursors[*page.next]:
			return w.entry(), nil
		case w.cursors[*page.next]:
			return nil, &ResultError{Method: l.method, Problem: "the same cursor came twice"}
		}
		w.cursors[*page.next] = true
		cursor = page.next
	}
}

// leaked reports whether an empty cursor of a legacy server was meant to be
// none: many leave their zero value in. It is followed once, and the list ends
// there if that is refused or leads back.
func (s *Session) leaked(cursor *string, err error) bool {
	if s.Info().Era != EraLegacy || cursor == nil || *cursor != "" {
		return false
	}
	return err == nil || invalidParams(err)
}

func invalidParams(err error) bool {
	var je *jsonrpc.Error
	return errors.As(err, &je) && je.Code == jsonrpc.CodeInvalidParams
}
