package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// obtain gets a token in place of used, which has met the challenge c; nil: it
// has expired. A nil error without a token means that the server has to be asked
// without one, for a challenge.
func (x *access) obtain(ctx context.Context, used *token, c *challenge) error {
	if c == nil {
		return x.extend(ctx, used)
	}
	x.mu.Lock()
	waiting := x.waitingLocked(c.scopes)
	x.mu.Unlock()
	if waiting != nil {
		return waiting.required()
	}
	r, err := discoverResource(ctx, x.a.fetcher, x.a.url, c.metadata)
	if err != nil {
		return err
	}
	issuer, err := x.a.issuer(r, used)
	if err != nil {
		return err
	}
	s, err := discoverServer(ctx, x.a.fetcher, issuer, r.old)
	if err != nil {
		return err
	}
	if used != nil && used.Issuer != issuer {
		x.forget(ctx, used)
		used = nil
	}
	if used != nil && used.Refresh != "" && !c.insufficient {
		if done, err := x.refresh(ctx, used); done {
			return err
		}
	}
	return x.grant(ctx, r, s, x.scopes(used, c, r, s))
}

// scopes are those to ask for: "1. Use scope parameter from the initial
// WWW-Authenticate header [...] 2. If scope is not available, use all scopes
// defined in scopes_supported" of the resource, else none (spec 2025-11-25,
// basic/authorization#scope-selection-strategy). What is asked for to step up
// comes on top of what there was.
func (x *access) scopes(used *token, c *challenge, r *resource, s *server) []string {
	var wanted []string
	switch configured := x.a.cfg.Credentials.Scopes; {
	case len(configured) > 0:
		wanted = union(configured, nil)
	case len(c.scopes) > 0:
		wanted = union(c.scopes, nil)
	default:
		wanted = union(r.scopes, nil)
	}
	if c.insufficient {
		wanted = union(wanted, c.scopes)
		if used != nil {
			wanted = union(used.Scopes, wanted)
		}
	}
	const offline = "offline_access"
	if x.a.cfg.Credentials.Grant == AuthorizationCode && slices.Contains(s.ScopesSupported, offline) {
		wanted = union(wanted, []string{offline})
	}
	return wanted
}

