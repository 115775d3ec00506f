package group_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/mcpbridge/mcpbridge/internal/group"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is what members are looked up in.
type world struct {
	mu      sync.Mutex
	sources map[string]*source
}

var errNoSuch = errors.New("no such target")

func (w *world) find(_ context.Context, target string) (group.Source, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s, ok := w.sources[target]; ok {
		return s, nil
	}
	return nil, &group.GoneError{Err: errNoSuch}
}

// A source is a member whose lists a test sets.
type source struct {
	mu    sync.Mutex
	lists map[group.Kind][]string
	// err is what List fails with; hang makes it wait for the end of its ctx.
	err  error
	hang bool
	// during is called while tools are listed.
	during func()
	// listed counts the calls of List for tools.
	listed   int
	observed int
	changed  func(group.Kind)
	ended    func()
}

func tools(names ...string) *source {
	return &source{lists: map[group.Kind][]string{group.Tools: names}}
}

func (s *source) List(ctx context.Context, k group.Kind) ([]byte, error) {
	s.mu.Lock()
	if k == group.Tools {
		s.listed++
	}
	names, err, hang, during := s.lists[k], s.err, s.hang, s.during
	s.mu.Unlock()
	if k == group.Tools && during != nil {
		during()
	}
	if hang {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	b := []byte{'['}
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		name, uri, _ := strings.Cut(name, "=")
		b = append(rawjson.AppendString(append(b, `{ "x":1.0,"name":`...), name), `,"big":12345678901234567890`...)
		if uri != "" {
			key := `,"uri":`
			if k == group.Templates {
				key = `,"uriTemplate":`
			}
			b = rawjson.AppendString(append(b, key...), uri)
		}
		b = append(b, '}')
	}
	return append(b, ']'), nil
}

func (s *source) Observe(_ context.Context, changed func(group.Kind), ended func()) (func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	s.observed++
	s.changed, s.ended = changed, ended
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.observed--
	}, nil
}

// set replaces the tools.
func (s *source) set(names ...string) {
	s.mu.Lock()
	s.lists[group.Tools] = names
	changed := s.changed
	s.mu.Unlock()
	if changed != nil {
		changed(group.Tools)
	}
}

func (s *source) fail(err error) {
	s.mu.Lock()
	s.err = err
	changed := s.changed
	s.mu.Unlock()
	if changed != nil {
		changed(group.Tools)
	}
}

func (s *source) count() (listed, observed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listed, s.observed
}

// newGroups returns groups over sources called servers/a, servers/b and so on.
func newGroups(t *testing.T, sources ...*source) *group.Groups {
	t.Helper()
	w := &world{sources: make(map[string]*source)}
	for i, s := range sources {
		w.sources["servers/"+letter(i)] = s
	}
	all := group.New(nil, group.Options{Find: w.find})
	t.Cleanup(all.Close)
	return all
}

func letter(i int) string { return string(rune('a' + i)) }

func members(n int) (all []group.Member) {
	for i := range n {
		all = append(all, group.Member{Name: letter(i), Target: "servers/" + letter(i)})
	}
	return all
}

