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

// What a server says to somebody whom it knows is not shown to others.
func TestWhatServerSaid(t *testing.T) {
	t.Parallel()
	telling := func(what string) *mcp.Client {
		return mcp.NewClient(&fakeDialer{declares: `{"experimental":{"` + what + `":{}}}`}, mcp.Options{})
	}
	own := func(a pool.Access) *mcp.Client { return telling("to " + a.Principal + a.Fingerprint) }
	const nothing = ""
	for name, tt := range map[string]struct {
		// personal and shared are the server's, own says that it has clients of the
		// principals' own.
		personal, shared, own bool

		open *pool.OpenParams
		// a and b are what these see after a call of a, or the opening of a session.
		a, b string
	}{
		"the same for all":          {a: "to all", b: "to all"},
		"personal credentials":      {own: true, a: "to a", b: nothing},
		"forwarded headers":         {personal: true, a: "to all", b: nothing},
		"shared":                    {own: true, shared: true, a: "to ", b: "to "},
		"a session":                 {open: &pool.OpenParams{}, a: "to all", b: "to all"},
		"a session's credentials":   {open: &pool.OpenParams{Client: telling("to one")}, a: nothing, b: nothing},
		"a session's fingerprint":   {own: true, open: &pool.OpenParams{Access: pool.Access{Fingerprint: "1"}}, a: nothing, b: nothing},
		"a session, as a is known":  {own: true, open: &pool.OpenParams{}, a: "to a", b: nothing},
		"a session beside a shared": {own: true, shared: true, open: &pool.OpenParams{}, a: "to a", b: nothing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &pool.Server{Client: telling("to all"), Personal: tt.personal, Shared: tt.shared}
			if tt.own {
				s.ClientFor = own
			}
			p := newPool(t, nil, s, pool.Options{})
			if tt.open != nil {
				tt.open.Principal = "a"
				open(t, p, *tt.open)
			} else if u, err := p.Shared("s", "a"); err != nil {
				t.Fatal(err)
			} else if _, err := ping(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			for principal, want := range map[string]string{"a": tt.a, "b": tt.b} {
				if want != nothing {
					want = `{"experimental":{"` + want + `":{}}}`
				}
				if _, said, _ := p.ServerStatus(s, principal); string(said.Capabilities) != want {
					t.Errorf("%s sees %q, not %q", principal, said.Capabilities, want)
				}
			}
			if s.Era() != mcp.EraLegacy || s.ProtocolVersion() != "2025-11-25" {
				t.Errorf("the server speaks %v, %q", s.Era(), s.ProtocolVersion())
			}
		})
	}
}
