package service

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/group"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// listGroup puts what the members of a group have into resp, all on one page.
func (s *Service) listGroup(ctx context.Context, g *group.Group, req listRequest, resp proto.Message) error {
	cursor, metaJSON := listTwins(req)
	if cursor != nil {
		return groupCursorError()
	}
	if req.GetMeta() != nil || metaJSON != nil {
		// The names of the group hang on what its members list to it.
		return &unsupportedError{What: "the field meta on a group"}
	}
	ctx, cancel, _, err := s.bound(ctx, limit{}, 0)
	if err != nil {
		return err
	}
	defer cancel()
	k := listed(resp)
	items, missing, err := g.List(ctx, k)
	if err != nil {
		return (&call{target: req.GetTarget()}).failed(err)
	}
	items = s.visibleItems(ctx, k, items)
	if err := convert.Into(resp, listText(k, items), req.GetJsonFormat()); err != nil {
		return fmt.Errorf("put the lists of the members together: %w", err)
	}
	setOrigins(resp, items)
	setMissing(resp, missingMembers(missing))
	return s.checkSize(resp)
}

// groupCursorError: there is no page but the first.
func groupCursorError() error {
	return &fieldError{Field: "cursor", Problem: "is not for groups, which answer with everything"}
}

// visibleItems leaves out the tools that the caller may not use, and what is of a
// server that it may not use any more.
func (s *Service) visibleItems(ctx context.Context, k group.Kind, items []group.Item) []group.Item {
	servers := make(map[string]*pool.Server)
	return slices.DeleteFunc(items, func(it group.Item) bool {
		server, known := servers[it.Member.Target]
		if !known {
			if t, err := s.target(ctx, it.Member.Target); err == nil {
				server = t.Server()
			}
			servers[it.Member.Target] = server
		}
		return server == nil || k == group.Tools && s.allowTool(ctx, server, it.Own) != nil
	})
}

// listed says which list a response holds.
func listed(resp proto.Message) group.Kind {
	switch resp.(type) {
	case *mcpbridgev1.ListResourcesResponse:
		return group.Resources
	case *mcpbridgev1.ListResourceTemplatesResponse:
		return group.Templates
	case *mcpbridgev1.ListPromptsResponse:
		return group.Prompts
	}
	return group.Tools
}

// listText is the text of the items as a server would give it.
func listText(k group.Kind, items []group.Item) []byte {
	list, _ := listOf(k)
	size := len(list.Member) + 8
	for _, it := range items {
		size += len(it.JSON) + 1
	}
	b := append(rawjson.AppendString(append(make([]byte, 0, size), '{'), list.Member), ":["...)
	for i, it := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, it.JSON...)
	}
	return append(b, "]}"...)
}

// setOrigins says of each item where it comes from.
func setOrigins(resp proto.Message, items []group.Item) {
	origin := func(i int) *mcpbridgev1.Origin {
		return &mcpbridgev1.Origin{Member: items[i].Member.Name, Target: items[i].Member.Target, Name: items[i].Own}
	}
	switch resp := resp.(type) {
	case *mcpbridgev1.ListToolsResponse:
		for i, it := range resp.GetTools() {
			it.Origin = origin(i)
		}
	case *mcpbridgev1.ListResourcesResponse:
		for i, it := range resp.GetResources() {
			it.Origin = origin(i)
		}
	case *mcpbridgev1.ListResourceTemplatesResponse:
		for i, it := range resp.GetResourceTemplates() {
			it.Origin = origin(i)
		}
	case *mcpbridgev1.ListPromptsResponse:
		for i, it := range resp.GetPrompts() {
			it.Origin = origin(i)
		}
	}
}

func setMissing(resp proto.Message, missing []*mcpbridgev1.MissingMember) {
	switch resp := resp.(type) {
	case *mcpbridgev1.ListToolsResponse:
		resp.Missing = missing
	case *mcpbridgev1.ListResourcesResponse:
		resp.Missing = missing
	case *mcpbridgev1.ListResourceTemplatesResponse:
		resp.Missing = missing
	case *mcpbridgev1.ListPromptsResponse:
		resp.Missing = missing
	}
}

func missingMembers(missing []group.Missing) []*mcpbridgev1.MissingMember {
	var all []*mcpbridgev1.MissingMember
	for _, m := range missing {
		all = append(all, &mcpbridgev1.MissingMember{
			Member: m.Member.Name, Target: m.Member.Target, Failure: failureOf(&pool.Failure{Time: time.Now(), Err: m.Err}),
		})
	}
	return all
}
