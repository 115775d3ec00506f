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
	c := l.Page(cursor)
	c.Meta = meta
	page, err = s.Call(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	if items := rawjson.Get(page.JSON, l.Member); len(items) == 0 || items[0] != '[' {
		return nil, nil, &ResultError{Method: c.Method, Problem: "it has no list of " + l.Member}
	}
	return page, nextCursor(page.JSON), nil
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

// ListAll walks a list from its beginning to its end and returns it as if it
// had come on one page.
func (s *Session) ListAll(ctx context.Context, l List, meta []byte, limits ListLimits) (*Result, error) {
	w := walk{list: l, limits: limits.WithDefaults(), cursors: make(map[string]bool), names: make(map[string]bool)}
	var cursor *string
	for {
		page, next, err := s.ListPage(ctx, l, cursor, meta)
		if err != nil && s.leaked(cursor, err) {
			return w.result(), nil
		}
		if err == nil {
			err = w.add(page.JSON)
		}
		switch {
		case err != nil:
			return nil, err
		case next == nil || s.leaked(next, nil) && w.cursors[*next]:
			return w.result(), nil
		case w.cursors[*next]:
			return nil, &ResultError{Method: l.method, Problem: "the same cursor came twice"}
		}
		w.cursors[*next] = true
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
