package mcp_test

import (
	"errors"
	"math"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

func TestSendProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		session := s.open(t, mcp.Options{}, mcp.Profile{})
		total := 2.5
		for _, err := range []error{
			session.SendProgress(t.Context(), mcp.Progress{Token: []byte(`"t\/"`), Progress: 1, Total: &total, Message: "half"}),
			session.SendProgress(t.Context(), mcp.Progress{Token: []byte(`9007199254740993`), Meta: []byte(`{}`)}),
			session.SendProgress(t.Context(), mcp.Progress{Token: []byte(`1`), Progress: 2, Meta: []byte(`{"a":1.0,"progressToken":5,"b":[]}`)}),
		} {
			if err != nil {
				t.Error(err)
			}
		}
		if err := session.SendProgress(t.Context(), mcp.Progress{Token: []byte(`0`), Progress: math.NaN()}); err == nil {
			t.Error("no number was sent")
		}
		want := []string{
			`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t\/","progress":1,"total":2.5,"message":"half"}}`,
			`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":9007199254740993,"progress":0}}`,
			`{"jsonrpc":"2.0","method":"notifications/progress","params":{"_meta":{"a":1.0,"b":[]},"progressToken":1,"progress":2}}`,
		}
		if got := s.got(); !slices.Equal(got, want) {
			t.Errorf("the server got %q", got)
		}
	})
}

func TestRootsChanged(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		modern, declared bool
		want             int
	}{
		"declared":   {declared: true, want: 1},
		"undeclared": {},
		"modern":     {modern: true, declared: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{modern: tt.modern}
				session := s.open(t, mcp.Options{}, mcp.Profile{Capabilities: mcp.Capabilities{Roots: tt.declared}})
				if err := session.RootsChanged(t.Context()); err != nil {
					t.Error(err)
				}
				if got := s.got(); len(got) != tt.want || tt.want > 0 && got[0] != `{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}` {
					t.Errorf("the server got %q", got)
				}
				var unsupported *mcp.UnsupportedError
				if err := session.SendProgress(t.Context(), mcp.Progress{Token: []byte(`1`), Progress: 1}); errors.As(err, &unsupported) != tt.modern {
					t.Errorf("progress: %v", err)
				}
			})
		})
	}
}
