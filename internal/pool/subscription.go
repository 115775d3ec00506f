package pool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// Subscribe has the session's watchers told of the updates of a resource, for
// as long as the session lasts or until Unsubscribe. If they are already, it
// does nothing. What the server refuses is a [*CallError] around a
// [*RefusedError]; other errors are those of getting a session.
func (s *Session) Subscribe(ctx context.Context, uri string) error {
	u, done, _, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer done()
	added := false
	version, err := u.change(&s.interest, func() bool {
		_, has := s.interest.uris[uri]
		if added = !has; added {
			s.interest.addURI(uri)
		}
		return added
	})
	if err != nil {
		return err
	}
	out, err := u.hub.wait(ctx, version)
	switch {
	case err == nil && slices.Contains(out.granted.URIs, uri):
		return nil
	case err == nil && out.final:
		err = u.wrapOnce(&RefusedError{URI: uri, Err: out.err})
	case err == nil:
		err = u.wrapOnce(cmp.Or(out.err, errLostMeanwhile))
	}
	if added {
		u.amend(&s.interest, func() bool { return s.interest.dropURI(uri) })
	}
	return err
}

// Unsubscribe takes a Subscribe back, and returns when the server has been told.
// Without one it does nothing.
func (s *Session) Unsubscribe(ctx context.Context, uri string) error {
	s.use(1)
	defer s.use(-1)
	u, err := s.join()
	if err != nil {
		return err
	}
	dropped := false
	version, err := u.change(&s.interest, func() bool {
		dropped = s.interest.dropURI(uri)
		return dropped
	})
	if err != nil || !dropped {
		return err
	}
	_, err = u.hub.wait(ctx, version)
	return err
}

// SetLevel has the session be told of log messages of that level and above. The
// upstream of a legacy server is set to the least severe level that any of its
// sessions wants; with a modern server the caller sends the level with each
// call.
func (s *Session) SetLevel(ctx context.Context, level string) error {
	u, done, era, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer done()
	if era == mcp.EraModern {
		s.level.Store(&level)
		return nil
	}
	set := func(level string) func() bool {
		return func() bool {
			changed := s.interest.level != level
			s.interest.level = level
			return changed
		}
	}
	version, err := u.change(&s.interest, set(level))
	if err != nil {
		return err
	}
	out, err := u.hub.wait(ctx, version)
	if err == nil && out.levelErr == nil {
		s.level.Store(&level)
		return nil
	}
	u.amend(&s.interest, set(s.Level()))
	if err != nil {
		return err
	}
	return u.wrapOnce(fmt.Errorf("set the log level: %w", out.levelErr))
}

// Level returns the level that was set last; empty: none was.
func (s *Session) Level() string {
	if level := s.level.Load(); level != nil {
		return *level
	}
	return ""
}

// enter begins the use of the session, connecting it if need be; done ends it.
func (s *Session) enter(ctx context.Context) (u *Upstream, done func(), era mcp.Era, err error) {
	s.use(1)
	if u, err = s.join(); err != nil {
		s.use(-1)
		return nil, nil, 0, err
	}
	live, err := u.acquire(ctx, false)
	if err != nil {
		s.use(-1)
		return nil, nil, 0, u.wrap(err, transport.NotSent, 1)
	}
	done = func() {
		u.release(live, transport.NotSent)
		s.use(-1)
	}
	return u, done, live.Info().Era, nil
}

// wrapOnce says of err where it happened, unless that has been said.
func (u *Upstream) wrapOnce(err error) error {
	if errors.As(err, new(*CallError)) {
		return err
	}
	return u.wrap(err, mcp.DeliveryOf(err), 1)
}