func create(t *testing.T, all *group.Groups, spec group.Spec) *group.Group {
	t.Helper()
	g, err := all.Create(t.Context(), "me", "g", spec)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// listed returns the names of the tools and the members that are missing.
func listed(t *testing.T, g *group.Group) (names, missing []string) {
	t.Helper()
	items, without, err := g.List(t.Context(), group.Tools)
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		name, err := rawjson.String(rawjson.Get(it.JSON, "name"))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	for _, m := range without {
		missing = append(missing, m.Member.Name)
	}
	return names, missing
}

func wantNames(t *testing.T, g *group.Group, want ...string) {
	t.Helper()
	if got, missing := listed(t, g); !slices.Equal(got, want) || len(missing) > 0 {
		t.Errorf("tools are %q without %q, want %q", got, missing, want)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 70)
	for name, test := range map[string]struct {
		naming group.Naming
		lists  [][]string
		want   []string
	}{
		"by the default":      {lists: [][]string{{"x", "y"}, {"x"}}, want: []string{"a__x", "a__y", "b__x"}},
		"by a template":       {naming: group.Naming{Template: "{name}.{server}"}, lists: [][]string{{"x"}, {"x"}}, want: []string{"x.a", "x.b"}},
		"never":               {naming: group.Naming{Mode: group.Never}, lists: [][]string{{"x"}, {"y"}}, want: []string{"x", "y"}},
		"without a conflict":  {naming: group.Naming{Mode: group.OnConflict}, lists: [][]string{{"x"}, {"y"}}, want: []string{"x", "y"}},
		"on conflict":         {naming: group.Naming{Mode: group.OnConflict}, lists: [][]string{{"x", "z"}, {"x", "y"}}, want: []string{"a__x", "z", "b__x", "y"}},
		"conflict of a third": {naming: group.Naming{Mode: group.OnConflict}, lists: [][]string{{"x"}, {"x"}, {"a__x"}}, want: []string{"a__x", "b__x", "c__a__x"}},
		"twice at one member": {lists: [][]string{{"x", "x"}}, want: []string{"a__x", "a__x"}},
		"safe":                {naming: group.Naming{ModelSafe: true}, lists: [][]string{{"x", "a.b/ü"}}, want: []string{"a__x", "a__a_b___517864f8"}},
		"safe and cut": {
			naming: group.Naming{ModelSafe: true, Mode: group.Never}, lists: [][]string{{long}},
			want: []string{strings.Repeat("x", 55) + "_c71bd109"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sources []*source
			for _, list := range test.lists {
				sources = append(sources, tools(list...))
			}
			g := create(t, newGroups(t, sources...), group.Spec{Naming: test.naming, Members: members(len(sources))})
			wantNames(t, g, test.want...)
			for i, m := range g.Members() {
				for _, own := range test.lists[i] {
					at := slices.IndexFunc(test.want, func(name string) bool {
						to, back, err := g.Route(t.Context(), group.Tools, name)
						return err == nil && to == m && back == own
					})
					if at < 0 {
						t.Errorf("no name leads to %s of %s", own, m.Name)
					}
				}
			}
		})
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	for template, ok := range map[string]bool{
		"": true, "{name}": true, "{server}/{name}": true, "x{name}y{server}z": true,
		"{server}": false, "{name}{name}": false, "{other}{name}": false, "{name": false, "}{name}": false,
		"{server}{server}{name}": false, strings.Repeat("x", 125) + "{name}": false,
	} {
		if err := (group.Naming{Template: template}).Check(); (err == nil) != ok {
			t.Errorf("%q: %v", template, err)
		}
	}
}

// TestStable adds a member whose names are taken: what a name means stays.
func TestStable(t *testing.T) {
	t.Parallel()
	a, b := tools("x"), tools("x", "y")
	g := create(t, newGroups(t, a, b), group.Spec{Naming: group.Naming{Mode: group.OnConflict}, Members: members(1)})
	wantNames(t, g, "x")
	if err := g.Add(t.Context(), members(2)[1]); err != nil {
		t.Fatal(err)
	}
	wantNames(t, g, "x", "b__x", "y")
	a.set() // it does not have it for a while
	wantNames(t, g, "b__x", "y")
	b.set("x", "y", "z")
	a.set("x", "z")
	wantNames(t, g, "x", "a__z", "b__x", "y", "b__z")
	if err := g.Remove("a"); err != nil {
		t.Fatal(err)
	}
	wantNames(t, g, "b__x", "y", "b__z")
}

func TestCollision(t *testing.T) {
	t.Parallel()
	a, b := tools("x", "y"), tools("y", "x")
	all := newGroups(t, a, b)
	never := group.Naming{Mode: group.Never}
	_, err := all.Create(t.Context(), "me", "g", group.Spec{Naming: never, Members: members(2)})
	var collision *group.CollisionError
	if !errors.As(err, &collision) || len(collision.Names) != 2 || !strings.Contains(err.Error(), `tool "x"`) {
		t.Fatalf("creating: %v", err)
	}
	if _, err := all.Get("me", "g"); err == nil {
		t.Error("the group exists")
	}
	for i, s := range []*source{a, b} {
		if _, observed := s.count(); observed != 0 {
			t.Errorf("member %d is still observed", i)
		}
	}
	g := create(t, all, group.Spec{Naming: never, Members: members(1)})
	if err := g.Add(t.Context(), members(2)[1]); !errors.As(err, &collision) {
		t.Errorf("adding: %v", err)
	}
	if _, observed := b.count(); observed != 0 || len(g.Members()) != 1 {
		t.Errorf("after the collision: observed %d, members %v", observed, g.Members())
	}
	wantNames(t, g, "x", "y")
}

// TestLateCollision has a member take up a name that another one has.
func TestLateCollision(t *testing.T) {
	t.Parallel()
	a, b := tools("x"), tools("y")
	g := create(t, newGroups(t, a, b), group.Spec{Naming: group.Naming{Mode: group.Never}, Members: members(2)})
	events := make(chan group.Event, 8)
	_, stop := g.Watch(func(e group.Event) { events <- e })
	defer stop()
	wantNames(t, g, "x", "y")
	b.set("y", "x")
	wantNames(t, g, "x", "y")
	if e := <-events; len(e.LeftOut) != 1 || !strings.Contains(e.LeftOut[0], `"x" of b`) {
		t.Errorf("the event is %v", e)
	}
	if m, _, err := g.Route(t.Context(), group.Tools, "x"); err != nil || m.Name != "a" {
		t.Errorf("x leads to %v, %v", m, err)
	}
	if err := g.Remove("a"); err != nil {
		t.Fatal(err)
	}
	wantNames(t, g, "y", "x")
}

// TestExact: nothing of an item changes but its name.
func TestExact(t *testing.T) {
	t.Parallel()
	g := create(t, newGroups(t, tools("x")), group.Spec{Members: members(1)})
	items, _, err := g.List(t.Context(), group.Tools)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(items[0].JSON), `{"x":1.0,"name":"a__x","big":12345678901234567890}`; got != want {
		t.Errorf("the item is %s, want %s", got, want)
	}
	if items[0].Own != "x" || items[0].Member != members(1)[0] {
		t.Errorf("it is said to be %q of %v", items[0].Own, items[0].Member)
	}
}

var errSick = errors.New("sick")

func TestSick(t *testing.T) {
	t.Parallel()
	a, b := tools("x"), tools("y")
	b.err = errSick
	all := newGroups(t, a, b)
	if _, err := all.Create(t.Context(), "me", "closed", group.Spec{Members: members(2), FailClosed: true}); !errors.Is(err, errSick) {
		t.Errorf("creating a closed group: %v", err)
	}
	g := create(t, all, group.Spec{Members: members(2)})
	if names, missing := listed(t, g); !slices.Equal(names, []string{"a__x"}) || !slices.Equal(missing, []string{"b"}) {
		t.Errorf("tools are %q without %q", names, missing)
	}
	// Its tools are known by their names alone, and fail as it does.
	if m, own, err := g.Route(t.Context(), group.Tools, "b__y"); err != nil || m.Name != "b" || own != "y" {
		t.Errorf("b__y leads to %v, %q, %v", m, own, err)
	}
	b.fail(nil)
	wantNames(t, g, "a__x", "b__y")
	b.fail(errSick)
	if names, missing := listed(t, g); !slices.Equal(names, []string{"a__x"}) || !slices.Equal(missing, []string{"b"}) {
		t.Errorf("tools are %q without %q", names, missing)
	}
	if m, _, err := g.Route(t.Context(), group.Tools, "b__y"); err != nil || m.Name != "b" {
		t.Errorf("what was known leads to %v, %v", m, err)
	}
	var none *group.ItemNotFoundError
	if _, _, err := g.Route(t.Context(), group.Tools, "nobody__y"); !errors.As(err, &none) || !slices.Equal(none.Missing, []string{"b"}) {
		t.Errorf("an unknown name: %v", err)
	}
}

// TestHang has a member that does not answer: the list goes without it, and it
// is not asked all the time.
func TestHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := tools("x"), tools("y")
		g := create(t, newGroups(t, a, b), group.Spec{Members: members(2)})
		b.mu.Lock()
		b.hang = true
		b.mu.Unlock()
		b.changed(group.Tools)
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			began := time.Now()
			items, missing, err := g.List(ctx, group.Tools)
			cancel()
			if err != nil || len(items) != 1 || len(missing) != 1 || missing[0].Member.Name != "b" || !errors.Is(missing[0].Err, group.ErrTimeout) {
				t.Errorf("list is %v without %v, %v", items, missing, err)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("it took %v of 4 s", took)
			}
			time.Sleep(10 * time.Second)
		}
		if n, _ := b.count(); n > 4 {
			t.Errorf("it was asked %d times", n)
		}
		_, _ = listed(t, g) // in full length
		before, _ := b.count()
		_, _ = listed(t, g)
		if n, _ := b.count(); n != before {
			t.Error("it was asked again at once")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		if err := g.Add(ctx, group.Member{Name: "c", Target: "servers/b"}); err != nil {
			t.Errorf("adding a member that hangs: %v", err)
		}
		if err := g.Remove("c"); err != nil {
			t.Error(err)
		}
		g.Changed("a", group.Tools) // others are asked as ever
		if names, _ := listed(t, g); !slices.Equal(names, []string{"a__x"}) {
			t.Errorf("tools are %q", names)
		}
		time.Sleep(time.Minute)
	})
}

