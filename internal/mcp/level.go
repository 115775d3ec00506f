package mcp

import (
	"context"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// SetLevel asks the server for log messages of that level and above. A legacy
// server is told at once; if it has not declared logging the error is an
// [*UnsupportedError]. A modern server is told by each request from then on that
// has no level of its own; there an empty level asks for no messages.
func (s *Session) SetLevel(ctx context.Context, level string) error {
	if s.era().kind() == EraModern {
		s.level.Store(&level)
		return nil
	}
	if !s.Info().Declares("logging") {
		return &UnsupportedError{What: methodSetLevel}
	}
	params := append(rawjson.AppendString([]byte(`{"level":`), level), '}')
	_, err := s.Call(ctx, &Call{Method: methodSetLevel, Params: params})
	return err
}

// levelOf is the log level that a modern server is told with a call. Log
// messages belong to the requests that they are about, never to a subscription.
func (s *Session) levelOf(c *Call) string {
	if c.LogLevel != "" {
		return c.LogLevel
	}
	level := s.level.Load()
	if level == nil || c.Method == methodListen {
		return ""
	}
	return *level
}
