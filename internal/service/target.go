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

// target finds what a request's target names. The timeout is the one for calls
// that come without a limit; 0 stands for the default.
func (s *Service) target(ctx context.Context, name string) (pool.Target, time.Duration, error) {
	principal := auth.FromContext(ctx).ID
	if id, ok := strings.CutPrefix(name, sessionPrefix); ok && id != "" {
		session, err := s.pool.Session(principal, id)
		if err != nil {
			return nil, 0, err
		}
		// What a caller may use can change while it has a session.
		if !s.allowed(ctx, session.Server()) {
			return nil, 0, &pool.NotFoundError{Kind: "server", Name: session.Server().Name}
		}
		if session.CallTimeout > 0 {
			return session, session.CallTimeout, nil
		}
		return session, session.Server().CallTimeout, nil
	}
	if server, ok := strings.CutPrefix(name, serverPrefix); ok && server != "" {
		configured, err := s.server(ctx, server)
		if err != nil {
			return nil, 0, err
		}
		u, err := s.pool.Shared(configured.Name, principal)
		if err != nil {
			return nil, 0, err
		}
		return u, configured.CallTimeout, nil
	}
	if strings.HasPrefix(name, groupPrefix) {
		return nil, 0, &unsupportedError{What: "groups"}
	}
	return nil, 0, &fieldError{Field: "target", Problem: `must be "servers/{server}", "sessions/{session}" or "groups/{group}"`}
}

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
