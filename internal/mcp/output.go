package mcp

import (
	"context"
	"errors"
	"fmt"

	"github.com/mcpbridge/mcpbridge/internal/jsonschema"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// checkOutput checks the structured content of a tool's result against the
// tool's outputSchema. What it finds is in the words of the Python SDK.
func (s *Session) checkOutput(ctx context.Context, c *Call, r *Result) {
	if c.Method != methodToolsCall || s.opts.WithoutOutputValidation {
		return
	}
	if !s.book.typed.Load() {
		if s.book.filled.Load() || rawjson.Get(r.JSON, "structuredContent") == nil {
			return
		}
		s.fill(ctx)
	}
	t := s.book.tool(c.Name)
	if t == nil || t.output == nil {
		return
	}
	r.OutputError = s.outputError(t, r.JSON)
}

func (s *Session) outputError(t *tool, result []byte) string {
	var content, task []byte
	failed := false
	_ = rawjson.Object(result, func(key, v []byte) error {
		switch string(key) {
		case "isError":
			failed = v[0] == 't'
		case "structuredContent":
			content = v
		case "task": // the result will come later
			task = v
		}
		return nil
	})
	name := cut(t.name, 200)
	switch {
	case failed || task != nil:
		return ""
	case content == nil, content[0] == 'n' && s.Info().Era == EraLegacy: // which knows objects alone
		return fmt.Sprintf("tool %s has an output schema but did not return structured content", name)
	}
	schema, err := t.output.compile()
	if err == nil {
		err = schema.Validate(content)
	} else if !errors.Is(err, jsonschema.ErrUnchecked) {
		return fmt.Sprintf("invalid schema for tool %s: %v", name, err)
	}
	switch {
	case err == nil:
		return ""
	case errors.Is(err, jsonschema.ErrUnchecked):
		s.opts.Logger.Debug("output of a tool not checked", "tool", name, "error", err)
		return ""
	}
	return fmt.Sprintf("invalid structured content returned by tool %s: %v", name, err)
}
