package group_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mcpbridge/mcpbridge/internal/group"
)

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
