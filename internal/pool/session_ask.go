package pool

import (
	"context"
	"encoding/json"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

// asks reports whether the server may ask the session's caller anything.
func (s *Session) asks() bool { return s.capabilities != mcp.Capabilities{} }

// Capabilities returns what the caller answers. A modern server is told with
// each call, so there it includes roots as soon as the session has any.
func (s *Session) Capabilities() mcp.Capabilities {
	c := s.capabilities
	c.Roots = c.Roots || s.info.Era == mcp.EraModern && s.roots.Load() != nil
	return c
}

// Ask is the session's [mcp.Ask]: the bridge says what the roots are, if it was
// told, and whoever opened the session answers the rest.
func (s *Session) Ask(ctx context.Context, q mcp.Question) (mcp.Answer, error) {
	if roots := s.Roots(); q.Method == mcp.MethodRoots && roots != nil {
		return mcp.Answer{Result: append(append([]byte(`{"roots":`), roots...), '}')}, nil
	}
	if s.ask == nil {
		return mcp.Answer{}, mcp.ErrNobody
	}
	return s.ask(ctx, q)
}

// Roots returns the text of the array of roots; nil: the bridge was not told.
func (s *Session) Roots() json.RawMessage {
	if roots := s.roots.Load(); roots != nil {
		return *roots
	}
	return nil
}

// SetRoots replaces the roots, and tells a legacy server. If that was not told of
// roots when the session was opened, it would never ask for them:
// [ErrRootsUndeclared]. roots is the text of an array.
func (s *Session) SetRoots(ctx context.Context, roots json.RawMessage) error {
	if !s.capabilities.Roots && s.info.Era != mcp.EraModern {
		return ErrRootsUndeclared
	}
	s.roots.Store(&roots)
	if s.own == nil || s.info.Era == mcp.EraModern {
		return nil
	}
	_, err := s.Do(ctx, true, func(ctx context.Context, live *Live) error { return live.RootsChanged(ctx) })
	return err
}

// SendProgress tells the server how far the caller is with something that the
// server asked for.
func (s *Session) SendProgress(ctx context.Context, p mcp.Progress) error {
	_, err := s.Do(ctx, false, func(ctx context.Context, live *Live) error {
		return live.SendProgress(ctx, p)
	})
	return err
}
