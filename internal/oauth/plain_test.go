package oauth

import (
	"net/http"
	"testing"
)

type still struct{ resp *http.Response }

func (s still) RoundTrip(*http.Request) (*http.Response, error) { return s.resp, nil }

// A server that wants no token costs nothing.
func TestPlainRequestAllocatesNothing(t *testing.T) {
	b := newBench(t, Options{})
	a, err := b.manager.Authorizer(ServerConfig{URL: "https://mcp.example.com/mcp", Credentials: person(), Connections: b.connections})
	if err != nil {
		t.Fatal(err)
	}
	rt := a.For("")(still{&http.Response{StatusCode: http.StatusOK}})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://mcp.example.com/mcp", nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		resp, err := rt.RoundTrip(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
