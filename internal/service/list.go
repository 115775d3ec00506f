package service

import (
	"context"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

// A listRequest is what the requests for lists have in common.
type listRequest interface {
	GetTarget() string
	GetCursor() string
	GetAll() bool
	GetMeta() *structpb.Struct
	GetMetaJson() string
	GetJsonFormat() mcpbridgev1.JsonFormat
}

// list gets one page of a list, or all of them, into resp. It returns the
// cursor of the next page, nil if there is none.
func (s *Service) list(ctx context.Context, l mcp.List, req listRequest, resp proto.Message) (*string, error) {
	cursor, metaJSON := listTwins(req)
	meta, err := s.object("meta", req.GetMeta(), metaJSON)
	if err != nil {
		return nil, err
	}
	if req.GetAll() && cursor != nil {
		return nil, &fieldError{Field: "cursor", Problem: "is not for use with all, which begins at the beginning"}
	}
	generation, from, err := parseCursor(cursor)
	if err != nil {
		return nil, err
	}
	var next *string
	out, err := s.do(ctx, call{target: req.GetTarget()}, func(ctx context.Context, session *mcp.Session) error {
		proto.Reset(resp) // an attempt before this one may have left pages
		add := func(page []byte) error { return s.seal(resp, page, req.GetJsonFormat()) }
		if req.GetAll() {
			return session.ListAll(ctx, l, meta, s.opts.Lists, add)
		}
		next, err = session.ListPage(ctx, l, from, meta, add)
		return err
	})
	if err != nil {
		return nil, err
	}
	if generation != 0 && generation != out.Generation {
		return nil, &fieldError{Field: "cursor", Problem: "belongs to a connection that is gone; begin again without a cursor"}
	}
	return formatCursor(out.Generation, next), nil
}

// listTwins returns the optional texts of a request, whose getters cannot tell
// absent from empty.
func listTwins(req listRequest) (cursor, metaJSON *string) {
	switch r := req.(type) {
	case *mcpbridgev1.ListToolsRequest:
		return r.Cursor, r.MetaJson
	case *mcpbridgev1.ListResourcesRequest:
		return r.Cursor, r.MetaJson
	case *mcpbridgev1.ListResourceTemplatesRequest:
		return r.Cursor, r.MetaJson
	case *mcpbridgev1.ListPromptsRequest:
		return r.Cursor, r.MetaJson
	}
	return nil, nil
}

// Cursors belong to the session that a server gave them in, so the ones that
// callers see name its generation: "7:..." for the server's "...".

func formatCursor(generation int64, cursor *string) *string {
	if cursor == nil {
		return nil
	}
	return proto.String(strconv.FormatInt(generation, 10) + ":" + *cursor)
}

func parseCursor(cursor *string) (generation int64, server *string, err error) {
	if cursor == nil {
		return 0, nil, nil
	}
	prefix, rest, ok := strings.Cut(*cursor, ":")
	generation, bad := strconv.ParseInt(prefix, 10, 64)
	if !ok || bad != nil || generation <= 0 {
		return 0, nil, &fieldError{Field: "cursor", Problem: "is not one that was returned as next_cursor"}
	}
	return generation, &rest, nil
}
