package config

import (
	"net/url"
	"strings"
	"testing"
)

func TestPolicyAllowsURL(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pattern string
		allowed []string
		refused []string
	}{
		"host": {
			"https://mcp.example.com",
			[]string{"https://mcp.example.com", "https://mcp.example.com/", "https://MCP.example.com:443/a?b=c"},
			[]string{
				"http://mcp.example.com", "wss://mcp.example.com", "https://mcp.example.com:8443", "https://example.com",
				"https://mcp.example.com.evil", "https://evil/mcp.example.com", "https://u@mcp.example.com",
			},
		},
		"names below": {
			"https://*.example.com",
			[]string{"https://a.example.com", "https://a.b.example.com/x"},
			[]string{"https://example.com", "https://.example.com", "https://evilexample.com", "https://a.example.com.evil"},
		},
		"paths below": {
			"https://example.com/mcp/",
			[]string{"https://example.com/mcp/", "https://example.com/mcp/a/b"},
			[]string{
				"https://example.com/mcp", "https://example.com/mcp2", "https://example.com", "https://example.com/mcp/../admin",
				"https://example.com/mcp/%2e%2e/admin", "https://example.com/mcp/a%2f..%2f..%2fadmin", "https://example.com/mcp/./a",
			},
		},
		"one path": {
			"wss://example.com:8443/mcp",
			[]string{"wss://example.com:8443/mcp", "wss://example.com:8443/mcp?a=b"},
			[]string{"wss://example.com:8443/mcp/", "wss://example.com/mcp", "wss://example.com:8443/MCP"},
		},
		"any port": {
			"http://localhost:*/mcp/",
			[]string{"http://localhost/mcp/", "http://localhost:8080/mcp/", "http://localhost:1/mcp/a"},
			[]string{"https://localhost:8080/mcp/", "http://localhost:8080/", "http://localhost.example.com:8080/mcp/"},
		},
		"root": {
			"https://example.com/",
			[]string{"https://example.com", "https://example.com/a"},
			[]string{"https://other.example.com/"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := Policy{AllowURLs: []URLPattern{mustPattern(t, test.pattern)}}
			for _, text := range test.allowed {
				if !policy.AllowsURL(mustURL(t, text)) {
					t.Errorf("%s refuses %s", test.pattern, text)
				}
			}
			for _, text := range test.refused {
				if policy.AllowsURL(mustURL(t, text)) {
					t.Errorf("%s allows %s", test.pattern, text)
				}
			}
		})
	}
}

func TestPolicyZeroAllowsNothing(t *testing.T) {
	t.Parallel()
	var policy Policy
	policy.AllowURLs = []URLPattern{{}}
	if policy.AllowsURL(mustURL(t, "https://example.com")) || policy.AllowsURL(&url.URL{}) {
		t.Error("the zero pattern allows a URL")
	}
	if policy.AllowsCommand([]string{"true"}) || policy.AllowsCommand(nil) {
		t.Error("the zero policy allows a command")
	}
}

func TestPolicyAllowsCommand(t *testing.T) {
	t.Parallel()
	policy := Policy{AllowCommands: [][]string{{"npx", "-y", "server"}}}
	for name, test := range map[string]struct {
		argv []string
		want bool
	}{
		"the same":     {[]string{"npx", "-y", "server"}, true},
		"more":         {[]string{"npx", "-y", "server", "--eval"}, false},
		"less":         {[]string{"npx", "-y"}, false},
		"another path": {[]string{"./npx", "-y", "server"}, false},
		"joined":       {[]string{"npx -y server"}, false},
		"none":         {nil, false},
	} {
		if got := policy.AllowsCommand(test.argv); got != test.want {
			t.Errorf("%s: AllowsCommand(%q) = %t, want %t", name, test.argv, got, test.want)
		}
	}
}

func TestParseURLPattern(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{ // part of the error, "" for none
		"https://example.com":         "",
		"https://*.example.com:8443/": "",
		"http://localhost:*":          "",
		"http://localhost:*/mcp":      "",
		"wss://[::1]/mcp":             "",
		"http://[::1]:8080":           "",
		"example.com":                 "is not a URL pattern",
		"ftp://example.com":           "is not a URL pattern",
		"https://":                    "is not a URL pattern",
		"https://u@example.com":       "a user",
		"https://example.com?a":       "a query",
		"https://example.com/#a":      "a fragment",
		"https://a*.example.com":      "first label",
		"https://*":                   "first label",
		"https://a.*.com":             "first label",
		"https://example.com/a/*":     "in its path",
	} {
		pattern, err := ParseURLPattern(text)
		switch {
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("ParseURLPattern(%q) error = %v, want %q", text, err, want)
		case want == "" && err != nil:
			t.Errorf("ParseURLPattern(%q) error = %v", text, err)
		case want == "" && pattern.String() != text:
			t.Errorf("ParseURLPattern(%q).String() = %q", text, pattern.String())
		}
	}
}

func mustPattern(t *testing.T, text string) URLPattern {
	t.Helper()
	pattern, err := ParseURLPattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return pattern
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
