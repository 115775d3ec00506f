package config

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Policy says which servers a caller may bring along in Connect, beside the
// configured ones. The zero value allows none.
type Policy struct {
	AllowURLs             []URLPattern
	AllowPrivateAddresses bool       // allowed URLs may lead to loopback, private and link-local addresses
	AllowCommands         [][]string // complete argument lists, compared element by element
}

// AllowsURL reports whether a caller may have u connected to. What address the
// host of u has is not looked at: that is for the dialler to judge, with
// AllowPrivateAddresses.
func (p Policy) AllowsURL(u *url.URL) bool {
	return slices.ContainsFunc(p.AllowURLs, func(pattern URLPattern) bool { return pattern.Match(u) })
}

// AllowsCommand reports whether a caller may have argv run.
func (p Policy) AllowsCommand(argv []string) bool {
	return slices.ContainsFunc(p.AllowCommands, func(allowed []string) bool { return slices.Equal(allowed, argv) })
}

// URLPattern is a set of URLs: "https://mcp.example.com", optionally with a
// port and a path. A host that begins with "*." stands for every name below the
// rest, a path that ends with "/" for everything below it, no path for all
// paths, no port for the usual one of the scheme, and the port "*" for any. The
// zero value matches nothing.
type URLPattern struct {
	scheme, host, port, path string
}

// ParseURLPattern reads a pattern.
func ParseURLPattern(text string) (URLPattern, error) {
	text, anyPort := cutAnyPort(text)
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || defaultPort(u.Scheme) == "" {
		return URLPattern{}, errors.New(`is not a URL pattern; write "https://mcp.example.com/" or "https://*.example.com"`)
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return URLPattern{}, errors.New("has a user, a query or a fragment; leave them out")
	}
	if strings.Contains(strings.TrimPrefix(u.Hostname(), "*."), "*") {
		return URLPattern{}, errors.New(`has a "*" that is not the first label of the host; write "https://*.example.com"`)
	}
	if strings.Contains(u.EscapedPath(), "*") {
		return URLPattern{}, errors.New(`has a "*" in its path; end the path with "/" to allow everything below it`)
	}
	port := portOf(u)
	if anyPort && u.Port() == "" {
		port = anyOfThem
	}
	return URLPattern{u.Scheme, strings.ToLower(u.Hostname()), port, u.EscapedPath()}, nil
}

// anyOfThem is the port of a pattern that does not care.
const anyOfThem = "*"

// cutAnyPort takes the port "*", which is none of a URL, out of a pattern.
func cutAnyPort(text string) (rest string, found bool) {
	scheme, rest, ok := strings.Cut(text, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host, found := strings.CutSuffix(rest[:end], ":"+anyOfThem)
	if !ok || !found {
		return text, false
	}
	return scheme + "://" + host + rest[end:], true
}

// Match reports whether u is in the set. A URL with a user, or with "." or ".."
// for a path segment, is in no set: what server it means depends on who reads
// it.
func (p URLPattern) Match(u *url.URL) bool {
	if p.scheme == "" || u.User != nil || u.Scheme != p.scheme || p.port != anyOfThem && p.port != portOf(u) {
		return false
	}
	return p.matchHost(strings.ToLower(u.Hostname())) && p.matchPath(u)
}

func (p URLPattern) matchHost(host string) bool {
	if suffix, ok := strings.CutPrefix(p.host, "*"); ok {
		return len(host) > len(suffix) && strings.HasSuffix(host, suffix)
	}
	return host == p.host
}

func (p URLPattern) matchPath(u *url.URL) bool {
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return p.path == "" || path == p.path || strings.HasSuffix(p.path, "/") && strings.HasPrefix(path, p.path)
}

// String writes the pattern as [ParseURLPattern] reads it.
func (p URLPattern) String() string {
	if p.scheme == "" {
		return ""
	}
	host := p.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if p.port != defaultPort(p.scheme) {
		host += ":" + p.port
	}
	return fmt.Sprintf("%s://%s%s", p.scheme, host, p.path)
}

func portOf(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	return defaultPort(u.Scheme)
}

// defaultPort returns the port that scheme implies, and "" for a scheme that no
// MCP server is reached by.
func defaultPort(scheme string) string {
	switch scheme {
	case "https", "wss":
		return "443"
	case "http", "ws":
		return "80"
	}
	return ""
}
