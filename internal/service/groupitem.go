package service

import (
	"context"

	"github.com/mcpbridge/mcpbridge/internal/group"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

// An item is what a call is about, by which a group knows the member that it
// goes to.
type item struct {
	kind group.Kind
	// name is that of a tool or prompt. Empty: it is about a resource.
	name string
	// uri is that of a resource, a template, or the name of a resource; member is
	// the member that the caller names, empty if it names none.
	uri, member string
	// task is the id of a task at the member; empty: it is about none.
	task string
}

// aim finds the target of an operation: in a group that of the member that has
// the item, as which it is asked for from now on.
func (s *Service) aim(ctx context.Context, op *operation) (target, error) {
	own, placed, err := s.place(ctx, &op.call, op.item)
	if err != nil {
		return target{}, err
	}
	if placed {
		op.request.Rename(own)
		if op.tool != "" {
			op.tool = own
		}
	}
	return s.target(ctx, op.target)
}

// place finds the member of a group that a call goes to, and makes that the
// call's target. own is the item's name there. A target that is no group stays as
// it is; naming a member is for groups.
func (s *Service) place(ctx context.Context, c *call, it item) (own string, placed bool, err error) {
	g, err := s.group(ctx, c.target)
	switch {
	case err != nil:
		return "", false, err
	case g == nil && it.member != "" && c.member == "":
		return "", false, &fieldError{Field: "member", Problem: "is for groups"}
	case g == nil:
		return "", false, nil
	}
	bounded, cancel, _, err := s.bound(ctx, c.limit, 0)
	if err != nil {
		return "", false, err
	}
	defer cancel()
	var m group.Member
	if it.name != "" {
		m, own, err = g.Route(bounded, it.kind, it.name)
	} else {
		m, own, err = g.RouteURI(bounded, it.uri, it.member)
	}
	if err != nil {
		return "", false, c.failed(err)
	}
	if _, err := s.target(ctx, m.Target); isGone(err) {
		return "", false, c.failed(lost(g, m, it))
	}
	c.group, c.member, c.item, c.target = c.target, m.Name, it, m.Target
	return own, true, nil
}

// ofMember says of an error of a member of a group what it means to callers of
// the group: what a session had that is gone is gone as well.
func (c *call) ofMember(err error) error {
	switch {
	case c.member == "" || !isGone(err):
		return err
	case c.item.task != "":
		return &mcp.TaskNotFoundError{ID: c.item.task, Err: err}
	}
	return &group.ItemNotFoundError{Kind: c.item.kind, Name: c.item.name + c.item.uri, Missing: []string{c.member}}
}

// lost is the error of a call on a member whose target is gone. A server that the
// caller may not use does not exist, also not as a member.
func lost(g *group.Group, m group.Member, it item) error {
	if g.Configured && it.member != "" {
		return &group.MemberNotFoundError{Member: it.member}
	}
	err := &group.ItemNotFoundError{Kind: it.kind, Name: it.name + it.uri}
	if !g.Configured {
		err.Missing = []string{m.Name}
	}
	return err
}