// TestCache counts how often members are asked.
func TestCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := tools("x")
		g := create(t, newGroups(t, a), group.Spec{Members: members(1)})
		want := func(what string, listed, observed int) {
			t.Helper()
			if l, o := a.count(); l != listed || o != observed {
				t.Errorf("%s: listed %d times, observed %d times, want %d and %d", what, l, o, listed, observed)
			}
		}
		wantNames(t, g, "a__x")
		wantNames(t, g, "a__x")
		want("at first", 1, 1)
		for range 100 {
			if _, _, err := g.Route(t.Context(), group.Tools, "a__x"); err != nil {
				t.Fatal(err)
			}
		}
		want("after calls", 1, 1)
		for range 100 {
			if _, _, err := g.Route(t.Context(), group.Tools, "a__none"); err == nil {
				t.Fatal("it is found")
			}
		}
		time.Sleep(time.Second)
		_, _, _ = g.Route(t.Context(), group.Tools, "a__none")
		want("after calls of what there is not", 1, 1)
		time.Sleep(6 * time.Second)
		_, _, _ = g.Route(t.Context(), group.Tools, "a__none")
		want("after one of them later", 2, 1)
		a.changed(group.Tools)
		wantNames(t, g, "a__x")
		want("after a change", 3, 1)
		a.during = func() { a.changed(group.Tools) }
		g.Changed("a", group.Tools)
		wantNames(t, g, "a__x")
		a.during = nil
		wantNames(t, g, "a__x")
		wantNames(t, g, "a__x")
		want("after a change while it was listed", 5, 1)
		time.Sleep(6 * time.Minute)
		wantNames(t, g, "a__x")
		want("after the TTL", 6, 1)
		time.Sleep(11 * time.Minute)
		want("at rest", 6, 0)
		wantNames(t, g, "a__x")
		want("after the rest", 7, 1)
		a.ended()
		wantNames(t, g, "a__x")
		want("after the end of the observation", 8, 2)
	})
}

