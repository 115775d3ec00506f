package mcp_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// A server that wants URLs to be opened first is asked once more when they were
// accepted.
func TestURLElicitationRequired(t *testing.T) {
	t.Parallel()
	const data = `{"elicitations":[` + urlParams + `,` + urlParams + `]}`
	accept := answers(`{"action":"accept"}`)
	unasked := func(context.Context, mcp.Question) (mcp.Answer, error) {
		panic("asked")
	}
	for name, tt := range map[string]struct {
		data, version string
		ask           mcp.Ask
		manual, never bool
		declares      mcp.Capabilities
		want          string // empty for a result, input, or error
		rounds        int
	}{
		"accepted":            {ask: accept, rounds: 2},
		"again":               {ask: accept, never: true, want: "input", rounds: 2},
		"declined":            {ask: answers(`{"action":"decline"}`), want: "input", rounds: 1},
		"nobody":              {ask: nobody, want: "input", rounds: 1},
		"no Ask":              {want: "input", rounds: 1},
		"by hand":             {ask: unasked, manual: true, want: "input", rounds: 1},
		"not declared":        {ask: unasked, declares: mcp.Capabilities{ElicitationForm: true}, want: "error", rounds: 1},
		"an older revision":   {ask: unasked, version: mcp.Version20250618, want: "error", rounds: 1},
		"no URLs":             {ask: unasked, data: `{"elicitations":[]}`, want: "error", rounds: 1},
		"no data":             {ask: unasked, data: `null`, want: "error", rounds: 1},
		"not all well-formed": {ask: unasked, data: `{"elicitations":[` + urlParams + `,` + formParams + `]}`, want: "error", rounds: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{version: tt.version}
				s.handle = func(context.Context, *transport.Request) (*transport.Response, error) {
					if tt.data == "" {
						tt.data = data
					}
					if !tt.never && len(s.made()) == 2 {
						return result(complete), nil
					}
					return refusal(-32042, tt.data), nil
				}
				if tt.declares == (mcp.Capabilities{}) {
					tt.declares = everything()
				}
				session := s.open(t, mcp.Options{}, mcp.Profile{Capabilities: tt.declares})
				c := mcp.CallTool("tool", nil)
				c.Ask, c.Manual = tt.ask, tt.manual
				_, err := session.Call(t.Context(), c)
				var required *mcp.InputRequiredError
				var je *jsonrpc.Error
				switch {
				case errors.As(err, &required) != (tt.want == "input"), errors.As(err, &je) != (tt.want == "error"), (err == nil) != (tt.want == ""):
					t.Errorf("got %v", err)
				case required != nil:
					const entry = `{"method":"elicitation/create","params":` + urlParams + `}`
					if want := `{"inputRequests":{"0":` + entry + `,"1":` + entry + `}}`; string(required.Result) != want {
						t.Errorf("asked %s, want %s", required.Result, want)
					}
				}
				made := s.made()
				if len(made) != tt.rounds {
					t.Fatalf("%d rounds", len(made))
				}
				if len(made) == 2 && (made[0].ID == made[1].ID || !slices.Equal(made[0].Params, made[1].Params)) {
					t.Errorf("the second round is %s", made[1].Params)
				}
			})
		})
	}
}
