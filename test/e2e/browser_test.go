package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestBrowser checks what web pages may do to a bridge: nothing, unless they are
// of an origin that the operator has named.
func TestBrowser(t *testing.T) {
	t.Parallel()
	closed := start(t, setup{})
	open := start(t, setup{
		config: "http: {allowed_origins: [\"https://app.example.com\"], allowed_hosts: [bridge.example.com]}\n",
	})
	const (
		app      = "Origin: https://app.example.com"
		evil     = "Origin: https://evil.example.com"
		typeJSON = "Content-Type: application/json"
		typeText = "Content-Type: text/plain"
	)
	for name, tt := range map[string]struct {
		bridge  *bridge
		headers []string
		status  int
	}{
		"no browser":                     {bridge: closed, status: 200},
		"another host":                   {bridge: closed, headers: []string{"Host: evil.example.com"}, status: 403},
		"a host that is allowed":         {bridge: open, headers: []string{"Host: bridge.example.com"}, status: 200},
		"another host beside it":         {bridge: open, headers: []string{"Host: evil.example.com"}, status: 403},
		"localhost by name":              {bridge: closed, headers: []string{"Host: localhost:1234"}, status: 200},
		"a page":                         {bridge: closed, headers: []string{app, typeJSON}, status: 403},
		"a page without an origin":       {bridge: closed, headers: []string{"Origin: null", typeJSON}, status: 403},
		"a page that hides its origin":   {bridge: closed, headers: []string{"Sec-Fetch-Site: cross-site", typeJSON}, status: 403},
		"a page of an allowed origin":    {bridge: open, headers: []string{app, typeJSON}, status: 200},
		"a form of an allowed origin":    {bridge: open, headers: []string{app, typeText}, status: 415},
		"a page of another origin":       {bridge: open, headers: []string{evil, typeJSON}, status: 403},
		"a page of the bridge's own":     {bridge: closed, headers: []string{"Origin: " + closed.restURL, typeJSON}, status: 403},
		"two origins, one of them right": {bridge: open, headers: []string{app, evil, typeJSON}, status: 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			web := newWeb(t)
			r := web.do(t, http.MethodPost, tt.bridge.restURL+"/v1/servers/demo/tools/echo:call", `{"arguments":{"message":"hi"}}`, tt.headers...)
			if r.status != tt.status {
				t.Errorf("HTTP status %d, want %d: %s", r.status, tt.status, r.body)
			}
			if done := strings.Contains(string(r.body), `"hi"`); done != (tt.status == http.StatusOK) {
				t.Errorf("the call was made: %t", done)
			}
			wantOrigin := ""
			if tt.status == http.StatusOK && slices.Contains(tt.headers, app) {
				wantOrigin = "https://app.example.com"
			}
			if got := r.header.Get("Access-Control-Allow-Origin"); got != wantOrigin {
				t.Errorf("Access-Control-Allow-Origin is %q, want %q", got, wantOrigin)
			}
		})
	}
	t.Run("preflight", func(t *testing.T) {
		t.Parallel()
		testPreflight(t, open, "https://app.example.com", http.StatusNoContent)
		testPreflight(t, open, "https://evil.example.com", http.StatusForbidden)
		testPreflight(t, closed, "https://app.example.com", http.StatusForbidden)
	})
}

func testPreflight(t *testing.T, b *bridge, origin string, want int) {
	t.Helper()
	r := newWeb(t).do(t, http.MethodOptions, b.restURL+"/v1/servers/demo/tools/echo:call", "",
		"Origin: "+origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type, traceparent")
	if r.status != want {
		t.Errorf("preflight of %s: HTTP status %d, want %d", origin, r.status, want)
	}
	allowed := want == http.StatusNoContent
	if got := r.header.Get("Access-Control-Allow-Origin"); (got == origin) != allowed {
		t.Errorf("preflight of %s: Access-Control-Allow-Origin is %q", origin, got)
	}
	for header, part := range map[string]string{
		"Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": "content-type",
	} {
		if got := r.header.Get(header); strings.Contains(got, part) != allowed {
			t.Errorf("preflight of %s: %s is %q", origin, header, got)
		}
	}
}
