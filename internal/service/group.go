package service

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/auth"
	"github.com/mcpbridge/mcpbridge/internal/group"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// CreateGroup implements McpServiceServer.
func (s *Service) CreateGroup(ctx context.Context, req *mcpbridgev1.CreateGroupRequest) (*mcpbridgev1.CreateGroupResponse, error) {
	if id := req.GetGroupId(); id != "" && !isGroupWord(id) {
		return nil, &fieldError{Field: "group_id", Problem: groupWordProblem}
	}
	spec := group.Spec{FailClosed: req.GetFailClosed()}
	var err error
	if spec.Naming, err = namingOf(req.GetNaming()); err != nil {
		return nil, err
	}
	for _, m := range req.GetMembers() {
		member, err := s.memberOf(ctx, m, "members.")
		if err != nil {
			return nil, err
		}
		spec.Members = append(spec.Members, member)
	}
	ctx, cancel, _, err := s.bound(ctx, limit{}, 0)
	if err != nil {
		return nil, err
	}
	defer cancel()
	g, err := s.groups.Create(ctx, auth.FromContext(ctx).ID, req.GetGroupId(), spec)
	if err != nil {
		return nil, err
	}
	return &mcpbridgev1.CreateGroupResponse{Group: s.groupMessage(ctx, g)}, nil
}

