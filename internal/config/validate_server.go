package config

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// serverKey returns the key of a server's field, "servers.github.url". A name
// that is not a plain word is quoted: `servers["a.b"].url`.
func serverKey(name, field string) string {
	key := "servers." + name
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isWord(r) }) {
		key = "servers[" + strconv.Quote(name) + "]"
	}
	if field == "" {
		return key
	}
	return key + "." + field
}

func isWord(r rune) bool {
	return r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

func (c *Config) checkServer(name string) Problems {
	s := c.Servers[name]
	found := checkAll(serverKey(name, "")+".", serverSettings(&s))
	add := func(field, message string) {
		found = append(found, Problem{Key: serverKey(name, field), Message: message})
	}
	if name == "" {
		add("", "the name is empty; give the server one")
	}
	if s.Stateful && s.Shared {
		add("shared", "a stateful server cannot be shared: callers would see each other's state; remove one of the two")
	}
	c.checkAccess(s, add)
	if s.Stateful && s.MaxUpstreams > 1 {
		add("max_upstreams", "calls on the name of a stateful server are refused, so they share no connections; remove one of the two")
	}
	if s.WarmUpstreams > 0 && s.WarmUpstreams >= s.MaxUpstreams {
		add("warm_upstreams", "is not below max_upstreams; raise that, so that there can be spare ones")
	}
	switch s.Type {
	case "":
		add("", s.typeless())
	case TypeStdio:
		s.checkCommand(add)
	case TypeHTTP, TypeSSE:
		s.checkURL(add, "http", "https")
	case TypeWebSocket:
		s.checkURL(add, "ws", "wss")
	default:
		add("type", fmt.Sprintf("%q is none of stdio, http, sse, websocket", s.Type))
	}
	return found
}

// typeless says why no type could be told.
func (s Server) typeless() string {
	switch command, url := s.Command != "", s.URL.Reveal() != ""; {
	case command && url:
		return "has both a command and a url; remove one, or write the type"
	case command || url:
		return "has no type; write stdio, http, sse or websocket"
	}
	return "has neither a command to run nor a url to connect to; write one of them"
}

func (s Server) checkCommand(add func(field, message string)) {
	if s.Command == "" {
		add("command", "is missing; write the program to run")
	}
	if s.URL.Reveal() != "" {
		add("url", "a stdio server is reached by its command; remove the url or the type")
	}
	for _, text := range slices.Concat([]string{s.Command, s.Cwd}, s.Args) {
		if strings.Contains(text, "\x00") {
			add("command", "has a NUL character in it or in its arguments or cwd; remove it")
			break
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(s.Env[name].Reveal(), "\x00") {
			add("env."+name, "cannot be an environment variable; names have no \"=\" and neither part a NUL character")
		}
	}
}

func (s Server) checkURL(add func(field, message string), schemes ...string) {
	if s.Command != "" {
		add("command", fmt.Sprintf("a server of type %s is reached by its url; remove the command or the type", s.Type))
	}
	s.checkHeaders(add)
	s.checkForwards(add)
	s.checkOAuth(add)
	if s.URL.Reveal() == "" {
		add("url", fmt.Sprintf("is missing; write the address of the server, as in %q", schemes[1]+"://mcp.example.com/mcp"))
		return
	}
	// The text of a URL, and so the error of url.Parse, may hold a secret.
	u, err := url.Parse(s.URL.Reveal())
	if err != nil || u.Hostname() == "" {
		add("url", fmt.Sprintf("is not a complete URL; write it as in %q", schemes[1]+"://mcp.example.com/mcp"))
		return
	}
	if !slices.Contains(schemes, u.Scheme) {
		add("url", fmt.Sprintf("a server of type %s has a URL that begins with %s://",
			s.Type, strings.Join(schemes, ":// or ")))
	}
	if u.User != nil {
		add("url", "has a user or password in it; send them as headers.Authorization")
	}
	if u.Fragment != "" {
		add("url", "has a part after #, which is never sent; remove it")
	}
}

func (s Server) checkHeaders(add func(field, message string)) {
	seen := make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		lower := strings.ToLower(name)
		if other, ok := seen[lower]; ok {
			add("headers."+name, "is the same header as "+other+"; keep one")
		}
		seen[lower] = name
		if !isToken(name) {
			add("headers."+name, "is not a header name; use letters, digits and dashes")
		}
		if strings.ContainsFunc(s.Headers[name].Reveal(), func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			add("headers."+name, "has a line break or control character in its value; remove it")
		}
	}
}

// isToken reports whether name is a token of RFC 9110, section 5.6.2.
func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !isWord(r) && !strings.ContainsRune("!#$%&'*+.^`|~", r)
	})
}
