package mcp

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// codeHeaderMismatch says that the headers of a request are not those that its
// body and the tool's schema ask for.
const codeHeaderMismatch = -32020

// The bounds of a list that the session asks for by itself.
const (
	learnTimeout = 5 * time.Second
	learnPages   = 100
)

// maxWarnings bounds the warnings about the tools of one page.
const maxWarnings = 20

// mirrors reports whether arguments go out as headers: "Clients using other
// transports (e.g., stdio) MAY ignore x-mcp-header annotations entirely".
func (s *Session) mirrors() bool {
	return s.peer.Transport == "http" && s.era().kind() == EraModern
}

// parameters returns the headers of a call.
func (s *Session) parameters(c *Call) ([]transport.Parameter, error) {
	if c.Method != methodToolsCall || !s.book.annotated.Load() || !s.mirrors() {
		return nil, nil
	}
	t := s.book.tool(c.Name)
	if t == nil || t.parameters == nil {
		return nil, nil
	}
	return mirror(t.parameters, rawjson.Get(c.Params, "arguments"))
}

// study reads a page of tools into the book. It returns the page without the
// tools that must not be shown: "Clients using the Streamable HTTP transport
// MUST reject tool definitions where any x-mcp-header value violates these
// constraints", and no others (spec 2026-07-28, basic/transports/streamable-http).
func (s *Session) study(page []byte) ([]byte, *chapter) {
	if c := s.book.known(page); c != nil {
		return c.page, c
	}
	c := readChapter(page)
	if c.invalid > 0 && s.mirrors() {
		s.warn(c)
		c.page = c.valid()
	}
	s.book.add(c)
	return c.page, c
}

// warn logs why tools are rejected, unless it has said so before.
func (s *Session) warn(c *chapter) {
	warned := 0
	for _, t := range c.tools {
		if t.invalid == nil || warned == maxWarnings {
			continue
		}
		if known := s.book.tool(t.name); known != nil && known.invalid != nil && known.invalid.Error() == t.invalid.Error() {
			continue
		}
		warned++
		s.opts.Logger.Warn("tool rejected", "tool", cut(t.name, 200), "reason", t.invalid.Error())
	}
}

// valid returns the page without its invalid tools. The others stay as they are.
func (c *chapter) valid() []byte {
	const member = "tools"
	tools := rawjson.Get(c.page, member) // of several the last counts, as it did for c.tools
	b := append(make([]byte, 0, len(c.page)), '{')
	_ = rawjson.Object(c.page, func(key, v []byte) error {
		if string(key) == member && &v[0] != &tools[0] {
			return nil
		}
		b = append(rawjson.AppendString(separated(b), key), ':')
		if string(key) == member {
			b = c.appendValid(b, tools)
		} else {
			b = append(b, v...)
		}
		return nil
	})
	return append(b, '}')
}

// appendValid appends the array of the tools that are not invalid.
func (c *chapter) appendValid(b, tools []byte) []byte {
	b = append(b, '[')
	i := 0
	_ = rawjson.Array(tools, func(item []byte) error {
		if c.tools[i].invalid == nil {
			b = append(separated(b), item...)
		}
		i++
		return nil
	})
	return append(b, ']')
}

// separated appends what has to stand before the next member or item.
func separated(b []byte) []byte {
	if last := b[len(b)-1]; last == '{' || last == '[' {
		return b
	}
	return append(b, ',')
}

// learn lists the server's tools for the book.
func (s *Session) learn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, learnTimeout)
	defer cancel()
	var cursor *string
	for range learnPages {
		e, err := s.fetchPage(ctx, ListTools(), cursor, nil)
		switch {
		case err != nil:
			return err
		case e.next == nil || s.leaked(e.next, nil):
			return nil
		}
		cursor = e.next
	}
	return nil
}

// first makes a call for the first time, and again where it had the wrong headers.
func (s *Session) first(ctx context.Context, c *Call) (*Result, error) {
	if c.Method == methodResourcesRead {
		return s.read(ctx, c)
	}
	result, err := s.once(ctx, c)
	if err != nil && s.relearn(ctx, c, err) {
		again := *c
		again.OnSend = nil // it was called
		return s.once(ctx, &again)
	}
	return result, err
}

// relearn lists the tools anew after a call that ended in err, if the reason may
// be that they have changed, and reports whether the call is to be sent again: if
// it has other headers now. "The client SHOULD call tools/list to check for
// changes to the tool's inputSchema, then retry the original request with the
// appropriate headers" (spec 2026-07-28, basic/transports/streamable-http).
func (s *Session) relearn(ctx context.Context, c *Call, err error) bool {
	var je *jsonrpc.Error
	if !errors.As(err, &je) || je.Code != codeHeaderMismatch || c.Method != methodToolsCall || !s.mirrors() {
		return false
	}
	before, _ := s.parameters(c)
	s.Changed(notificationToolsChanged, "")
	if err := s.learn(ctx); err != nil {
		s.opts.Logger.Debug("tools not listed after a header mismatch", "error", err)
		return false
	}
	after, err := s.parameters(c)
	return err != nil || !slices.Equal(before, after)
}

// fill lists the tools if no list was seen yet, once for all calls. A failure is
// of no consequence: what is not known is not checked.
func (s *Session) fill(ctx context.Context) {
	wait, mine := s.book.claim()
	if !mine {
		if wait != nil {
			select {
			case <-wait:
			case <-ctx.Done():
			}
		}
		return
	}
	err := s.learn(ctx)
	s.book.learned(wait, ctx.Err() == nil)
	if err != nil {
		s.opts.Logger.Debug("tools not listed for their output schemas", "error", err)
	}
}
