package mcp

import (
	"bytes"
	"context"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// Changed tells the session that the server has announced a change, by a
// notification of that method; uri is the resource of resources/updated. What
// was kept of it, here and for all clients of the server, is forgotten. Other
// methods do nothing.
func (s *Session) Changed(method, uri string) {
	switch method {
	case notificationToolsChanged:
		s.book.clear()
		s.forget(methodToolsList, "")
	case notificationPromptsChanged:
		s.forget(methodPromptsList, "")
	case notificationResourcesChanged:
		s.forget(methodResourcesList, "")
		s.forget(methodTemplatesList, "")
	case notificationUpdated:
		if uri != "" {
			s.forget(methodResourcesRead, uri)
		}
	}
}

// forgetting returns gap with this before it: of what the server has announced to
// change, something may have been missed.
func (s *Session) forgetting(gap func()) func() {
	return func() {
		s.Changed(notificationToolsChanged, "")
		s.Changed(notificationPromptsChanged, "")
		s.Changed(notificationResourcesChanged, "")
		s.forget(methodResourcesRead, "")
		gap()
	}
}

// notice looks for changes in what the server sends unasked.
func (s *Session) notice(msg jsonrpc.Message) {
	uri := ""
	if msg.Method == notificationUpdated {
		uri, _ = rawjson.String(rawjson.Get(msg.Params, "uri"))
	}
	s.Changed(msg.Method, uri)
}

func (s *Session) forget(method, uri string) {
	s.private.drop(method, uri)
	s.public.drop(method, uri)
}

// caches reports whether results may come from a cache. Only modern servers say
// for how long they are good. What a caller puts into _meta may change a result
// in ways that nobody knows of.
func (s *Session) caches(meta []byte) bool {
	return !s.opts.WithoutCache && len(meta) == 0 && s.era().kind() == EraModern
}

// A saver remembers when a result was asked for, and puts it where it belongs.
type saver struct {
	s               *Session
	private, public uint64
}

func (s *Session) saver() saver {
	return saver{s: s, private: s.private.now(), public: s.public.now()}
}

func (k saver) keep(key cacheKey, e *entry) {
	switch {
	case e.until.IsZero():
	case e.public:
		k.s.public.put(key, e, k.public)
	default:
		k.s.private.put(key, e, k.private)
	}
}

// recall returns what is known already, nil if nothing is.
func (s *Session) recall(key cacheKey) *entry {
	if e := s.private.get(key); e != nil {
		return e
	}
	return s.public.get(key)
}

// read reads a resource, or remembers it.
func (s *Session) read(ctx context.Context, c *Call) (*Result, error) {
	if !s.caches(c.Meta) || !c.impersonal() {
		return s.once(ctx, c)
	}
	key := cacheKey{method: c.Method, params: string(c.Params)}
	if e := s.recall(key); e != nil {
		return e.result(true), nil
	}
	saver := s.saver()
	r, err := s.once(ctx, c)
	if err == nil {
		saver.keep(key, (&entry{json: r.JSON, uri: c.Name}).timed())
	}
	return r, err
}

// impersonal reports whether any caller would get the same result: the call wants
// no messages, and neither answers the server's questions nor offers to, since
// what comes of answers is for those who gave them.
func (c *Call) impersonal() bool {
	return c.LogLevel == "" && c.Notify == nil && c.Ask == nil && c.Capabilities == nil && !c.Manual &&
		!bytes.Contains(c.Params, []byte(`"requestState"`)) && !bytes.Contains(c.Params, []byte(`"inputResponses"`))
}
