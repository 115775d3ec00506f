package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Auth says how callers prove who they are.
type Auth struct {
	Methods   []string // AuthPreshared and so on; none, or AuthNone, means that callers are not asked
	Preshared Preshared
	OIDC      OIDC
}

// The values of [Auth].Methods.
const (
	AuthNone      = "none"
	AuthPreshared = "preshared"
	AuthOIDC      = "oidc"
	AuthMTLS      = "mtls"
)

// Preshared are tokens that the operator gives out.
type Preshared struct {
	TokensFile string // read again when it changes
	Tokens     []Secret
}

// OIDC is an issuer of tokens.
type OIDC struct {
	Issuer         string
	Audiences      []string
	PrincipalClaim string
	Algorithms     []string
	ClockSkew      time.Duration
}

// TLS is that of the gRPC and the REST listener.
type TLS struct {
	CertFile          string // "" means no TLS; read again when it changes, as are the others
	KeyFile           string
	ClientCAFile      string // "" means that clients are not asked for certificates
	RequireClientCert bool
}

// Principal bounds what one authenticated caller may do at a time.
type Principal struct {
	Sessions     int
	ConnectRate  float64 // new sessions a second
	ConnectBurst int     // new sessions at once
	Calls        int     // in flight
	Bytes        int64   // of requests in flight
}

// Enabled reports whether callers are authenticated.
func (a Auth) Enabled() bool {
	return slices.ContainsFunc(a.Methods, func(method string) bool { return method != AuthNone })
}

// Has reports whether callers may authenticate by the method.
func (a Auth) Has(method string) bool { return slices.Contains(a.Methods, method) }

// algorithms are the signatures that can be accepted: those with a key that only
// the issuer has.
func algorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

func authSettings(c *Config) []setting {
	methods := choices(&c.Auth.Methods, AuthNone, AuthPreshared, AuthOIDC, AuthMTLS)
	return []setting{
		{key: "auth.methods", sep: listSep, value: methods,
			help: "How callers prove who they are: preshared, oidc, mtls, or several of them. None by default."},
		{key: "auth.preshared.tokens_file", paths: true, value: text(&c.Auth.Preshared.TokensFile),
			help: "File of tokens, one on a line: principal, token or sha256:hash, claims. It is read again when it changes."},
		{key: "auth.preshared.tokens", sep: ";", value: secrets{&c.Auth.Preshared.Tokens},
			help: "Further tokens, in the same form; in the variable with \";\" in between."},
		{key: "auth.oidc.issuer", value: single[string]{&c.Auth.OIDC.Issuer, verbatim, asIs, issuerRule},
			help: "URL of the issuer whose tokens are believed, exactly as its tokens have it."},
		{key: "auth.oidc.audiences", sep: listSep, value: names(&c.Auth.OIDC.Audiences),
			help: "Names of the bridge at the issuer: a token has to be for one of them."},
		{key: "auth.oidc.principal_claim", value: text(&c.Auth.OIDC.PrincipalClaim),
			help: "Claim that tells callers apart. Choose one that never passes to somebody else."},
		{key: "auth.oidc.algorithms", sep: listSep, value: choices(&c.Auth.OIDC.Algorithms, algorithms()...),
			help: "Signatures to accept. Those with shared keys, such as HS256, never are."},
		{key: "auth.oidc.clock_skew", value: duration(&c.Auth.OIDC.ClockSkew, 0),
			help: "By how much the clock of the issuer may differ."},
		{key: "tls.cert_file", paths: true, value: text(&c.TLS.CertFile),
			help: "Certificate for gRPC and REST, in PEM, with those of its issuers. It and the next two are read again when they change."},
		{key: "tls.key_file", paths: true, value: text(&c.TLS.KeyFile),
			help: "Its key."},
		{key: "tls.client_ca_file", paths: true, value: text(&c.TLS.ClientCAFile),
			help: "Certificates of those who vouch for clients."},
		{key: "tls.require_client_cert", value: boolean(&c.TLS.RequireClientCert),
			help: "Accept no connection without a client's certificate, whatever else proves who is calling."},
	}
}

func principalSettings(c *Config) []setting {
	return []setting{
		{key: "principal.sessions", value: count(&c.Principal.Sessions),
			help: "Sessions of one authenticated caller at a time. Callers that are not authenticated have only `sessions.max`."},
		{key: "principal.connect_rate", value: factor(&c.Principal.ConnectRate, 0.001),
			help: "Sessions that it may open a second, in the long run."},
		{key: "principal.connect_burst", value: count(&c.Principal.ConnectBurst),
			help: "Sessions that it may open at once."},
		{key: "principal.calls", value: count(&c.Principal.Calls),
			help: "Its calls in flight, streams included."},
		{key: "principal.bytes", value: size(&c.Principal.Bytes, kib),
			help: "Bytes of the requests of these calls."},
	}
}

