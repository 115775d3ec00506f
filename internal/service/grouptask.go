package service

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/group"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// taskMark separates the target of a member from the id that its server gave. It
// stays as it is in a URL, and base64 has none.
const taskMark = "~"

// groupTaskID is the id of a task in a group. It says all that is needed to find
// the task, since the bridge keeps nothing of tasks, and it goes by the target:
// the member's name may be another's some day.
func groupTaskID(target, own string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(target)) + taskMark + own
}

// ofTaskID is the reverse of groupTaskID.
func ofTaskID(id string) (target, own string, ok bool) {
	encoded, own, ok := strings.Cut(id, taskMark)
	text, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	return string(text), own, ok && err == nil && own != ""
}

// errNoGroupTask: the id is none that the group has given.
var errNoGroupTask = errors.New("no member of the group is named in the id")

// placeTask finds the member of a group that a task is at, and makes that the
// call's target. own is the task's id there.
func (s *Service) placeTask(ctx context.Context, c *call, id string) (t target, own string, err error) {
	g, err := s.group(ctx, c.target)
	if err != nil {
		return target{}, "", err
	}
	if g == nil {
		t, err = s.target(ctx, c.target)
		return t, id, err
	}
	at, own, ok := ofTaskID(id)
	members := g.Members()
	i := slices.IndexFunc(members, func(m group.Member) bool { return m.Target == at })
	if ok && i >= 0 {
		t, err = s.target(ctx, at)
	}
	if !ok || i < 0 || isGone(err) {
		return target{}, "", c.failed(&mcp.TaskNotFoundError{ID: id, Err: errNoGroupTask})
	}
	c.group, c.member, c.target, c.item = c.target, members[i].Name, at, item{task: own}
	return t, own, err
}

// entitle gives a task the id by which the call's target knows it.
func (c *call) entitle(task *mcpbridgev1.Task) {
	if c.group != "" {
		task.TaskId = groupTaskID(c.target, task.GetTaskId())
	}
}

// listGroupTasks lists the tasks of all members. They are asked each time: of
// tasks nothing is kept.
func (s *Service) listGroupTasks(ctx context.Context, g *group.Group, req *mcpbridgev1.ListTasksRequest) (*mcpbridgev1.ListTasksResponse, error) {
	if req.Cursor != nil {
		return nil, groupCursorError()
	}
	meta, err := s.object("meta", req.GetMeta(), req.MetaJson)
	if err != nil {
		return nil, err
	}
	ctx, cancel, _, err := s.bound(ctx, limit{}, 0)
	if err != nil {
		return nil, err
	}
	defer cancel()
	members := distinct(g.Members())
	lists := make([][]*mcpbridgev1.Task, len(members))
	wait, enough := g.Patience(ctx)
	defer enough()
	errs := each(members, func(i int, m group.Member) (err error) {
		c := &call{target: m.Target, group: req.GetTarget(), member: m.Name}
		lists[i], err = s.memberTasks(wait, c, meta, req.GetJsonFormat())
		return err
	})
	if ctx.Err() != nil {
		return nil, (&call{target: req.GetTarget()}).failed(context.Cause(ctx))
	}
	resp, err := s.joinTasks(g, members, lists, errs)
	if err != nil {
		return nil, err
	}
	return resp, s.checkSize(resp)
}

// joinTasks puts the tasks of all members on one page, up to as many as a list may
// have.
func (s *Service) joinTasks(g *group.Group, members []group.Member, lists [][]*mcpbridgev1.Task, errs []error) (*mcpbridgev1.ListTasksResponse, error) {
	resp := new(mcpbridgev1.ListTasksResponse)
	var missing []group.Missing
	for i, m := range members {
		err := errs[i]
		if err == nil && len(resp.GetTasks())+len(lists[i]) > s.opts.Lists.Items {
			err = &group.LimitError{Items: s.opts.Lists.Items, Bytes: s.opts.Lists.Bytes}
		}
		switch {
		case err == nil:
			resp.Tasks = append(resp.Tasks, lists[i]...)
		case g.Configured && isGone(err): // to this caller there is no such server
		case g.FailClosed:
			return nil, err
		default:
			missing = append(missing, group.Missing{Member: m, Err: err})
		}
	}
	resp.Missing = missingMembers(missing)
	return resp, nil
}

// distinct leaves out members that are the same as one before under another name.
func distinct(members []group.Member) []group.Member {
	seen := make(map[string]bool, len(members))
	return slices.DeleteFunc(members, func(m group.Member) bool {
		again := seen[m.Target]
		seen[m.Target] = true
		return again
	})
}

// memberTasks lists the tasks of a member of a group. One whose server has no list
// of tasks has none.
func (s *Service) memberTasks(ctx context.Context, c *call, meta []byte, format convert.Format) ([]*mcpbridgev1.Task, error) {
	t, err := s.target(ctx, c.target)
	if err != nil {
		return nil, err
	}
	var page *mcp.Result
	_, err = t.Do(ctx, true, func(ctx context.Context, live *pool.Live) (err error) {
		if !live.Info().Declares("tasks") {
			return nil
		}
		if err := listableTasks(t); err != nil {
			return err
		}
		page, err = live.ListAll(ctx, mcp.ListTasks(), meta, s.opts.Lists)
		var none *mcp.UnsupportedError
		if errors.As(err, &none) || unknown(err) {
			return nil
		}
		return err
	})
	if err != nil || page == nil {
		return nil, c.failed(err)
	}
	list := new(mcpbridgev1.ListTasksResponse)
	if err := convert.Into(list, page.JSON, format); err != nil {
		return nil, c.failed(&mcp.ResultError{Problem: err.Error()})
	}
	for _, task := range list.GetTasks() {
		c.entitle(task)
	}
	return list.GetTasks(), nil
}

// listableTasks returns an error if the list would have tasks of other callers.
func listableTasks(t target) error {
	if t.Server().Shared && (t.session == nil || t.session.Lease) {
		return &connectFirstError{What: "to list the tasks of a server that callers share"}
	}
	return nil
}
