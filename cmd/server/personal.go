package main

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
	"google.golang.org/grpc/metadata"

	"github.com/mcpbridge/mcpbridge/internal/config"
	"github.com/mcpbridge/mcpbridge/internal/oauth"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// A personal is what a server gets to see of one caller.
type personal struct {
	principal string
	// header wins over the configured one.
	header http.Header
	// credentials stand in for the configured ones. Nil: there are none.
	credentials *oauth.Credentials
}

// over returns the configured headers with the caller's in their place.
// Credentials of a caller's own are not mixed with the operator's.
func (p personal) over(configured map[string]config.Secret) http.Header {
	header := make(http.Header, len(configured)+len(p.header))
	for name, value := range configured {
		header.Set(name, value.Reveal())
	}
	if p.credentials != nil {
		header.Del("Authorization")
	}
	maps.Copy(header, p.header)
	return header
}

// isPersonal reports whether the server sees one caller differently from another
// without their doing.
func isPersonal(s config.Server) bool {
	switch s.EffectiveGrant() {
	case config.GrantAuthorizationCode:
		return true
	case config.GrantEnterprise:
		return s.OAuth.IDTokenHeader != ""
	}
	return false
}

// authorizedWrap returns what gets tokens for a configured server, nil if nothing
// does.
func (u *upstreams) authorizedWrap(name string, s config.Server, p personal) (func(http.RoundTripper) http.RoundTripper, error) {
	grant := s.EffectiveGrant()
	if p.credentials == nil && (grant == config.GrantNone || p.header.Get("Authorization") != "") {
		return nil, nil
	}
	c := oauth.ServerConfig{Name: name, URL: s.URL.Reveal(), Connections: u.metadataConnections(s)}
	principal := p.principal
	if p.credentials != nil {
		c.Credentials = *p.credentials
	} else {
		credentials, err := configuredCredentials(s)
		if err != nil {
			return nil, err
		}
		c.Credentials, c.Configured = credentials, true
		if !isPersonal(s) {
			principal = "" // the token is the bridge's own
		}
	}
	a, err := u.oauth.Authorizer(c)
	if err != nil {
		return nil, err
	}
	return a.For(principal), nil
}

// callerWrap returns what gets tokens for a server that a caller brought.
func (u *upstreams) callerWrap(endpoint string, p personal) (func(http.RoundTripper) http.RoundTripper, error) {
	if p.credentials == nil && p.header.Get("Authorization") != "" {
		return nil, nil
	}
	c := oauth.ServerConfig{URL: endpoint, Connections: transport.Traced(u.guarded, propagator(config.DefaultServer())), Credentials: oauth.Credentials{Grant: oauth.AuthorizationCode}}
	if p.credentials != nil {
		c.Credentials = *p.credentials
	}
	a, err := u.oauth.Authorizer(c)
	if err != nil {
		return nil, err
	}
	return a.For(p.principal), nil
}

// configuredCredentials are the operator's for a server.
func configuredCredentials(s config.Server) (oauth.Credentials, error) {
	o := s.OAuth
	c := oauth.Credentials{
		Grant: oauth.Grant(s.EffectiveGrant()), Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: o.ClientSecret.Reveal(),
		Scopes: o.Scopes, RedirectURI: o.RedirectURI,
	}
	if text := o.PrivateKey.Reveal(); text != "" {
		key, err := oauth.ParseKey(text, o.SigningAlgorithm, o.KeyID)
		if err != nil {
			return c, err
		}
		c.Key = key
	}
	if c.Grant == oauth.Enterprise {
		c.Identity = &oauth.Identity{
			Issuer: o.IDPIssuer, TokenEndpoint: o.IDPTokenEndpoint, ClientID: o.IDPClientID, ClientSecret: o.IDPClientSecret.Reveal(),
			Token: idToken(o),
		}
	}
	return c, nil
}

// idToken returns what finds the ID token of a call.
func idToken(o config.ServerOAuth) func(context.Context) (string, error) {
	if o.IDTokenHeader == "" {
		return func(context.Context) (string, error) { return o.IDToken.Reveal(), nil }
	}
	name := strings.ToLower(o.IDTokenHeader)
	return func(ctx context.Context) (string, error) {
		values := metadata.ValueFromIncomingContext(ctx, name)
		if len(values) == 0 || values[0] == "" {
			return "", &oauth.RefusedError{Problem: "the call has no ID token in its metadata " + name}
		}
		return strings.TrimPrefix(values[0], "Bearer "), nil
	}
}

// metadataConnections carry what a configured server's word leads to. One at a
// public address has no business inside the network.
func (u *upstreams) metadataConnections(s config.Server) http.RoundTripper {
	at, err := url.Parse(s.URL.Reveal())
	if s.OAuth.AllowPrivate || err == nil && isPrivateHost(at.Hostname()) {
		return transport.Traced(u.private, propagator(s))
	}
	return transport.Traced(u.public, propagator(s))
}

// isPrivateHost reports whether a host is by its name one of one's own network.
func isPrivateHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback() || addr.IsPrivate()
	}
	host = strings.ToLower(host)
	return !strings.Contains(host, ".") || strings.HasSuffix(host, ".localhost") ||
		strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal")
}

// forwarding returns what sends metadata of the call along, by the names of the
// configuration, around inner, which may be nil.
func forwarding(names map[string]string, inner func(http.RoundTripper) http.RoundTripper) func(http.RoundTripper) http.RoundTripper {
	if len(names) == 0 {
		return inner
	}
	return func(base http.RoundTripper) http.RoundTripper {
		if inner != nil {
			base = inner(base)
		}
		return &forwarder{base: base, names: names}
	}
}

type forwarder struct {
	base http.RoundTripper
	// names are those of the metadata, to those of the headers.
	names map[string]string
}

func (f *forwarder) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	var header http.Header
	for from, to := range f.names {
		values := metadata.ValueFromIncomingContext(ctx, from)
		if len(values) == 0 || !httpguts.ValidHeaderFieldValue(values[0]) {
			continue
		}
		if header == nil {
			header = maps.Clone(req.Header)
		}
		header[http.CanonicalHeaderKey(to)] = []string{values[0]}
	}
	if header != nil {
		req = req.WithContext(ctx)
		req.Header = header
	}
	return f.base.RoundTrip(req)
}

// checkForwards refuses headers that are not a caller's to set.
func checkForwards(s config.Server) error {
	header := make(http.Header, len(s.ForwardHeaders))
	for _, to := range s.ForwardHeaders {
		header.Set(to, "")
	}
	if err := transport.CheckHeader(header); err != nil {
		return errors.Join(errors.New("forward_headers"), err)
	}
	return nil
}

// callbackURL is where browsers reach the bridge's own callback, unless the
// operator says otherwise.
func callbackURL(cfg *config.Config, rest net.Listener) string {
	if cfg.OAuth.RedirectURI != "" || rest == nil {
		return cfg.OAuth.RedirectURI
	}
	host, port, err := net.SplitHostPort(rest.Addr().String())
	if err != nil {
		return ""
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.IsUnspecified() {
		host = "localhost"
	}
	scheme := "http"
	if cfg.TLS.CertFile != "" {
		scheme = "https"
	}
	return (&url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port), Path: callbackPath}).String()
}
