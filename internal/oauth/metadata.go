package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// A resource is an MCP server in the eyes of its authorization servers.
type resource struct {
	// uri is the resource indicator of RFC 8707.
	uri     string
	issuers []string
	scopes  []string
	// old: there is no metadata of the resource, so the server may be one of
	// 2025-03-26, which is its own authorization server.
	old bool
}

const wellKnownResource = "/.well-known/oauth-protected-resource"

// discoverResource finds the metadata of the MCP server at u: at the URL that
// its challenge names, if any, else at the well-known ones (RFC 9728, 3.1).
func discoverResource(ctx context.Context, client *http.Client, u *url.URL, hint string) (*resource, error) {
	candidates := []string{originOf(u) + wellKnownResource + strings.TrimSuffix(u.EscapedPath(), "/"), originOf(u) + wellKnownResource}
	if hint != "" {
		candidates = append([]string{hint}, candidates...)
	}
	var failure error
	for _, candidate := range slices.Compact(candidates) {
		m, err := resourceMetadata(ctx, client, u, candidate)
		switch {
		case err == nil:
			return readResource(u, m)
		case !errors.Is(err, errAbsent):
			failure = errors.Join(failure, err)
		}
	}
	if failure != nil {
		return nil, fmt.Errorf("find out who authorizes: %w", failure)
	}
	return &resource{uri: canonical(u), issuers: []string{originOf(u)}, old: true}, nil
}

// resourceMetadata gets one candidate, which may be at the server's own origin
// however that is reached.
func resourceMetadata(ctx context.Context, client *http.Client, server *url.URL, raw string) (*oauthex.ProtectedResourceMetadata, error) {
	at, err := url.Parse(raw)
	if err != nil || !sameOrigin(at, server) {
		if at, err = checkEndpoint(raw); err != nil {
			return nil, &RefusedError{Problem: "the URL of the server's metadata is not acceptable", Err: err}
		}
	}
	m := new(oauthex.ProtectedResourceMetadata)
	return m, fetchJSON(ctx, client, at, m)
}

// readResource checks the metadata: if the resource is not the one that was
// asked, "the information contained in the response MUST NOT be used" (RFC 9728,
// 3.3). A parent of the MCP endpoint is accepted, as the specification has it
// that metadata may be for a whole host.
func readResource(u *url.URL, m *oauthex.ProtectedResourceMetadata) (*resource, error) {
	if !covers(m.Resource, u) {
		return nil, refusedf("the server's metadata is for another resource than the server")
	}
	if len(m.AuthorizationServers) == 0 {
		return nil, refusedf("the server's metadata names no authorization server")
	}
	return &resource{uri: m.Resource, issuers: m.AuthorizationServers, scopes: m.ScopesSupported}, nil
}

// covers reports whether the resource identifier is u or a parent of it.
func covers(identifier string, u *url.URL) bool {
	r, err := url.Parse(identifier)
	if err != nil || r.Fragment != "" || r.RawQuery != "" && r.RawQuery != u.RawQuery || !sameOrigin(r, u) {
		return false
	}
	parent, path := strings.TrimSuffix(r.EscapedPath(), "/"), strings.TrimSuffix(u.EscapedPath(), "/")
	return path == parent || strings.HasPrefix(path, parent+"/")
}

// canonical is the "canonical URI" of a server: without fragment, and without
// the slash that is all of its path.
func canonical(u *url.URL) string {
	c := *u
	c.Fragment, c.RawFragment = "", ""
	c.Scheme, c.Host = strings.ToLower(c.Scheme), strings.ToLower(c.Host)
	if c.Path == "/" {
		c.Path = ""
	}
	return c.String()
}

func originOf(u *url.URL) string { return u.Scheme + "://" + u.Host }

// A server is an authorization server.
type server struct {
	oauthex.AuthServerMeta

	// blind: it has no metadata, and is used at the paths that 2025-03-26 gives
	// (spec 2025-03-26, basic/authorization#fallbacks-for-servers-without-metadata-discovery).
	blind bool
}

// discoverServer finds the metadata of the authorization server called issuer.
// old permits it to have none.
func discoverServer(ctx context.Context, client *http.Client, issuer string, old bool) (*server, error) {
	u, err := checkEndpoint(issuer)
	if err != nil {
		return nil, &RefusedError{Problem: "the issuer's name is not acceptable", Err: err}
	}
	for _, candidate := range serverCandidates(u) {
		s := new(server)
		err := fetchJSON(ctx, client, candidate, &s.AuthServerMeta)
		if errors.Is(err, errAbsent) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("find the authorization server's endpoints: %w", err)
		}
		return s, s.check(issuer)
	}
	if !old {
		return nil, refusedf("the authorization server has no metadata")
	}
	return &server{blind: true, AuthServerMeta: oauthex.AuthServerMeta{
		Issuer: issuer, AuthorizationEndpoint: issuer + "/authorize", TokenEndpoint: issuer + "/token", RegistrationEndpoint: issuer + "/register",
	}}, nil
}

// serverCandidates are where metadata may be, "in the following order" (spec
// 2025-11-25, basic/authorization#authorization-server-metadata-discovery).
func serverCandidates(issuer *url.URL) []*url.URL {
	const oauth, openID = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
	path := strings.TrimSuffix(issuer.Path, "/")
	paths := []string{oauth + path, openID + path}
	if path != "" {
		paths = append(paths, path+openID)
	}
	all := make([]*url.URL, len(paths))
	for i, p := range paths {
		all[i] = &url.URL{Scheme: issuer.Scheme, Host: issuer.Host, Path: p}
	}
	return all
}

// check: the issuer "MUST be identical to the authorization server's issuer
// identifier" that led here (RFC 8414, 3.3).
func (s *server) check(issuer string) error {
	if s.Issuer != issuer {
		return refusedf("the authorization server's metadata is that of another issuer")
	}
	for _, endpoint := range []string{s.AuthorizationEndpoint, s.TokenEndpoint, s.RegistrationEndpoint} {
		if endpoint == "" {
			continue
		}
		if _, err := checkEndpoint(endpoint); err != nil {
			return &RefusedError{Problem: "an endpoint of the authorization server is not acceptable", Err: err}
		}
	}
	if s.TokenEndpoint == "" {
		return refusedf("the authorization server has no token endpoint")
	}
	return nil
}

// checkPKCE: "If code_challenge_methods_supported is absent, the authorization
// server does not support PKCE and MCP clients MUST refuse to proceed".
func (s *server) checkPKCE() error {
	if s.blind || slices.Contains(s.CodeChallengeMethodsSupported, "S256") {
		return nil
	}
	return refusedf("the authorization server does not support PKCE with S256")
}