func union(a, b []string) []string {
	var all []string
	for _, s := range slices.Concat(a, b) {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// grant gets a token in the way of the credentials.
func (x *access) grant(ctx context.Context, r *resource, s *server, scopes []string) error {
	credentials := x.a.cfg.Credentials
	if credentials.Grant == AuthorizationCode {
		return x.ask(ctx, r, s, scopes)
	}
	c, err := knownClient(credentials, s)
	if err != nil {
		return err
	}
	return x.regrant(ctx, tokenRequest{
		issuer: s.Issuer, endpoint: s.TokenEndpoint, resource: r.uri, client: c, key: credentials.Key, scopes: scopes,
	})
}

// regrant gets a token that takes no person.
func (x *access) regrant(ctx context.Context, req tokenRequest) error {
	req.form = url.Values{"grant_type": {"client_credentials"}}
	if x.a.cfg.Credentials.Grant == Enterprise {
		identity, err := x.a.cfg.Credentials.Identity.Token(ctx)
		if err != nil {
			return err
		}
		assertion, err := x.assertion(ctx, req, identity)
		if err != nil {
			return err
		}
		req.identity = fingerprintOf(identity)
		req.form = url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	}
	if len(req.scopes) > 0 {
		req.form.Set("scope", strings.Join(req.scopes, " "))
	}
	t, err := req.fetch(ctx, x.a.fetcher)
	if err != nil {
		return err
	}
	x.a.bind(ctx, req.issuer)
	x.keep(ctx, t)
	return nil
}

// current is the client that a token was issued to, with the secret of today.
func (a *Authorizer) current(c client) client {
	if c.ID == a.cfg.Credentials.ClientID {
		c.Secret = a.cfg.Credentials.ClientSecret
	}
	return c
}

// extend replaces a token that has expired without asking the MCP server. What it
// knows of the authorization server may be out of date: if that refuses, the token
// is forgotten, and all is found out anew.
func (x *access) extend(ctx context.Context, used *token) error {
	if used.Refresh != "" {
		if done, err := x.refresh(ctx, used); done {
			return err
		}
		return nil
	}
	err := x.regrant(ctx, tokenRequest{
		issuer: used.Issuer, endpoint: used.Endpoint, resource: used.Resource,
		client: x.a.current(used.Client), key: x.a.cfg.Credentials.Key, scopes: used.Scopes,
	})
	var refused *RefusedError
	if errors.As(err, &refused) {
		x.forget(ctx, used)
		return nil
	}
	return err
}

// refresh trades the refresh token in. It is not done if the authorization server
// does not take it any more; then both tokens are forgotten.
func (x *access) refresh(ctx context.Context, used *token) (done bool, err error) {
	req := tokenRequest{
		issuer: used.Issuer, endpoint: used.Endpoint, resource: used.Resource,
		client: x.a.current(used.Client), key: x.a.cfg.Credentials.Key, scopes: used.Scopes, identity: used.Identity,
		form: url.Values{"grant_type": {"refresh_token"}, "refresh_token": {used.Refresh}},
	}
	t, err := req.fetch(ctx, x.a.fetcher)
	var refused *RefusedError
	switch {
	case err == nil:
	case errors.As(err, &refused):
		x.a.m.opts.Logger.InfoContext(ctx, "token is not refreshed", "server", x.a.cfg.Name, "code", refused.Code)
		if refused.Code == codeInvalidClient {
			x.a.forgetClient(used)
		}
		x.forget(ctx, used)
		return false, nil
	default:
		return true, err
	}
	if t.Refresh == "" { // it stays good, unless a new one comes (RFC 6749, 6)
		t.Refresh = used.Refresh
	}
	x.keep(ctx, t)
	return true, nil
}

// forgetClient forgets a registration that the authorization server does not
// know any more, so that the next consent begins with a new one.
func (a *Authorizer) forgetClient(t *token) {
	if t.Client.Registered {
		_ = a.store().Put(clientKey(t.Issuer, a.redirect()), nil) // a new one is put over it
	}
}

// redirect is where a person's browser is sent afterwards.
func (a *Authorizer) redirect() string {
	if r := a.cfg.Credentials.RedirectURI; r != "" {
		return r
	}
	return a.m.opts.RedirectURI()
}

// assertion exchanges the caller's ID token at the identity provider for a grant
// at the authorization server (RFC 8693, SEP-990).
func (x *access) assertion(ctx context.Context, req tokenRequest, identity string) (string, error) {
	id := x.a.cfg.Credentials.Identity
	endpoint := id.TokenEndpoint
	if endpoint == "" {
		s, err := discoverServer(ctx, x.a.fetcher, id.Issuer, false)
		if err != nil {
			return "", err
		}
		endpoint = s.TokenEndpoint
	}
	if _, err := checkEndpoint(endpoint); err != nil {
		return "", &RefusedError{Problem: "the identity provider's token endpoint is not acceptable", Err: err}
	}
	credentials := &oauthex.ClientCredentials{ClientID: id.ClientID}
	if id.ClientSecret != "" {
		credentials.ClientSecretAuth = &oauthex.ClientSecretAuth{ClientSecret: id.ClientSecret}
	}
	granted, err := oauthex.ExchangeToken(ctx, endpoint, &oauthex.TokenExchangeRequest{
		RequestedTokenType: oauthex.TokenTypeIDJAG, Audience: req.issuer, Resource: req.resource, Scope: req.scopes,
		SubjectToken: identity, SubjectTokenType: oauthex.TokenTypeIDToken,
	}, credentials, bounded(x.a.fetcher))
	if err != nil {
		// The error holds the reply, which may hold anything.
		return "", refusedf("the identity provider does not vouch for the caller")
	}
	if granted.Extra("issued_token_type") != oauthex.TokenTypeIDJAG {
		return "", refusedf("the identity provider issued something else than an identity assertion")
	}
	return granted.AccessToken, nil
}

// bounded returns a client whose replies are of the length that fetches may have,
// for libraries that read them.
func bounded(c *http.Client) *http.Client {
	b := *c
	b.Transport = boundedReplies{c.Transport}
	return &b
}

type boundedReplies struct{ base http.RoundTripper }

func (b boundedReplies) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.base.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxFetchBytes)
	}
	return resp, err
}
