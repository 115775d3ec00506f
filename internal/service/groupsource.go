package service

import (
	"context"
	"errors"

	"github.com/mcpbridge/mcpbridge/internal/group"
	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// A groupSource is a member of a group.
type groupSource struct {
	target
	limits mcp.ListLimits
}

var _ group.Source = groupSource{}

// source looks a member's target up, for the caller in ctx.
func (s *Service) source(ctx context.Context, name string) (group.Source, error) {
	t, err := s.target(ctx, name)
	if isGone(err) {
		return nil, &group.GoneError{Err: err}
	}
	if err != nil {
		return nil, err
	}
	return groupSource{target: t, limits: s.opts.Lists}, nil
}

// listOf is a kind's list, with the capability that a server declares for it.
func listOf(k group.Kind) (list mcp.List, capability string) {
	switch k {
	case group.Tools:
		return mcp.ListTools(), "tools"
	case group.Resources:
		return mcp.ListResources(), "resources"
	case group.Templates:
		return mcp.ListResourceTemplates(), "resources"
	case group.Prompts:
	}
	return mcp.ListPrompts(), "prompts"
}

// List implements [group.Source].
func (s groupSource) List(ctx context.Context, k group.Kind) (items []byte, err error) {
	list, capability := listOf(k)
	err = recovered(func() error {
		_, err := s.Do(ctx, true, func(ctx context.Context, live *pool.Live) error {
			items = []byte("[]")
			if !live.Info().Declares(capability) {
				return nil
			}
			all, err := live.ListAll(ctx, list, nil, s.limits)
			if unknown(err) {
				return nil // common for templates, which have no capability of their own
			}
			if err == nil {
				items = rawjson.Get(all.JSON, list.Member)
			}
			return err
		})
		return err
	})
	return items, err
}

// unknown reports whether the server does not know the method.
func unknown(err error) bool {
	var e *jsonrpc.Error
	return errors.As(err, &e) && e.Code == jsonrpc.CodeMethodNotFound
}

// Observe implements [group.Source].
func (s groupSource) Observe(ctx context.Context, changed func(group.Kind), ended func()) (stop func(), err error) {
	begin := func() (*pool.Watcher, error) { return s.Watch(ctx, nil) }
	if s.session != nil {
		begin = func() (*pool.Watcher, error) { return s.session.Observe(ctx) }
	}
	w, err := begin()
	if err != nil {
		return nil, err
	}
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer ended()
		defer w.Close()
		for {
			e, err := w.Next(watching)
			if err != nil {
				return
			}
			for _, k := range changes(e) {
				changed(k)
			}
		}
	}()
	return func() { cancel(); <-done }, nil
}

// changes returns the lists that may have changed by an event.
func changes(e pool.Event) []group.Kind {
	method := ""
	switch {
	case e.Notification != nil:
		method = e.Notification.Method
	case e.Assumed != nil:
		method = e.Assumed.Method
	case e.Dropped > 0, e.Change != nil && e.Change.To != pool.Connecting:
		return group.Kinds() // nobody knows what it has not told, or what it has become
	}
	switch method {
	case notificationTools:
		return []group.Kind{group.Tools}
	case notificationResources:
		return []group.Kind{group.Resources, group.Templates}
	case notificationPrompts:
		return []group.Kind{group.Prompts}
	}
	return nil
}