// issuerRule: what tokens are believed hangs on what the issuer's URL answers.
func issuerRule(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || strings.Contains(text, "#") {
		return errors.New(`is not the URL of an issuer; write it as in "https://issuer.example.com"`)
	}
	if u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()) {
		return nil
	}
	return errors.New("has to begin with https://, or anybody on the way could make up keys")
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// checkAuth finds what does not fit together.
func (c *Config) checkAuth() Problems {
	var found Problems
	need := func(ok bool, key, message string) {
		if !ok {
			found = append(found, Problem{Key: key, Message: message})
		}
	}
	a, t := c.Auth, c.TLS
	need(!a.Has(AuthNone) || len(a.Methods) == 1, "auth.methods", "has none among others; remove it or them")
	need(!a.Has(AuthPreshared) || a.Preshared.TokensFile != "" || len(a.Preshared.Tokens) > 0,
		"auth.preshared.tokens_file", "is missing, and so is auth.preshared.tokens; nobody could call")
	need(a.Has(AuthPreshared) || a.Preshared.TokensFile == "", "auth.preshared.tokens_file", notAmong(AuthPreshared))
	need(a.Has(AuthPreshared) || len(a.Preshared.Tokens) == 0, "auth.preshared.tokens", notAmong(AuthPreshared))
	need(!a.Has(AuthOIDC) || a.OIDC.Issuer != "", "auth.oidc.issuer", "is missing; write the URL of the issuer")
	need(!a.Has(AuthOIDC) || len(a.OIDC.Audiences) > 0, "auth.oidc.audiences",
		"is missing; a token that the issuer made for another service would be good here")
	need(!a.Has(AuthOIDC) || len(a.OIDC.Algorithms) > 0, "auth.oidc.algorithms", "is empty; no token would be good")
	need(a.Has(AuthOIDC) || a.OIDC.Issuer == "", "auth.oidc.issuer", notAmong(AuthOIDC))
	need(!a.Has(AuthMTLS) || t.ClientCAFile != "", "tls.client_ca_file", "is missing; auth.methods has mtls")
	need((t.CertFile == "") == (t.KeyFile == ""), "tls", "has one of cert_file and key_file; write the other")
	need(t.ClientCAFile == "" || t.CertFile != "", "tls.client_ca_file", "needs tls.cert_file")
	need(!t.RequireClientCert || t.ClientCAFile != "", "tls.require_client_cert", "needs tls.client_ca_file")
	return found
}

func notAmong(method string) string {
	return fmt.Sprintf("is not used: add %s to auth.methods", method)
}

// checkAccess finds rules that tell callers apart where nobody can.
func (c *Config) checkAccess(s Server, add func(field, message string)) {
	if c.Auth.Enabled() {
		return
	}
	const fix = "tells callers apart, and nothing does; set auth.methods"
	if len(s.Allow) > 0 {
		add("allow", fix)
	}
	for field, rules := range map[string][]string{"allow_tools": s.AllowTools, "deny_tools": s.DenyTools} {
		if slices.ContainsFunc(rules, func(rule string) bool { return strings.Contains(rule, forWhom) }) {
			add(field, fix)
		}
	}
}

// forWhom stands in a rule on tools before the principals that it is for.
const forWhom = " for "

// callers is a list of sets of principals.
func callers(dst *[]string) value { return texts(dst, whoRule) }

// tools is a list of rules on tools.
func tools(dst *[]string) value {
	return texts(dst, func(text string) error {
		pattern, whom, some := strings.Cut(text, forWhom)
		switch {
		case pattern == "":
			return errors.New(`names no tool; write "get_*"`)
		case some:
			return whoRule(whom)
		}
		return nil
	})
}

func whoRule(text string) error {
	kind, rest, _ := strings.Cut(text, ":")
	switch kind {
	case AuthPreshared, AuthOIDC, AuthMTLS:
		return nil
	case "claim":
		if name, value, ok := strings.Cut(rest, "="); ok && name != "" && value != "" {
			return nil
		}
	}
	return errors.New(`names nobody; write "preshared:…", "oidc:…", "mtls:…" or "claim:name=value"`)
}

// warnings are what is allowed and yet worth a look.
func (c *Config) warnings() Problems {
	var found Problems
	if c.Auth.Enabled() && c.InsecureNoAuth {
		found = append(found, Problem{Key: "insecure_no_auth",
			Message: "does not let strangers call: auth.methods holds; remove it"})
	}
	if !c.Auth.Enabled() || c.TLS.CertFile != "" {
		return found
	}
	for _, l := range c.listeners()[:2] {
		if !l.addr.Local() {
			found = append(found, Problem{Key: l.key, Message: "tokens are readable on the network, unless a proxy adds TLS; set tls.cert_file and tls.key_file"})
		}
	}
	return found
}
