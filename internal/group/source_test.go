package group_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

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
