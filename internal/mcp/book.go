package mcp

import (
	"bytes"
	"sync"
	"sync/atomic"

	"github.com/mcpbridge/mcpbridge/internal/jsonschema"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// A book is what a session knows of the server's tools, from the lists that it
// has seen. Most tools have nothing that must be known, and are not in it.
type book struct {
	// annotated and typed: there is a tool with parameters, or with a schema of
	// its output. filled: a list was seen since the book was last cleared. Calls
	// look here first, without the lock.
	annotated, typed, filled atomic.Bool

	// mu guards what follows.
	mu    sync.RWMutex
	tools map[string]*tool
	bytes int
	// last is the chapter that was added last: a cached list adds it again, and a
	// server's list is mostly what it was the last time.
	last *chapter
	// learning is closed when the session is done with filling the book by
	// itself, which it does once. Nil: it has not begun.
	learning chan struct{}
}

// The bounds of a book. What is beyond is not known.
const (
	maxBookTools = 10_000
	maxBookBytes = 8 << 20
)

// A tool is what must be known of one.
type tool struct {
	name       string
	parameters []parameter
	// invalid says why the tool cannot be called over HTTP, nil if it can.
	invalid error
	output  *outputSchema
	// tasks is execution.taskSupport, empty if there is none.
	tasks string
}

func (t *tool) plain() bool {
	return t.parameters == nil && t.invalid == nil && t.output == nil && t.tasks == ""
}

// An outputSchema is compiled when it is first needed.
type outputSchema struct {
	text   []byte
	once   sync.Once
	schema *jsonschema.Schema
	err    error
}

func (o *outputSchema) compile() (*jsonschema.Schema, error) {
	o.once.Do(func() { o.schema, o.err = jsonschema.Compile(o.text, jsonschema.Options{}) })
	return o.schema, o.err
}

// A chapter is what one page of the list of tools says. It is not changed once
// read, so that sessions may share it.
type chapter struct {
	page []byte
	// tools are all tools of the page; nil if there is nothing to know of any.
	tools   []*tool
	invalid int
}

// readChapter reads a page of tools. Pages that have nothing to say cost next to
// nothing.
func readChapter(page []byte) *chapter {
	c := &chapter{page: page}
	if !bytes.Contains(page, []byte(annotation)) && !bytes.Contains(page, []byte(`"outputSchema"`)) &&
		!bytes.Contains(page, []byte(`"execution"`)) {
		return c
	}
	_ = rawjson.Array(rawjson.Get(page, "tools"), func(item []byte) error {
		t := readTool(item)
		if t.invalid != nil {
			c.invalid++
		}
		c.tools = append(c.tools, t)
		return nil
	})
	return c
}

func readTool(item []byte) *tool {
	t := new(tool)
	if item[0] != '{' {
		return t
	}
	_ = rawjson.Object(item, func(key, v []byte) error {
		switch string(key) {
		case "name":
			t.name, _ = rawjson.String(v)
		case "inputSchema":
			t.parameters, t.invalid = readParameters(v)
		case "outputSchema":
			if t.output = nil; !rawjson.IsNull(v) {
				t.output = &outputSchema{text: bytes.Clone(v)}
			}
		case "execution":
			if v[0] == '{' {
				t.tasks, _ = rawjson.String(rawjson.Get(v, "taskSupport"))
			}
		}
		return nil
	})
	return t
}

// add adds chapters. What they say of a tool takes the place of what was known.
func (b *book) add(chapters ...*chapter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(chapters) == 0 || b.last == chapters[len(chapters)-1] {
		return
	}
	b.last = chapters[len(chapters)-1]
	for _, c := range chapters {
		b.addLocked(c)
	}
	b.filled.Store(true)
}

// known returns the chapter that was added last, if it is that of the page.
func (b *book) known(page []byte) *chapter {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.last == nil || !bytes.Equal(b.last.page, page) {
		return nil
	}
	return b.last
}

func (b *book) addLocked(c *chapter) {
	switch {
	case c.tools != nil:
		for _, t := range c.tools {
			b.setLocked(t)
		}
	case len(b.tools) > 0: // tools may have lost what they had
		_ = rawjson.Array(rawjson.Get(c.page, "tools"), func(item []byte) error {
			b.setLocked(&tool{name: ListTools().name(item)})
			return nil
		})
	}
}

func (b *book) setLocked(t *tool) {
	if old := b.tools[t.name]; old != nil {
		b.bytes -= old.size()
		delete(b.tools, t.name)
	}
	if t.plain() || len(b.tools) >= maxBookTools || b.bytes+t.size() > maxBookBytes {
		return
	}
	if b.tools == nil {
		b.tools = make(map[string]*tool)
	}
	b.tools[t.name] = t
	b.bytes += t.size()
	if t.parameters != nil {
		b.annotated.Store(true)
	}
	if t.output != nil {
		b.typed.Store(true)
	}
}

// size is that of the texts of the server's.
func (t *tool) size() int {
	n := len(t.name) + len(t.tasks)
	if t.output != nil {
		n += len(t.output.text)
	}
	for _, p := range t.parameters {
		n += len(p.name)
		for _, name := range p.path {
			n += len(name)
		}
	}
	return n
}

// tool returns what is known of a tool, nil if there is nothing.
func (b *book) tool(name string) *tool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.tools[name]
}

// clear forgets everything: the server's tools have changed.
func (b *book) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tools, b.bytes, b.last, b.learning = nil, 0, nil, nil
	b.annotated.Store(false)
	b.typed.Store(false)
	b.filled.Store(false)
}

// claim reports whether it is for the caller to fill the book, and then to call
// learned. Otherwise wait is closed when whoever does is done; it is nil if there
// is nothing to wait for.
func (b *book) claim() (wait chan struct{}, mine bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.filled.Load():
		return nil, false
	case b.learning != nil:
		return b.learning, false
	}
	b.learning = make(chan struct{})
	return b.learning, true
}

// learned ends what claim began. If nothing came of it, the next may try.
func (b *book) learned(claimed chan struct{}, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(claimed)
	if !ok && b.learning == claimed {
		b.learning = nil
	}
}

// TaskSupport returns the execution.taskSupport of a tool, as far as a list of
// tools was seen that says so; empty if not.
func (s *Session) TaskSupport(toolName string) string {
	if t := s.book.tool(toolName); t != nil {
		return t.tasks
	}
	return ""
}
