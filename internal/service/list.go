package service

import (
	"context"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
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
	if g, err := s.group(ctx, req.GetTarget()); g != nil || err != nil {
		if err == nil {
			err = s.listGroup(ctx, g, req, resp)
		}
		return nil, err
	}
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
	if generation != 0 {
		ctx = pool.OnGeneration(ctx, generation)
	}
	var next *string
	out, err := s.do(ctx, &call{target: req.GetTarget()}, func(ctx context.Context, live *pool.Live) error {
		if generation != 0 && generation != live.Generation {
			return &fieldError{Field: "cursor", Problem: "belongs to a connection that is gone; begin again without a cursor"}
		}
		var page *mcp.Result
		var err error
		if req.GetAll() {
			page, err = live.ListAll(ctx, l, meta, s.opts.Lists)
		} else {
			page, next, err = live.ListPage(ctx, l, from, meta)
		}
		if err != nil {
			return err
		}
		return s.seal(&call{}, resp, &mcp.Result{JSON: s.visible(ctx, live.Server, l, page.JSON)}, req.GetJsonFormat())
	})
	if err != nil {
		return nil, err
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
	case *mcpbridgev1.ListTasksRequest:
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
