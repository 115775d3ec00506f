package mcp

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

const badTool = `{"name":"bad","inputSchema":{"properties":{"a":{"type":"number","x-mcp-header":"A"}}}}`

// toolNames are the names on a page.
func toolNames(page *Result) (names []string) {
	_ = rawjson.Array(rawjson.Get(page.JSON, "tools"), func(item []byte) error {
		names = append(names, ListTools().name(item))
		return nil
	})
	return names
}

// Tools with invalid annotations are not shown over modern HTTP; where there are
// no headers they are as good as any.
func TestInvalidTools(t *testing.T) {
	t.Parallel()
	const good = `{ "name" : "good","n":1.0,"inputSchema":{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}}`
	const page = `{"tools":[` + badTool + `,` + good + `],"nextCursor":"2"}`
	for name, tt := range map[string]struct {
		peer   transport.Peer
		legacy bool
		want   string
	}{
		"HTTP":         {peer: overHTTP(), want: `{"tools":[` + good + `],"nextCursor":"2"}`},
		"HTTP, legacy": {peer: overHTTP(), legacy: true, want: page},
		"stdio":        {peer: transport.Peer{Transport: "stdio", Stream: true}, want: page},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := answering(func(*transport.Request) (string, *jsonrpc.Error) { return page, nil })
			server.peer, server.legacy = tt.peer, tt.legacy
			s, log := server.open(t, Options{})
			for range 2 {
				got, next, err := s.ListPage(t.Context(), ListTools(), nil, nil)
				if err != nil || string(got.JSON) != tt.want || next == nil || *next != "2" {
					t.Fatalf("got %v, next %v, %v; want %s", got, next, err, tt.want)
				}
			}
			warned := strings.Count(log.String(), "tool rejected")
			if want := len(page) - len(tt.want); (want > 0) != (warned == 1) || warned > 0 && !strings.Contains(log.String(), "tool=bad") {
				t.Errorf("log: %s", log)
			}
			all, err := s.ListAll(t.Context(), ListTools(), nil, ListLimits{Pages: 3})
			if err == nil {
				t.Errorf("a circle of pages: %s", all.JSON)
			}
		})
	}
}

// Of members that a page has twice the last counts.
func TestInvalidToolsTwice(t *testing.T) {
	t.Parallel()
	const good = `{"name":"good"}`
	server := answering(func(*transport.Request) (string, *jsonrpc.Error) {
		return `{"tools":[` + good + `,` + good + `,` + good + `],"a":[],"tools":[` + badTool + `,` + good + `]}`, nil
	})
	server.peer = overHTTP()
	s, _ := server.open(t, Options{})
	const want = `{"a":[],"tools":[` + good + `]}`
	if got, _, err := s.ListPage(t.Context(), ListTools(), nil, nil); err != nil || string(got.JSON) != want {
		t.Errorf("got %v, %v; want %s", got, err, want)
	}
}

// A call carries the headers that the tool asks for. If the server says that they
// are wrong, the tools are listed anew.
func TestHeaders(t *testing.T) {
	t.Parallel()
	name := "Region" // what the server wants the header to be called
	server := answering(nil)
	server.answer = func(req *transport.Request) (string, *jsonrpc.Error) {
		if req.Method == methodToolsList {
			return fmt.Sprintf(`{"tools":[{"name":"sql","inputSchema":%s}]}`, annotated(`"`+name+`"`, `"string"`)), nil
		}
		if !slices.Equal(req.Parameters, []transport.Parameter{{Name: name, Value: "eu"}}) {
			return "", &jsonrpc.Error{Code: codeHeaderMismatch, Message: "headers"}
		}
		return `{"content":[]}`, nil
	}
	s, _ := server.open(t, Options{})
	sent := 0
	call := func() error {
		c := CallTool("sql", []byte(`{"region":"eu"}`))
		c.OnSend = func() { sent++ }
		_, err := s.Call(t.Context(), c)
		return err
	}
	steps := []struct {
		about   string
		prepare func()
		methods string
		err     bool
	}{
		{"the tool is not known", func() {}, "tools/call tools/list tools/call", false},
		{"it is known", func() {}, "tools/call", false},
		{"it has changed", func() { name = "Area" }, "tools/call tools/list tools/call", false},
		{"it was announced to have changed", func() { server.announce(notificationToolsChanged, `{}`) }, "tools/call tools/list tools/call", false},
		{"nothing helps", func() { name = "\x00" }, "tools/call tools/list tools/call", true},
	}
	for _, step := range steps {
		step.prepare()
		server.requests, sent = nil, 0
		err := call()
		if got := strings.Join(server.methods(), " "); got != step.methods || (err != nil) != step.err || sent != 1 {
			t.Errorf("%s: %s, sent %d times, %v", step.about, got, sent, err)
		}
	}
	server.requests = nil
	if err := call(); err == nil || len(server.methods()) != 2 {
		t.Errorf("the same headers were sent again: %q, %v", server.methods(), err)
	}
}