func TestResources(t *testing.T) {
	t.Parallel()
	a := &source{lists: map[group.Kind][]string{
		group.Resources: {"one=mem://1", "same=mem://same"}, group.Templates: {"t=mem://{id}/x", "rest=file:///{+path}"},
	}}
	b := &source{lists: map[group.Kind][]string{group.Resources: {"one=mem://2", "same=mem://same"}}}
	g := create(t, newGroups(t, a, b), group.Spec{Members: members(2)})
	for name, test := range map[string]struct {
		uri, member string
		to, want    string
		err         error
	}{
		"listed":               {uri: "mem://2", to: "b", want: "mem://2"},
		"listed twice":         {uri: "mem://same", to: "a", want: "mem://same"},
		"of a named member":    {uri: "mem://same", member: "b", to: "b", want: "mem://same"},
		"by name":              {uri: "b__one", to: "b", want: "mem://2"},
		"by a template":        {uri: "mem://7/x", to: "a", want: "mem://7/x"},
		"by a template's path": {uri: "file:///a/b/c", to: "a", want: "file:///a/b/c"},
		"a template itself":    {uri: "mem://{id}/x", to: "a", want: "mem://{id}/x"},
		"of nobody":            {uri: "mem://7/8/x", err: new(group.ItemNotFoundError)},
		"of no member":         {uri: "mem://2", member: "z", err: new(group.MemberNotFoundError)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, uri, err := g.RouteURI(t.Context(), test.uri, test.member)
			if fmt.Sprintf("%T", err) != fmt.Sprintf("%T", test.err) || m.Name != test.to || uri != test.want {
				t.Errorf("it leads to %q of %v, %v", uri, m, err)
			}
		})
	}
}