// GetGroup implements McpServiceServer.
func (s *Service) GetGroup(ctx context.Context, req *mcpbridgev1.GetGroupRequest) (*mcpbridgev1.GetGroupResponse, error) {
	g, err := s.namedGroup(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	return &mcpbridgev1.GetGroupResponse{Group: s.groupMessage(ctx, g)}, nil
}

// ListGroups implements McpServiceServer.
func (s *Service) ListGroups(ctx context.Context, req *mcpbridgev1.ListGroupsRequest) (*mcpbridgev1.ListGroupsResponse, error) {
	all := s.groups.List(auth.FromContext(ctx).ID)
	page, next, err := paginate(all, req.GetPageSize(), req.GetPageToken(), func(g *group.Group) string { return g.ID })
	if err != nil {
		return nil, err
	}
	resp := &mcpbridgev1.ListGroupsResponse{NextPageToken: next}
	for _, g := range page {
		resp.Groups = append(resp.Groups, s.groupMessage(ctx, g))
	}
	return resp, nil
}

// DeleteGroup implements McpServiceServer.
func (s *Service) DeleteGroup(ctx context.Context, req *mcpbridgev1.DeleteGroupRequest) (*mcpbridgev1.DeleteGroupResponse, error) {
	g, err := s.namedGroup(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	if err := s.groups.Delete(auth.FromContext(ctx).ID, g.ID); err != nil {
		return nil, err
	}
	return &mcpbridgev1.DeleteGroupResponse{}, nil
}

// AddGroupMember implements McpServiceServer.
func (s *Service) AddGroupMember(ctx context.Context, req *mcpbridgev1.AddGroupMemberRequest) (*mcpbridgev1.AddGroupMemberResponse, error) {
	g, err := s.namedGroup(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	member, err := s.memberOf(ctx, req.GetMember(), "member.")
	if err != nil {
		return nil, err
	}
	ctx, cancel, _, err := s.bound(ctx, limit{}, 0)
	if err != nil {
		return nil, err
	}
	defer cancel()
	if err := g.Add(ctx, member); err != nil {
		return nil, err
	}
	return &mcpbridgev1.AddGroupMemberResponse{Group: s.groupMessage(ctx, g)}, nil
}

// RemoveGroupMember implements McpServiceServer.
func (s *Service) RemoveGroupMember(ctx context.Context, req *mcpbridgev1.RemoveGroupMemberRequest) (*mcpbridgev1.RemoveGroupMemberResponse, error) {
	g, err := s.namedGroup(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	if err := required("member", req.GetMember()); err != nil {
		return nil, err
	}
	if err := g.Remove(req.GetMember()); err != nil {
		return nil, err
	}
	return &mcpbridgev1.RemoveGroupMemberResponse{Group: s.groupMessage(ctx, g)}, nil
}

// namedGroup finds the group of that name, as requests about groups give it.
func (s *Service) namedGroup(ctx context.Context, name string) (*group.Group, error) {
	g, err := s.group(ctx, name)
	if g == nil && err == nil {
		return nil, &fieldError{Field: "name", Problem: `must be "groups/{group}"`}
	}
	return g, err
}

// group finds the caller's group that a target names; nil if the target is none.
func (s *Service) group(ctx context.Context, target string) (*group.Group, error) {
	id, ok := strings.CutPrefix(target, groupPrefix)
	if !ok || id == "" {
		return nil, nil
	}
	return s.groups.Get(auth.FromContext(ctx).ID, id)
}

const groupWordProblem = `must be letters, digits, "_", "-" and ".", at most 64`

// isGroupWord reports whether a text can name a group or a member.
func isGroupWord(text string) bool {
	for _, r := range text {
		if !strings.ContainsRune("_-.", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return text != "" && len(text) <= 64
}

// memberOf reads a member of a request; field is where it stands there.
func (s *Service) memberOf(ctx context.Context, m *mcpbridgev1.GroupMember, field string) (group.Member, error) {
	if err := required(field+"target", m.GetTarget()); err != nil {
		return group.Member{}, err
	}
	if strings.HasPrefix(m.GetTarget(), groupPrefix) {
		return group.Member{}, &fieldError{Field: field + "target", Problem: "is a group, which cannot be a member"}
	}
	t, err := s.target(ctx, m.GetTarget())
	if err != nil {
		return group.Member{}, err
	}
	name := m.GetName()
	if name == "" {
		_, name, _ = strings.Cut(t.name, "/")
	}
	if !isGroupWord(name) {
		return group.Member{}, &fieldError{Field: field + "name", Problem: groupWordProblem}
	}
	return group.Member{Name: name, Target: t.name}, nil
}

func namingOf(n *mcpbridgev1.Naming) (group.Naming, error) {
	out := group.Naming{Template: n.GetTemplate(), ModelSafe: n.GetModelSafe()}
	switch n.GetMode() {
	case mcpbridgev1.NamingMode_NAMING_MODE_UNSPECIFIED, mcpbridgev1.NamingMode_NAMING_MODE_ALWAYS:
	case mcpbridgev1.NamingMode_NAMING_MODE_NEVER:
		out.Mode = group.Never
	case mcpbridgev1.NamingMode_NAMING_MODE_ON_CONFLICT:
		out.Mode = group.OnConflict
	default:
		return out, &fieldError{Field: "naming.mode", Problem: "is not known"}
	}
	if err := out.Check(); err != nil {
		return out, &fieldError{Field: "naming.template", Problem: err.Error()}
	}
	return out, nil
}

func (s *Service) groupMessage(ctx context.Context, g *group.Group) *mcpbridgev1.Group {
	modes := map[group.Mode]mcpbridgev1.NamingMode{
		group.Always:     mcpbridgev1.NamingMode_NAMING_MODE_ALWAYS,
		group.Never:      mcpbridgev1.NamingMode_NAMING_MODE_NEVER,
		group.OnConflict: mcpbridgev1.NamingMode_NAMING_MODE_ON_CONFLICT,
	}
	template := g.Naming.Template
	if template == "" {
		template = group.DefaultTemplate
	}
	out := &mcpbridgev1.Group{
		Name: groupPrefix + g.ID, CreateTime: timestamppb.New(g.Created), FailClosed: g.FailClosed, Configured: g.Configured,
		Naming: &mcpbridgev1.Naming{Template: template, Mode: modes[g.Naming.Mode], ModelSafe: g.Naming.ModelSafe},
	}
	for _, m := range g.Members() {
		t, err := s.target(ctx, m.Target)
		if g.Configured && isGone(err) {
			continue // to this caller there is no such server
		}
		out.Members = append(out.Members, memberMessage(m, t, err))
	}
	return out
}

// memberMessage describes a member; err is why its target was not found.
func memberMessage(m group.Member, t target, err error) *mcpbridgev1.GroupMember {
	out := &mcpbridgev1.GroupMember{Name: m.Name, Target: m.Target}
	if err != nil {
		out.State = mcpbridgev1.State_STATE_SHUTDOWN
		out.LastFailure = failureOf(&pool.Failure{Time: time.Now(), Err: err})
		return out
	}
	status := t.Status()
	out.State, out.LastFailure = stateOf(status.State), failureOf(status.LastFailure)
	return out
}

// isGone reports whether a target does not exist, or not any more.
func isGone(err error) bool {
	var missing *pool.NotFoundError
	return errors.As(err, &missing)
}
