package gateway

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/grpc/codes"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// preflightAge is for how many seconds a browser may remember a preflight.
const preflightAge = "600"

// A browserPolicy decides on requests that a web page may have had a hand in. A
// page can make its reader's browser send requests to this listener, loopback
// or not: openly, which the headers Origin and Sec-Fetch-Site give away, or by
// a host name of its own that leads here (DNS rebinding), which Host gives away.
type browserPolicy struct {
	hosts   map[string]bool // lower case, with or without port
	origins map[string]bool // lower case
}

func newBrowserPolicy(hosts, origins []string) (*browserPolicy, error) {
	p := &browserPolicy{
		hosts:   map[string]bool{"localhost": true, "127.0.0.1": true, "[::1]": true},
		origins: make(map[string]bool),
	}
	for _, host := range hosts {
		p.hosts[strings.ToLower(host)] = true
	}
	for _, origin := range origins {
		// "null" is every sandboxed page there is, and "*" is every page.
		if u, err := url.Parse(origin); err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != origin || strings.Contains(origin, "*") {
			return nil, fmt.Errorf("allowed origin %q is not of the form https://app.example.com", origin)
		}
		p.origins[strings.ToLower(origin)] = true
	}
	return p, nil
}

// check returns why r is refused, nil if it is not.
func (p *browserPolicy) check(r *http.Request) error {
	if !p.hosts[strings.ToLower(r.Host)] && !p.hosts[hostName(r.Host)] {
		return forbidden("host %.256q is not one that this bridge answers to; see http.allowed_hosts", r.Host)
	}
	origins := r.Header["Origin"]
	if len(origins) == 0 && r.Header["Sec-Fetch-Site"] == nil {
		return nil // no browser
	}
	page := r.URL.Path == pathIndex || r.URL.Path == pathOpenAPI || r.URL.Path == CallbackPath
	switch {
	case len(origins) == 0 && page && r.Method == http.MethodGet:
		return nil // anybody may come here: nothing happens without a secret in the address
	case !p.fromAllowed(r):
		return forbidden("web pages of origin %.256q may not use this bridge; see http.allowed_origins", strings.Join(origins, ", "))
	case r.Method == http.MethodPost && !isJSON(r.Header["Content-Type"]):
		return newFailure(http.StatusUnsupportedMediaType, codes.InvalidArgument, mcpbridgev1.Reason_REASON_INVALID_REQUEST,
			"from a web page the content type has to be "+typeJSON)
	}
	return nil
}

// fromAllowed reports whether the page that r is from is of an allowed origin.
func (p *browserPolicy) fromAllowed(r *http.Request) bool {
	switch origins := r.Header["Origin"]; len(origins) {
	case 0: // not sent with a GET to the page's own origin
		sites, host := r.Header["Sec-Fetch-Site"], strings.ToLower(r.Host)
		return len(sites) == 1 && sites[0] == "same-origin" && (p.origins["https://"+host] || p.origins["http://"+host])
	case 1:
		return p.origins[strings.ToLower(origins[0])]
	default:
		return false
	}
}

// answer tells the browser what the page may see and do, for a request that has
// passed check. It reports whether that was all that was asked.
func (p *browserPolicy) answer(h http.Header, r *http.Request) (done bool) {
	if len(p.origins) > 0 {
		h.Add("Vary", "Origin")
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "Allow, Mcpbridge-Delivery, Mcpbridge-Reason, Mcpbridge-Reinitialized, Retry-After, WWW-Authenticate")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
	h.Set("Access-Control-Allow-Headers", allowedHeaders(r.Header.Get("Access-Control-Request-Headers")))
	h.Set("Access-Control-Max-Age", preflightAge)
	return true
}

// allowedHeaders are those that mean something here, and of the requested ones
// those that become metadata.
func allowedHeaders(requested string) string {
	allowed := []string{"authorization", "content-type", "grpc-timeout", "request-timeout", "traceparent", "tracestate"}
	for name := range strings.SplitSeq(requested, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		if strings.HasPrefix(name, "grpc-metadata-") && isToken(name) {
			allowed = append(allowed, name)
		}
	}
	return strings.Join(allowed, ", ")
}

// isToken reports whether name is made of letters, digits, "-", "_" and ".",
// like any name of metadata.
func isToken(name string) bool {
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}

// hostName returns the lower case of a Host header without its port, "" if that
// is no number.
func hostName(host string) string {
	host = strings.ToLower(host)
	colon := strings.LastIndexByte(host, ':')
	if colon < 0 || strings.HasSuffix(host, "]") {
		return host
	}
	if strings.Trim(host[colon+1:], "0123456789") != "" {
		return ""
	}
	return host[:colon]
}

func isJSON(types []string) bool {
	if len(types) != 1 {
		return false
	}
	t, _, err := mime.ParseMediaType(types[0])
	return err == nil && t == typeJSON
}
