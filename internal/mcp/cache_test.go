package mcp

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// timing is the members of a result that say how long it is good.
func cacheable(result, timing string) string {
	return strings.TrimSuffix(result, "}") + "," + timing + "}"
}

// How long a list is kept, and what it says then.
func TestCacheTime(t *testing.T) {
	t.Parallel()
	for timing, want := range map[string]time.Duration{
		`"ttlMs":60000`:                        time.Minute,
		`"ttlMs":6e4,"cacheScope":"private"`:   time.Minute,
		`"ttlMs":60000.0,"cacheScope":"other"`: time.Minute,
		`"ttlMs":86400000`:                     time.Hour,
		`"ttlMs":9007199254740991`:             time.Hour,
		`"cacheScope":"public"`:                0,
		`"ttlMs":0`:                            0,
		`"ttlMs":-5`:                           0,
		`"ttlMs":1.5`:                          0,
		`"ttlMs":"60000"`:                      0,
		`"ttlMs":null`:                         0,
		`"_meta":{"ttlMs":60000}`:              0,
	} {
		t.Run(timing, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := answering(func(*transport.Request) (string, *jsonrpc.Error) {
					return cacheable(`{"tools":[{"name":"a"}],"nextCursor":"2"}`, timing), nil
				})
				s, _ := server.open(t, Options{})
				list := func() bool {
					page, next, err := s.ListPage(t.Context(), ListTools(), nil, nil)
					if err != nil || len(toolNames(page)) != 1 || next == nil || *next != "2" {
						t.Fatalf("got %+v, next %v, %v", page, next, err)
					}
					return page.Cached
				}
				if list() {
					t.Error("the first is cached")
				}
				if want > 0 {
					if time.Sleep(want - 1); !list() {
						t.Error("it was not kept")
					}
					time.Sleep(time.Nanosecond)
				}
				if list() {
					t.Error("it was kept too long")
				}
			})
		})
	}
}

// cacheServer answers everything with something that is good for a minute.
func cacheServer(scope string) *offline {
	n := 0
	return answering(func(req *transport.Request) (string, *jsonrpc.Error) {
		n++
		timing := fmt.Sprintf(`"ttlMs":60000,"cacheScope":%q,"n":%d`, scope, n)
		cursor := string(rawjson.Get(req.Params, "cursor"))
		switch {
		case req.Method == methodResourcesRead:
			return `{"contents":[],` + timing + `}`, nil
		case req.Method == methodToolsList && cursor == "":
			return `{"tools":[{"name":"a","outputSchema":{"type":"string"}}],"nextCursor":"2",` + timing + `}`, nil
		case req.Method == methodToolsList && cursor == `"2"`:
			return `{"tools":[{"name":"b"}],` + timing + `}`, nil
		case req.Method == methodToolsList:
			return "", &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams}
		case req.Method == methodToolsCall:
			return `{"structuredContent":1}`, nil
		}
		return `{"prompts":[],"resources":[],"resourceTemplates":[],` + timing + `}`, nil
	})
}

// asked returns how many requests do makes of the server.
func (s *offline) asked(do func()) int {
	before := len(s.methods())
	do()
	return len(s.methods()) - before
}

func TestCacheKeys(t *testing.T) {
	t.Parallel()
	server := cacheServer("private")
	s, _ := server.open(t, Options{})
	page := func(l List, cursor *string, meta string) func() {
		return func() { _, _, _ = s.ListPage(t.Context(), l, cursor, []byte(meta)) }
	}
	call := func(c *Call) func() {
		return func() {
			if _, err := s.Call(t.Context(), c); err != nil {
				t.Error(err)
			}
		}
	}
	all := func(limits ListLimits) func() {
		return func() {
			if r, err := s.ListAll(t.Context(), ListTools(), nil, limits); err != nil || len(toolNames(r)) != 2 {
				t.Errorf("got %+v, %v", r, err)
			}
		}
	}
	second, wrong := "2", "x"
	answers := ReadResource("test://a")
	answers.Params = []byte(`{"uri":"test://a","inputResponses":{}}`)
	state := ReadResource("test://a")
	state.Params = []byte(`{"uri":"test://a","requestState":"x"}`)
	watched := ReadResource("test://a")
	watched.Notify = func(jsonrpc.Message) {}
	logged := ReadResource("test://a")
	logged.LogLevel = "debug"
	asking := ReadResource("test://a")
	asking.Meta = []byte(`{"a":1}`)
	for _, step := range []struct {
		about string
		do    func()
		asks  int
	}{
		{"a page", page(ListTools(), nil, ""), 1},
		{"it again", page(ListTools(), nil, ""), 0},
		{"the second", page(ListTools(), &second, ""), 1},
		{"it again", page(ListTools(), &second, ""), 0},
		{"with _meta", page(ListTools(), nil, `{"a":1}`), 1},
		{"another list", page(ListPrompts(), nil, ""), 1},
		{"it again", page(ListPrompts(), nil, ""), 0},
		{"all pages", all(ListLimits{}), 2},
		{"them again", all(ListLimits{}), 0},
		{"with other limits", all(ListLimits{Items: 5}), 2},
		{"a resource", call(ReadResource("test://a")), 1},
		{"it again", call(ReadResource("test://a")), 0},
		{"another", call(ReadResource("test://b")), 1},
		{"with _meta", call(asking), 1},
		{"with answers", call(answers), 1},
		{"with state", call(state), 1},
		{"with progress", call(watched), 1},
		{"with a log", call(logged), 1},
		{"a tool", call(CallTool("a", nil)), 1},
		{"the tool again", call(CallTool("a", nil)), 1},
		{"a cursor that is not good any more", page(ListTools(), &wrong, ""), 1},
		{"the page that led there", page(ListTools(), nil, ""), 1},
		{"the other list", page(ListPrompts(), nil, ""), 0},
	} {
		if n := server.asked(step.do); n != step.asks {
			t.Errorf("%s: %d requests, want %d", step.about, n, step.asks)
		}
	}
}

