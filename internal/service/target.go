package service

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/auth"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

const (
	serverPrefix  = "servers/"
	sessionPrefix = "sessions/"
	groupPrefix   = "groups/"
)

// A target is what a request's target names.
type target struct {
	pool.Target
	// name is the target's own; a request may have written it in another way.
	name      string
	principal string
	// session is the caller's; nil for a server.
	session *pool.Session
	// preset is the time for calls that come without a limit; 0: the default.
	preset time.Duration
}

// target finds what a request's target names.
func (s *Service) target(ctx context.Context, name string) (target, error) {
	if err := required("target", name); err != nil {
		return target{}, err
	}
	t := target{principal: auth.FromContext(ctx).ID}
	if id, ok := strings.CutPrefix(name, sessionPrefix); ok && id != "" {
		session, err := s.pool.Session(t.principal, id)
		if err != nil {
			return target{}, err
		}
		// What a caller may use can change while it has a session.
		if !s.allowed(ctx, session.Server()) {
			return target{}, &pool.NotFoundError{Kind: "server", Name: session.Server().Name}
		}
		return t.of(session), nil
	}
	if server, ok := strings.CutPrefix(name, serverPrefix); ok && server != "" {
		configured, err := s.server(ctx, server)
		if err != nil {
			return target{}, err
		}
		t.Target, err = s.pool.Shared(configured.Name, t.principal)
		t.name, t.preset = serverPrefix+configured.Name, configured.CallTimeout
		return t, err
	}
	if strings.HasPrefix(name, groupPrefix) {
		return target{}, &connectFirstError{What: "a call that is about no item of a group's member"}
	}
	return target{}, &fieldError{Field: "target", Problem: `must be "servers/{server}", "sessions/{session}" or "groups/{group}"`}
}

func (t target) of(session *pool.Session) target {
	t.Target, t.session, t.name = session, session, sessionPrefix+session.ID
	if t.preset = session.CallTimeout; t.preset == 0 {
		t.preset = session.Server().CallTimeout
	}
	return t
}

// A connectFirstError says that an RPC is for sessions only.
type connectFirstError struct{ What string }

func (e *connectFirstError) Error() string { return e.What + " needs a session: connect first" }

// server finds a configured server by what stands behind "servers/". The name
// comes as it is; from a URL it may still have reserved characters escaped. A
// server that the caller may not use is not found, as one that does not exist.
func (s *Service) server(ctx context.Context, name string) (*pool.Server, error) {
	server, err := s.pool.Server(name)
	if err == nil && s.allowed(ctx, server) {
		return server, nil
	}
	if unescaped, bad := url.PathUnescape(name); bad == nil && unescaped != name {
		if server, err = s.pool.Server(unescaped); err == nil && s.allowed(ctx, server) {
			return server, nil
		}
		name = unescaped
	}
	return nil, &pool.NotFoundError{Kind: "server", Name: name}
}
