package pool_test

import (
	"slices"
	"testing"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

func TestAccess(t *testing.T) {
	t.Parallel()
	d := &fakeDialer{modern: true}
	client := mcp.NewClient(d, mcp.Options{})
	var seen []pool.Access
	p := newPool(t, d, &pool.Server{ClientFor: func(a pool.Access) *mcp.Client {
		seen = append(seen, a)
		return client
	}}, pool.Options{})
	for _, principal := range []string{"a", "b", "a"} {
		u, err := p.Shared("s", principal)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ping(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	for _, mark := range []string{"", "one", "two", "one"} {
		open(t, p, pool.OpenParams{Principal: "a", Access: pool.Access{Fingerprint: mark, Credentials: mark}})
	}
	want := []pool.Access{{Principal: "a"}, {Principal: "b"}, {"a", "one", "one"}, {"a", "two", "two"}}
	if !slices.Equal(seen, want) || d.dials.Load() != 4 {
		t.Errorf("asked for %+v, %d dials", seen, d.dials.Load())
	}
}