func TestCacheInvalidation(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ method, params, drops string }{
		"tools":            {notificationToolsChanged, ``, "tools"},
		"prompts":          {notificationPromptsChanged, `{}`, "prompts"},
		"resources":        {notificationResourcesChanged, `{}`, "resources resourceTemplates"},
		"a resource":       {notificationUpdated, `{"uri":"test://a"}`, "test://a"},
		"another resource": {notificationUpdated, `{"uri":"test://z"}`, ""},
		"no resource":      {notificationUpdated, `{}`, ""},
		"something else":   {notificationMessage, `{}`, ""},
	} {
		for _, scope := range []string{"public", "private"} {
			t.Run(name+"/"+scope, func(t *testing.T) {
				t.Parallel()
				server := cacheServer(scope)
				s, _ := server.open(t, Options{})
				ask := func() (asked []string) {
					for _, l := range []List{ListTools(), ListPrompts(), ListResources(), ListResourceTemplates()} {
						if page, _, err := s.ListPage(t.Context(), l, nil, nil); err != nil || !page.Cached {
							asked = append(asked, l.Member)
						}
					}
					for _, uri := range []string{"test://a", "test://b"} {
						if r, err := s.Call(t.Context(), ReadResource(uri)); err != nil || !r.Cached {
							asked = append(asked, uri)
						}
					}
					return asked
				}
				if got := len(ask()); got != 6 {
					t.Errorf("%d requests at first", got)
				}
				server.announce(tt.method, tt.params)
				if got := strings.Join(ask(), " "); got != tt.drops {
					t.Errorf("asked for %q, want %q", got, tt.drops)
				}
				told := false
				s.forgetting(func() { told = true })()
				if got := len(ask()); got != 6 || !told {
					t.Errorf("%d requests after a gap, told: %v", got, told)
				}
			})
		}
	}
}

// What came of an answer is not kept, and neither is a result for a caller that
// may be asked.
func TestCacheOfAsked(t *testing.T) {
	t.Parallel()
	server := answering(func(req *transport.Request) (string, *jsonrpc.Error) {
		if rawjson.Get(req.Params, "inputResponses") == nil {
			return `{"resultType":"input_required","inputRequests":{"r":{"method":"roots/list"}}}`, nil
		}
		return `{"contents":[],"ttlMs":60000,"cacheScope":"public"}`, nil
	})
	client := NewClient(server, Options{}).with(&Profile{
		Capabilities: Capabilities{Roots: true},
		Ask:          func(context.Context, Question) (Answer, error) { return Answer{Result: []byte(`{"roots":[]}`)}, nil },
	})
	s, err := client.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r, err := s.Call(t.Context(), ReadResource("test://a")); err != nil || r.Cached {
			t.Errorf("got %+v, %v", r, err)
		}
	}
	if got := len(server.methods()); got != 4 {
		t.Errorf("%d requests", got)
	}
}

// What is on its way while it changes is not kept.
func TestCacheRace(t *testing.T) {
	t.Parallel()
	var server *offline
	server = answering(func(*transport.Request) (string, *jsonrpc.Error) {
		server.announce(notificationToolsChanged, `{}`)
		return `{"tools":[],"ttlMs":60000}`, nil
	})
	s, _ := server.open(t, Options{})
	for range 2 {
		if page, _, err := s.ListPage(t.Context(), ListTools(), nil, nil); err != nil || page.Cached {
			t.Errorf("got %+v, %v", page, err)
		}
	}
}

