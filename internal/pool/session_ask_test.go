package pool_test

import (
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// A server that was told of no roots is told of them with the next call, if it
// is told with calls.
func TestRootsUndeclared(t *testing.T) {
	t.Parallel()
	roots := json.RawMessage(`[{"uri":"file:///a"}]`)
	for name, tt := range map[string]struct {
		modern bool
		open   pool.OpenParams
		want   error
	}{
		"legacy":         {want: pool.ErrRootsUndeclared},
		"legacy, shared": {open: pool.OpenParams{Lease: true}, want: pool.ErrRootsUndeclared},
		"the caller's":   {open: pool.OpenParams{Capabilities: mcp.Capabilities{Roots: true}}},
		"modern":         {modern: true},
		"modern, shared": {modern: true, open: pool.OpenParams{Lease: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &fakeDialer{modern: tt.modern}
				s := open(t, newPool(t, d, &pool.Server{}, pool.Options{}), tt.open)
				before := s.Capabilities()
				if err := s.SetRoots(t.Context(), roots); !errors.Is(err, tt.want) {
					t.Fatalf("got %v, want %v", err, tt.want)
				}
				want := before
				want.Roots = tt.want == nil
				if s.Capabilities() != want || (s.Roots() != nil) != want.Roots {
					t.Errorf("answers %+v with the roots %s", s.Capabilities(), s.Roots())
				}
			})
		})
	}
}
