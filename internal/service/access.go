package service

import (
	"context"
	"fmt"

	"github.com/mcpbridge/mcpbridge/internal/auth"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// A toolForbiddenError says that the caller may not use a tool.
type toolForbiddenError struct{ Tool string }

func (e *toolForbiddenError) Error() string {
	return fmt.Sprintf("the operator does not allow you the tool %.128q", e.Tool)
}

// allowed reports whether the caller may use the server.
func (s *Service) allowed(ctx context.Context, server *pool.Server) bool {
	access := s.opts.Access[server.Name]
	return access == nil || access.Allows(auth.FromContext(ctx))
}

// allowTool returns an error if the caller may not use the tool.
func (s *Service) allowTool(ctx context.Context, server *pool.Server, tool string) error {
	access := s.opts.Access[server.Name]
	if access == nil || access.AllowsTool(auth.FromContext(ctx), tool) {
		return nil
	}
	return &toolForbiddenError{Tool: tool}
}

// visible takes from a list what the caller may not use.
func (s *Service) visible(ctx context.Context, server *pool.Server, l mcp.List, page []byte) []byte {
	access := s.opts.Access[server.Name]
	if l.Member != "tools" || !access.RestrictsTools() {
		return page
	}
	principal := auth.FromContext(ctx)
	return keepTools(page, func(name string) bool { return access.AllowsTool(principal, name) })
}

// keepTools returns page with those tools only whose names pass keep. A tool
// without a name is none that can be called, and is left out.
func keepTools(page []byte, keep func(name string) bool) []byte {
	out := make([]byte, 0, len(page))
	out = append(out, '{')
	_ = rawjson.Object(page, func(key, v []byte) error {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(rawjson.AppendString(out, key), ':')
		if string(key) != "tools" {
			out = append(out, v...)
			return nil
		}
		out = append(out, '[')
		first := true
		_ = rawjson.Array(v, func(tool []byte) error {
			if !named(tool, keep) {
				return nil
			}
			if !first {
				out = append(out, ',')
			}
			first = false
			out = append(out, tool...)
			return nil
		})
		out = append(out, ']')
		return nil
	})
	return append(out, '}')
}

func named(tool []byte, keep func(name string) bool) bool {
	if len(tool) == 0 || tool[0] != '{' {
		return false
	}
	name, err := rawjson.String(rawjson.Get(tool, "name"))
	return err == nil && keep(name)
}