func TestOwners(t *testing.T) {
	t.Parallel()
	w := &world{sources: map[string]*source{"servers/a": tools("x")}}
	all := group.New(map[string]group.Spec{"shared": {Members: members(1)}}, group.Options{Find: w.find, MaxGroups: 2, MaxMembers: 2})
	t.Cleanup(all.Close)
	if _, err := all.Create(t.Context(), "me", "g", group.Spec{}); err != nil {
		t.Fatal(err)
	}
	var missing *group.NotFoundError
	var exists *group.ExistsError
	var configured *group.ConfiguredError
	var quota *group.QuotaError
	if _, err := all.Get("you", "g"); !errors.As(err, &missing) {
		t.Errorf("somebody else's: %v", err)
	}
	if err := all.Delete("you", "g"); !errors.As(err, &missing) {
		t.Errorf("deleting somebody else's: %v", err)
	}
	for _, id := range []string{"g", "shared"} {
		if _, err := all.Create(t.Context(), "me", id, group.Spec{}); !errors.As(err, &exists) {
			t.Errorf("creating %s again: %v", id, err)
		}
	}
	if err := all.Delete("me", "shared"); !errors.As(err, &configured) {
		t.Errorf("deleting one of the configuration: %v", err)
	}
	shared, err := all.Get("you", "shared")
	if err != nil {
		t.Fatal(err)
	}
	wantNames(t, shared, "a__x")
	delete(w.sources, "servers/a") // to this caller it does not exist any more
	shared.Changed("a", group.Tools)
	wantNames(t, shared)
	var item *group.ItemNotFoundError
	if _, _, err := shared.Route(t.Context(), group.Tools, "a__y"); !errors.As(err, &item) || len(item.Missing) > 0 {
		t.Errorf("a tool of a server that is not there: %v", err)
	}
	w.sources["servers/a"] = tools("x")
	if err := shared.Remove("a"); !errors.As(err, &configured) {
		t.Errorf("changing one of the configuration: %v", err)
	}
	if _, err := all.Create(t.Context(), "me", "", group.Spec{}); err != nil {
		t.Error(err)
	}
	if _, err := all.Create(t.Context(), "me", "third", group.Spec{}); !errors.As(err, &quota) {
		t.Errorf("one too many: %v", err)
	}
	three := append(members(1), group.Member{Name: "b", Target: "servers/a"}, group.Member{Name: "c", Target: "servers/a"})
	if _, err := all.Create(t.Context(), "you", "big", group.Spec{Members: three}); !errors.As(err, &quota) {
		t.Errorf("too many members: %v", err)
	}
	if _, err := all.Create(t.Context(), "you", "none", group.Spec{Members: members(2)[1:]}); !errors.Is(err, errNoSuch) {
		t.Errorf("a member that is none: %v", err)
	}
	var ids []string
	for _, g := range all.List("me") {
		ids = append(ids, g.ID)
	}
	if len(ids) != 3 || !slices.IsSorted(ids) {
		t.Errorf("groups are %q", ids)
	}
	if err := all.Delete("me", "g"); err != nil {
		t.Error(err)
	}
	if _, err := all.Get("me", "g"); !errors.As(err, &missing) {
		t.Errorf("after deleting: %v", err)
	}
}

// TestConcurrent uses a group while members come, go and change.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	a, b := tools("x"), tools("y")
	g := create(t, newGroups(t, a, b), group.Spec{Members: members(1)})
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for range 200 {
				if m, _, err := g.Route(t.Context(), group.Tools, "a__x"); err != nil || m.Name != "a" {
					t.Errorf("a__x leads to %v, %v", m, err)
				}
				if _, _, err := g.List(t.Context(), group.Tools); err != nil {
					t.Error(err)
				}
			}
		})
	}
	users.Go(func() {
		for range 50 {
			if err := g.Add(t.Context(), members(2)[1]); err != nil {
				t.Error(err)
			}
			a.set("x")
			if err := g.Remove("b"); err != nil {
				t.Error(err)
			}
		}
	})
	users.Wait()
	if _, observed := b.count(); observed != 0 {
		t.Errorf("the member that is gone is observed %d times", observed)
	}
}