// An argument that cannot be a header ends the call before it is sent.
func TestUnsendableArgument(t *testing.T) {
	t.Parallel()
	server := answering(func(*transport.Request) (string, *jsonrpc.Error) {
		return `{"tools":[{"name":"n","inputSchema":` + annotated(`"N"`, `"integer"`) + `}]}`, nil
	})
	s, _ := server.open(t, Options{})
	if _, _, err := s.ListPage(t.Context(), ListTools(), nil, nil); err != nil {
		t.Fatal(err)
	}
	_, err := s.Call(t.Context(), CallTool("n", []byte(`{"region":9007199254740993}`)))
	if DeliveryOf(err) != transport.NotSent || len(server.methods()) != 1 {
		t.Errorf("got %v after %q", err, server.methods())
	}
}

func TestOutputError(t *testing.T) {
	t.Parallel()
	const integer = `"outputSchema":{"type":"object","properties":{"n":{"type":"integer","maximum":9007199254740992}}}`
	for name, tt := range map[string]struct {
		tool, result, want string
		legacy, unlisted   bool
		options            Options
	}{
		"right":                  {tool: integer, result: `{"structuredContent":{"n":9007199254740992}}`},
		"wrong":                  {tool: integer, result: `{"structuredContent":{"n":9007199254740993}}`, want: "invalid structured content returned by tool x: /n: must be at most 9007199254740992"},
		"an error of the tool's": {tool: integer, result: `{"isError":true,"structuredContent":{"n":"x"}}`},
		"a task":                 {tool: integer, result: `{"task":{"taskId":"1"},"structuredContent":1}`},
		"nothing, and unknown":   {tool: integer, result: `{"_meta":{"structuredContent":1}}`, unlisted: true},
		"null":                   {tool: integer, result: `{"structuredContent":null}`, want: "invalid structured content returned by tool x: must be object, is null"},
		"null, legacy":           {tool: integer, result: `{"structuredContent":null}`, legacy: true, want: "tool x has an output schema but did not return structured content"},
		"a broken schema":        {tool: `"outputSchema":{"type":"int"}`, result: `{"structuredContent":{}}`, want: "invalid schema for tool x: type must be the name of a type"},
		"a schema elsewhere":     {tool: `"outputSchema":{"$ref":"https://example.com/s"}`, result: `{"structuredContent":{}}`},
		"no schema":              {tool: `"title":"x"`, result: `{"structuredContent":{}}`},
		"not wanted":             {tool: integer, result: `{"structuredContent":{"n":"x"}}`, options: Options{WithoutOutputValidation: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := answering(func(req *transport.Request) (string, *jsonrpc.Error) {
				if req.Method == methodToolsList {
					return `{"tools":[{"name":"x",` + tt.tool + `}]}`, nil
				}
				return tt.result, nil
			})
			server.legacy = tt.legacy
			s, _ := server.open(t, tt.options)
			for range 2 {
				r, err := s.Call(t.Context(), CallTool("x", nil))
				if err != nil || r.OutputError != tt.want {
					t.Errorf("got %+v, %v; want %q", r, err, tt.want)
				}
			}
			want := "tools/call tools/list tools/call"
			if tt.unlisted || tt.options.WithoutOutputValidation {
				want = "tools/call tools/call"
			}
			if got := strings.Join(server.methods(), " "); got != want {
				t.Errorf("requests: %s", got)
			}
		})
	}
}

// Once the tools are known, a result without structured content is found out.
func TestOutputMissing(t *testing.T) {
	t.Parallel()
	server := answering(func(req *transport.Request) (string, *jsonrpc.Error) {
		if req.Method == methodToolsList {
			return `{"tools":[{"name":"x","outputSchema":{"type":"object"}}]}`, nil
		}
		return `{"_meta":{"structuredContent":{}}}`, nil
	})
	s, _ := server.open(t, Options{})
	if _, _, err := s.ListPage(t.Context(), ListTools(), nil, nil); err != nil {
		t.Fatal(err)
	}
	r, err := s.Call(t.Context(), CallTool("x", nil))
	if err != nil || r.OutputError != "tool x has an output schema but did not return structured content" {
		t.Errorf("got %+v, %v", r, err)
	}
}

