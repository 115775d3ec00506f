package group_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/group"
)

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
