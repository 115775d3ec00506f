package group

import (
	"context"
	"errors"
	"time"
)

// A Missing is a member whose items are missing from a list.
type Missing struct {
	Member Member
	Err    error
}

// List returns what all members have of a kind, member by member in their order,
// and which of them are missing. A member that does not answer while there is
// time for the others is missing. The error is the cause of ctx's end; in a group
// that is [Group.FailClosed] also a [*MemberError] of the first that is missing.
func (g *Group) List(ctx context.Context, k Kind) ([]Item, []Missing, error) {
	since := g.now()
	if err := g.refreshInTime(ctx, k, since); err != nil {
		return nil, nil, err
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	var items []Item
	var missing []Missing
	for _, m := range g.members {
		l := &m.lists[k]
		err := l.err
		if err == nil && !l.fresh(since.Time, g.opts.TTL) && !l.triedSince(since) {
			err = &MemberError{Member: m.Member, Err: ErrTimeout}
		}
		switch {
		case g.hides(err):
		case err != nil && g.FailClosed:
			return nil, nil, err
		case err != nil:
			missing = append(missing, Missing{Member: m.Member, Err: errors.Unwrap(err)})
		default:
			items = append(items, m.items(k)...)
		}
	}
	return items, missing, nil
}

// hides reports whether a member that failed like that is not there for the caller.
func (g *Group) hides(err error) bool {
	var gone *GoneError
	return g.Configured && errors.As(err, &gone)
}

// inTime leaves a quarter of the time there is for what comes after members were
// waited for.
func inTime(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, time.Until(deadline)*3/4, ErrTimeout)
}

// Patience returns what to wait in for members that are asked beside the lists: as
// long as for those.
func (g *Group) Patience(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, leave := inTime(ctx)
	ctx, cancel := context.WithTimeoutCause(ctx, g.opts.FetchTimeout, ErrTimeout)
	return ctx, func() { cancel(); leave() }
}

func (g *Group) refreshInTime(ctx context.Context, k Kind, since moment) error {
	wait, cancel := inTime(ctx)
	defer cancel()
	if err := g.refresh(wait, k, since, nil); err != nil && !errors.Is(err, ErrTimeout) {
		return err
	}
	return nil
}

// items returns those of the member's items that have a name, or need none.
func (m *member) items(k Kind) []Item {
	l := &m.lists[k]
	items := make([]Item, 0, len(l.entries))
	for _, e := range l.entries {
		name, ok := l.names[e.own]
		switch {
		case ok:
			items = append(items, Item{JSON: e.renamed(name), Member: m.Member, Own: e.own})
		case e.own == "" && e.uri != "":
			items = append(items, Item{JSON: e.json, Member: m.Member})
		}
	}
	return items
}