// What becomes of the list that the session asks for by itself is no business of
// the call's, but for the time that it takes.
func TestFill(t *testing.T) {
	t.Parallel()
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		server := answering(func(req *transport.Request) (string, *jsonrpc.Error) {
			if req.Method == methodToolsList {
				return "", &jsonrpc.Error{Code: jsonrpc.CodeInternalError}
			}
			return `{"structuredContent":{}}`, nil
		})
		s, _ := server.open(t, Options{})
		for range 3 {
			if r, err := s.Call(t.Context(), CallTool("x", nil)); err != nil || r.OutputError != "" {
				t.Errorf("got %+v, %v", r, err)
			}
		}
		if got := server.methods(); len(got) != 4 {
			t.Errorf("requests: %q", got)
		}
	})
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			listing := make(chan struct{})
			server := answering(func(req *transport.Request) (string, *jsonrpc.Error) {
				if req.Method == methodToolsList {
					<-listing
					return `{"tools":[{"name":"x","outputSchema":{"type":"string"}}]}`, nil
				}
				return `{"structuredContent":{}}`, nil
			})
			s, _ := server.open(t, Options{})
			for range 10 {
				go func() {
					if r, err := s.Call(t.Context(), CallTool("x", nil)); err != nil || r.OutputError == "" {
						t.Errorf("got %+v, %v", r, err)
					}
				}()
			}
			synctest.Wait()
			impatient, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if r, err := s.Call(impatient, CallTool("x", nil)); err != nil || r.OutputError != "" {
				t.Errorf("a caller that left: %+v, %v", r, err)
			}
			close(listing)
			synctest.Wait()
			lists := slices.DeleteFunc(server.methods(), func(m string) bool { return m != methodToolsList })
			if len(lists) != 1 {
				t.Errorf("%d lists", len(lists))
			}
		})
	})
}

// The newest page is right, also where it says nothing any more.
func TestBook(t *testing.T) {
	t.Parallel()
	var b book
	b.add(readChapter([]byte(`{"tools":[{"name":"a","outputSchema":{}},{"name":"b","execution":{"taskSupport":"required"}},{"name":"c"}]}`)))
	if a, c := b.tool("a"), b.tool("c"); a == nil || a.output == nil || c != nil || b.tool("b").tasks != "required" {
		t.Errorf("book: %+v", b.tools)
	}
	b.add(readChapter([]byte(`{"tools":[{"name":"a"}]}`)))
	if b.tool("a") != nil || b.tool("b") == nil {
		t.Errorf("book: %+v", b.tools)
	}
	large := strings.Repeat("x", maxBookBytes)
	for _, what := range []string{
		`"outputSchema":"` + large + `"`,
		`"execution":{"taskSupport":"` + large + `"}`,
		`"inputSchema":` + strings.Replace(annotated(`"A"`, `"string"`), "region", large, 1),
	} {
		b.add(readChapter([]byte(`{"tools":[{"name":"big",` + what + `}]}`)))
		if b.tool("big") != nil || b.bytes > maxBookBytes {
			t.Errorf("the book has no bound: %.30s", what)
		}
	}
	if b.clear(); b.tool("b") != nil || b.bytes != 0 || b.filled.Load() || b.typed.Load() {
		t.Errorf("book after clear: %+v", b.tools)
	}
}

// A page that is what the last one was is not read again; any other is.
func TestBookKnownPage(t *testing.T) {
	t.Parallel()
	page := []byte(`{"tools":[{"name":"a","outputSchema":{}}]}`)
	other := []byte(`{"tools":[{"name":"b","outputSchema":{}}]}`)
	var b book
	if b.known(page) != nil {
		t.Error("an empty book knows a page")
	}
	c := readChapter(page)
	b.add(c)
	if b.known(bytes.Clone(page)) != c || b.known(other) != nil {
		t.Error("the page that was added last is the one that is known")
	}
	b.add(readChapter(other))
	if b.known(page) != nil || b.known(other) == nil {
		t.Error("a page is known that was not the last")
	}
	if b.clear(); b.known(other) != nil {
		t.Error("a book that was cleared knows a page")
	}
}

// plainList is a list of tools such as most servers have.
func plainList(n int) []byte {
	var items []string
	for i := range n {
		items = append(items, fmt.Sprintf(`{"name":"tool%d","description":"`+strings.Repeat("what it does ", 20)+
			`","inputSchema":{"type":"object","properties":{"path":{"type":"string"},"n":{"type":"integer","minimum":1}},"required":["path"]}}`, i))
	}
	return []byte(`{"tools":[` + strings.Join(items, ",") + `]}`)
}

func BenchmarkBook(b *testing.B) {
	for name, page := range map[string][]byte{
		"plain": plainList(100),
		"typed": []byte(strings.ReplaceAll(string(plainList(100)), `"inputSchema"`, `"outputSchema"`)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(page)))
			var book book
			for b.Loop() {
				book.add(readChapter(page))
			}
		})
	}
}
