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

// ListPage gets one page of a list and passes its result to add. It returns the
// cursor of the next page, nil if this was the last.
func (s *Session) ListPage(ctx context.Context, l List, cursor *string, meta []byte, add func(page []byte) error) (next *string, err error) {
	c := l.Page(cursor)
	c.Meta = meta
	result, err := s.Call(ctx, c)
	if err != nil {
		return nil, err
	}
	if items := rawjson.Get(result.JSON, l.Member); len(items) == 0 || items[0] != '[' {
		return nil, &ResultError{Method: c.Method, Problem: "it has no list of " + l.Member}
	}
	return nextCursor(result.JSON), add(result.JSON)
}

// nextCursor: only an absent cursor or null ends a list; an empty one is a
// cursor (spec 2026-07-28, server/utilities/pagination).
func nextCursor(result []byte) *string {
	cursor, err := rawjson.String(rawjson.Get(result, "nextCursor"))
	if err != nil {
		return nil
	}
	return &cursor
}

// ListAll walks a list from its beginning to its end and passes each page to
// add.
func (s *Session) ListAll(ctx context.Context, l List, meta []byte, limits ListLimits, add func(page []byte) error) error {
	w := walk{limits: limits.WithDefaults(), member: l.Member, seen: make(map[string]bool), add: add}
	var cursor *string
	for {
		next, err := s.ListPage(ctx, l, cursor, meta, w.page)
		switch {
		case err != nil && s.leaked(cursor, err):
			return nil
		case err != nil:
			return err
		case next == nil || s.leaked(next, nil) && w.seen[*next]:
			return nil
		case w.seen[*next]:
			return &ResultError{Method: l.method, Problem: "the same cursor came twice"}
		}
		w.seen[*next] = true
		cursor = next
	}
}

// leaked reports whether an empty cursor of a legacy server was meant to be
// none: many leave their zero value in. It is followed once, and the list ends
// there if that is refused or leads back.
func (s *Session) leaked(cursor *string, err error) bool {
	if s.info.Era != EraLegacy || cursor == nil || *cursor != "" {
		return false
	}
	var je *jsonrpc.Error
	return err == nil || errors.As(err, &je) && je.Code == jsonrpc.CodeInvalidParams
}

// A walk counts what comes in against the limits.
type walk struct {
	limits              ListLimits
	member              string
	seen                map[string]bool
	pages, items, bytes int
	add                 func(page []byte) error
}

func (w *walk) page(result []byte) error {
	w.pages++
	w.bytes += len(result)
	err := rawjson.Array(rawjson.Get(result, w.member), func([]byte) error {
		w.items++
		return nil
	})
	switch {
	case err != nil:
		return err
	case w.pages > w.limits.Pages:
		return &LimitError{Limit: "limits.list_pages", Max: int64(w.limits.Pages)}
	case w.items > w.limits.Items:
		return &LimitError{Limit: "limits.list_items", Max: int64(w.limits.Items)}
	case w.bytes > w.limits.Bytes:
		return &LimitError{Limit: "limits.list_bytes", Max: int64(w.limits.Bytes)}
	}
	return w.add(result)
}
