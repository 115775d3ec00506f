package transport

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"weak"

	"golang.org/x/net/http/httpguts"
)

// The headers of MCP, in the form that net/http keeps them in.
const (
	headerVersion = "Mcp-Protocol-Version"
	headerSession = "Mcp-Session-Id"
	headerMethod  = "Mcp-Method"
	headerName    = "Mcp-Name"
	prefixParam   = "Mcp-Param-"
	headerEventID = "Last-Event-Id"
)

// CheckHeader reports every header that cannot be sent, or that is not to be set
// because MCP, HTTP or WebSocket define it. It repeats no value.
func CheckHeader(h http.Header) error {
	errs := []error{checkHeader(h)}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if reserved(http.CanonicalHeaderKey(name)) {
			errs = append(errs, fmt.Errorf("header %q: is set by the bridge itself", name))
		}
	}
	return errors.Join(errs...)
}

// checkHeader reports every configured header that cannot be sent.
func checkHeader(h http.Header) error {
	var errs []error
	seen := make(map[string]bool, len(h))
	for name, values := range h {
		canonical := http.CanonicalHeaderKey(name)
		if seen[canonical] {
			errs = append(errs, fmt.Errorf("header %q: given in two spellings", canonical))
		}
		seen[canonical] = true
		if !httpguts.ValidHeaderFieldName(name) {
			errs = append(errs, fmt.Errorf("header %q: not a valid name", name))
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				errs = append(errs, fmt.Errorf("header %q: not a valid value", name))
			}
		}
	}
	return errors.Join(errs...)
}

// baseHeader returns what every POST carries: the configured headers, then our
// own. It also returns the names of those that were left out.
func baseHeader(configured http.Header) (h http.Header, dropped []string) {
	h, dropped = configuredHeader(configured)
	h["Content-Type"] = []string{"application/json"}
	// "The client MUST include an Accept header, listing both application/json
	// and text/event-stream as supported content types"; some servers compare
	// it as text.
	h["Accept"] = []string{"application/json, text/event-stream"}
	return h, dropped
}

// configuredHeader returns the configured headers that may be sent, and the
// names of the others.
func configuredHeader(configured http.Header) (h http.Header, dropped []string) {
	h = http.Header{"User-Agent": {"mcpbridge"}}
	for name, values := range configured {
		if name = http.CanonicalHeaderKey(name); reserved(name) {
			dropped = append(dropped, name)
			continue
		}
		h[name] = slices.Clone(values)
	}
	return h, dropped
}

// reserved reports whether configuration may not set the header.
func reserved(canonical string) bool {
	switch canonical {
	case "Accept", "Accept-Encoding", "Content-Type", "Content-Length", "Content-Encoding", "Host", "Last-Event-Id",
		"Connection", "Expect", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	case "Idempotency-Key", "X-Idempotency-Key":
		// net/http takes either for leave to repeat a POST that was written.
		return true
	}
	return strings.HasPrefix(canonical, "Mcp-") || strings.HasPrefix(canonical, "Sec-Websocket-")
}

// sharedHeaders are those of all requests of a session that have nothing to add.
// They are kept only until garbage is collected: a session that is at rest, as
// most are, can do without, and makes them again. The zero value is usable. It
// may be used concurrently.
type sharedHeaders struct {
	last atomic.Pointer[lastHeaders]
}

// lastHeaders are the headers for one version and session. They are not changed.
type lastHeaders struct {
	version string
	session *string
	header  weak.Pointer[http.Header]
}

// get returns the headers for that version and session, which must not be
// changed.
func (s *sharedHeaders) get(d *HTTP, version string, session *string) http.Header {
	if last := s.last.Load(); last != nil && last.version == version && last.session == session {
		if h := last.header.Value(); h != nil {
			return *h
		}
	}
	h := d.headers(version, session)
	s.last.Store(&lastHeaders{version: version, session: session, header: weak.Make(&h)})
	return h
}

// version returns the version of the last headers, empty if there were none.
func (s *sharedHeaders) version() string {
	if last := s.last.Load(); last != nil {
		return last.version
	}
	return ""
}

// headerFor returns the headers of one request. Only a modern request has any
// of its own, and therefore a map of its own.
func (t *httpTransport) headerFor(c *httpCall, e *Envelope, method string) (http.Header, error) {
	if e.Modern || e.Handshake {
		c.session = nil
	} else {
		c.session = t.session.Load()
	}
	h := t.headers.get(t.dialer, e.Version, c.session)
	if !e.Modern {
		return h, nil
	}
	h = maps.Clone(h)
	c.values = [2]string{method, encodeHeader(e.Name)}
	h[headerMethod] = c.values[0:1:1]
	if e.Name != "" {
		h[headerName] = c.values[1:2:2]
	}
	for _, p := range e.Parameters {
		if !httpguts.ValidHeaderFieldName(p.Name) {
			return nil, fmt.Errorf("parameter %.80q: not a valid name of a header", p.Name)
		}
		h[http.CanonicalHeaderKey(prefixParam+p.Name)] = []string{encodeHeader(p.Value)}
	}
	return h, nil
}

// headers returns new headers for a version and session; empty and nil: none.
func (d *HTTP) headers(version string, session *string) http.Header {
	h := maps.Clone(d.header)
	if version != "" {
		h[headerVersion] = []string{version}
	}
	if session != nil {
		h[headerSession] = []string{*session}
	}
	return h
}

// eventsHeader returns the headers of a GET for an event stream that goes on
// after lastID, if there is one.
func (d *HTTP) eventsHeader(version string, session *string, lastID string) http.Header {
	h := d.headers(version, session)
	delete(h, "Content-Type")
	h["Accept"] = []string{"text/event-stream"}
	if lastID != "" {
		h[headerEventID] = []string{lastID}
	}
	return h
}

// The frame of a header value that is not plain (spec 2026-07-28,
// basic/transports/streamable-http, "Value Encoding").
const (
	encodedPrefix = "=?base64?"
	encodedSuffix = "?="
)

// encodeHeader returns v as it is if all of it is printable ASCII, no space is
// at its ends, and nobody could take it for an encoded value; else encoded.
func encodeHeader(v string) string {
	plain := !strings.HasPrefix(v, " ") && !strings.HasSuffix(v, " ") &&
		!(strings.HasPrefix(v, encodedPrefix) && strings.HasSuffix(v, encodedSuffix))
	for i := 0; plain && i < len(v); i++ {
		plain = v[i] >= 0x20 && v[i] <= 0x7e
	}
	if plain {
		return v
	}
	return encodedPrefix + base64.StdEncoding.EncodeToString([]byte(v)) + encodedSuffix
}

// visibleASCII reports whether s is a session id by the specification: "The
// session ID MUST only contain visible ASCII characters (ranging from 0x21 to
// 0x7E)".
func visibleASCII(s string) bool {
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e {
			return false
		}
	}
	return s != ""
}