// Public results serve all sessions with the server, and tell each what it must
// know of tools; private ones do not.
func TestCacheScope(t *testing.T) {
	t.Parallel()
	for scope, shared := range map[string]bool{"public": true, "private": false} {
		t.Run(scope, func(t *testing.T) {
			t.Parallel()
			server := cacheServer(scope)
			client := NewClient(server, Options{})
			var cached []bool
			for _, c := range []*Client{client, client.with(&Profile{ClientInfo: Implementation{Name: "other", Version: "1"}})} {
				s, err := c.Connect(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				page, _, err := s.ListPage(t.Context(), ListTools(), nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				cached = append(cached, page.Cached)
				if r, err := s.Call(t.Context(), CallTool("a", nil)); err != nil || r.OutputError == "" {
					t.Errorf("the output was not checked: %+v, %v", r, err)
				}
			}
			if cached[0] || cached[1] != shared {
				t.Errorf("cached: %v", cached)
			}
		})
	}
}

// What one is told who sends headers of its own is not what others are told.
func TestCacheApart(t *testing.T) {
	t.Parallel()
	server := cacheServer("public")
	client := NewClient(server, Options{})
	for _, c := range []*Client{client.Apart(server), client, client.Apart(server)} {
		s, err := c.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if page, _, err := s.ListPage(t.Context(), ListTools(), nil, nil); err != nil || page.Cached {
			t.Errorf("got %+v, %v; want a page of its own", page, err)
		}
	}
}

func TestCacheOff(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		legacy  bool
		options Options
	}{"by option": {options: Options{WithoutCache: true}}, "legacy": {legacy: true}} {
		server := cacheServer("public")
		server.legacy = tt.legacy
		s, _ := server.open(t, tt.options)
		for range 2 {
			page, _, err := s.ListPage(t.Context(), ListTools(), nil, nil)
			all, err2 := s.ListAll(t.Context(), ListTools(), nil, ListLimits{})
			r, err3 := s.Call(t.Context(), ReadResource("test://a"))
			if err != nil || err2 != nil || err3 != nil || page.Cached || all.Cached || r.Cached {
				t.Errorf("%s: %v, %v, %v", name, err, err2, err3)
			}
		}
	}
}

func TestCacheBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c cache
		put := func(name string, size int, ttl time.Duration) {
			c.put(cacheKey{params: name}, &entry{json: make([]byte, max(0, size-len(name))), until: time.Now().Add(ttl)}, c.now())
		}
		has := func(name string) bool { return c.get(cacheKey{params: name}) != nil }
		for i := range maxCacheEntries {
			put(fmt.Sprint(i), 10, time.Minute+time.Duration(i))
		}
		put("one more", 10, time.Minute)
		if len(c.entries) != maxCacheEntries || has("0") || !has("1") || !has("one more") {
			t.Errorf("%d entries", len(c.entries))
		}
		put("half", maxCacheBytes/2, time.Hour)
		put("too large", maxCacheBytes+1, time.Hour)
		put("the rest", maxCacheBytes/2, time.Hour)
		if !has("half") || !has("the rest") || has("too large") || len(c.entries) != 2 || c.bytes != maxCacheBytes {
			t.Errorf("%d entries of %d bytes", len(c.entries), c.bytes)
		}
		put("half", 10, time.Hour)
		if c.bytes != maxCacheBytes/2+10 {
			t.Errorf("%d bytes after one took the place of another", c.bytes)
		}
		long := cacheKey{params: strings.Repeat("x", maxCacheBytes)}
		pages := &entry{json: []byte("{}"), until: time.Now().Add(time.Hour), chapters: []*chapter{{page: make([]byte, maxCacheBytes)}}}
		c.put(long, &entry{json: []byte("{}"), until: time.Now().Add(time.Hour)}, c.now())
		if c.put(cacheKey{params: "pages"}, pages, c.now()); c.get(long) != nil || has("pages") {
			t.Error("what is kept beside the result is not counted")
		}
		if time.Sleep(time.Hour); has("half") || has("the rest") || c.bytes != 0 {
			t.Errorf("%d bytes after the end", c.bytes)
		}
	})
}

func BenchmarkListPage(b *testing.B) {
	page := string(plainList(100))
	for name, result := range map[string]string{"cached": cacheable(page, `"ttlMs":60000`), "asked for": page} {
		b.Run(name, func(b *testing.B) {
			server := answering(func(*transport.Request) (string, *jsonrpc.Error) { return result, nil })
			s, _ := server.open(b, Options{})
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := s.ListPage(b.Context(), ListTools(), nil, nil); err != nil {
					b.Fatal(err)
				}
				server.requests = server.requests[:0]
			}
		})
	}
}
