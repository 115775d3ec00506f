package service

import (
	"context"
	"sync"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/group"
)

// targets finds what a target names: of a group all members.
func (s *Service) targets(ctx context.Context, name string) ([]target, error) {
	g, err := s.group(ctx, name)
	if err != nil {
		return nil, err
	}
	if g == nil {
		t, err := s.target(ctx, name)
		return []target{t}, err
	}
	var all []target
	for _, m := range g.Members() {
		t, err := s.target(ctx, m.Target)
		switch {
		case isGone(err): // it asks nothing, and is told nothing
		case err != nil:
			return nil, err
		default:
			all = append(all, t)
		}
	}
	return all, nil
}

// pingGroup pings all members of a group at the same time. It fails as the first
// member does, in their order, that does not answer.
func (s *Service) pingGroup(ctx context.Context, g *group.Group, req *mcpbridgev1.PingRequest) (*mcpbridgev1.PingResponse, error) {
	meta, err := s.object("meta", req.GetMeta(), req.MetaJson)
	if err != nil {
		return nil, err
	}
	members := g.Members()
	responses := make([]*mcpbridgev1.PingResponse, len(members))
	errs := each(members, func(i int, m group.Member) (err error) {
		how := &call{target: m.Target, group: req.GetTarget(), member: m.Name}
		responses[i], err = s.ping(ctx, how, meta, req.GetJsonFormat())
		return err
	})
	slowest := new(mcpbridgev1.PingResponse)
	for i, err := range errs {
		switch {
		case err != nil && g.Configured && isGone(err): // to this caller there is no such server
		case err != nil:
			return nil, err
		case slowest.GetRoundTrip() == nil || responses[i].GetRoundTrip().AsDuration() > slowest.GetRoundTrip().AsDuration():
			slowest.RoundTrip = responses[i].GetRoundTrip()
		}
	}
	return slowest, nil
}

// each calls do for all members at the same time, and returns their errors.
func each(members []group.Member, do func(i int, m group.Member) error) []error {
	errs := make([]error, len(members))
	var all sync.WaitGroup
	for i, m := range members {
		all.Go(func() { errs[i] = recovered(func() error { return do(i, m) }) })
	}
	all.Wait()
	return errs
}
