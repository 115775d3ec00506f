package config

import (
	"encoding/base64"
	"errors"
	"maps"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

// OAuth is what the bridge is to the authorization servers of MCP servers.
type OAuth struct {
	RedirectURI       string // "" is /oauth/callback at the REST listener
	ClientMetadataURL string // "" means that there is no client id metadata document
	ClientName        string
	TokensFile        string // "" keeps tokens in memory
	TokensKeyFile     string // has the key of TokensFile, 32 bytes in base64
	TokensKey         Secret // the same, by the environment
}

// ServerOAuth is how one server is authorized at.
type ServerOAuth struct {
	Grant            string
	Issuer           string // the one the client is known to; "" is the first that the server names
	ClientID         string
	ClientSecret     Secret
	PrivateKey       Secret // PKCS #8 in PEM, in place of a secret
	SigningAlgorithm string
	KeyID            string
	Scopes           []string // "" are those that the server names
	RedirectURI      string   // "" is that of the bridge
	AllowPrivate     bool     // the authorization server may be at a private address

	// Of GrantEnterprise: the identity provider, and where the caller's ID token is.
	IDPIssuer        string
	IDPTokenEndpoint string
	IDPClientID      string
	IDPClientSecret  Secret
	IDToken          Secret
	IDTokenHeader    string
}

// The values of [ServerOAuth].Grant.
const (
	GrantAuto              = "auto" // authorization code, if the server asks for it
	GrantNone              = "none"
	GrantAuthorizationCode = "authorization_code"
	GrantClientCredentials = "client_credentials"
	GrantEnterprise        = "enterprise"
)

func oauthSettings(c *Config) []setting {
	return []setting{
		{key: "oauth.redirect_uri", value: checkedText(&c.OAuth.RedirectURI, webURLRule),
			help: "Where authorization servers send a person's browser: /oauth/callback of the REST listener, as browsers reach it."},
		{key: "oauth.client_metadata_url", value: checkedText(&c.OAuth.ClientMetadataURL, documentRule),
			help: "URL of the bridge's client id metadata document, which is its client id where that is supported."},
		{key: "oauth.client_name", value: checkedText(&c.OAuth.ClientName, nil),
			help: "What authorization servers show to persons who are asked for consent."},
		{key: "oauth.tokens_file", paths: true, value: checkedText(&c.OAuth.TokensFile, nil),
			help: "File to keep tokens in, encrypted. Without it they are lost when the bridge stops."},
		{key: "oauth.tokens_key_file", paths: true, value: checkedText(&c.OAuth.TokensKeyFile, nil),
			help: "File with its key: 32 bytes in base64, as from `openssl rand -base64 32`."},
		{key: "oauth.tokens_key", value: secretText(&c.OAuth.TokensKey),
			help: "The key itself; meant for the variable."},
	}
}

// serverOAuthSettings return the settings of a server under oauth, in whose
// values references are replaced.
func serverOAuthSettings(o *ServerOAuth) []setting {
	return []setting{
		{key: "oauth.grant", value: checkedText(&o.Grant, grantRule),
			help: "How tokens are obtained. `auto` is `authorization_code` if the server asks for it, and nothing else sends it `Authorization`."},
		{key: "oauth.issuer", value: checkedText(&o.Issuer, webURLRule),
			help: "The authorization server that knows the client. By default the first that the server names."},
		{key: "oauth.client_id", value: checkedText(&o.ClientID, nil),
			help: "Client id. Without it the bridge registers itself, or uses `oauth.client_metadata_url`."},
		{key: "oauth.client_secret", value: secretText(&o.ClientSecret),
			help: "Client secret."},
		{key: "oauth.private_key", value: secretText(&o.PrivateKey),
			help: "Key to prove who the client is in place of a secret (private_key_jwt): PKCS #8 in PEM."},
		{key: "oauth.signing_algorithm", value: checkedText(&o.SigningAlgorithm, nil),
			help: "JWS algorithm of the key, such as `ES256`. By default the usual one for its type."},
		{key: "oauth.key_id", value: checkedText(&o.KeyID, nil),
			help: "Key id to send along."},
		{key: "oauth.scopes", sep: listSep, value: names(&o.Scopes),
			help: "Scopes to ask for in place of those that the server names."},
		{key: "oauth.redirect_uri", value: checkedText(&o.RedirectURI, nil),
			help: "In place of the bridge's `oauth.redirect_uri`; the caller hands over what arrives there (CompleteAuthorization)."},
		{key: "oauth.allow_private_addresses", value: boolean(&o.AllowPrivate),
			help: "The authorization server may be at a private address. It may anyway if the server's own URL names one, or localhost."},
		{key: "oauth.idp_issuer", value: checkedText(&o.IDPIssuer, webURLRule),
			help: "Identity provider that vouches for callers (`enterprise`)."},
		{key: "oauth.idp_token_endpoint", value: checkedText(&o.IDPTokenEndpoint, webURLRule),
			help: "Its token endpoint, where it has no metadata."},
		{key: "oauth.idp_client_id", value: checkedText(&o.IDPClientID, nil),
			help: "Client id of the bridge there."},
		{key: "oauth.idp_client_secret", value: secretText(&o.IDPClientSecret),
			help: "Client secret there."},
		{key: "oauth.id_token", value: secretText(&o.IDToken),
			help: "ID token of one identity for all callers."},
		{key: "oauth.id_token_header", value: checkedText(&o.IDTokenHeader, tokenRule),
			help: "Metadata of the call that has the caller's ID token, such as `x-id-token`."},
	}
}

func checkedText(dst *string, rule func(string) error) value {
	parse := func(text string) (string, error) { return text, nil }
	optional := func(text string) error {
		if text == "" || rule == nil {
			return nil
		}
		return rule(text)
	}
	return single[string]{dst, parse, asIs, optional}
}

// secretText is text that is not printed.
func secretText(dst *Secret) value {
	parse := func(text string) (Secret, error) { return NewSecret(text), nil }
	format := func(s Secret) string {
		if s.Reveal() == "" {
			return ""
		}
		return redacted
	}
	return single[Secret]{dst, parse, format, nil}
}

func grantRule(text string) error {
	grants := []string{GrantAuto, GrantNone, GrantAuthorizationCode, GrantClientCredentials, GrantEnterprise}
	return choice(&text, grants...).check()
}

func webURLRule(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("is not a complete URL that begins with https:// or http://")
	}
	return nil
}

// documentRule: "The client_id URL MUST use the https scheme and contain a path
// component" (spec 2025-11-25, basic/authorization#client-id-metadata-documents).
func documentRule(text string) error {
	if u, err := url.Parse(text); err != nil || u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") == "" {
		return errors.New(`has to be an https:// URL with a path, as in "https://bridge.example.com/client.json"`)
	}
	return nil
}

func tokenRule(text string) error {
	if !isToken(text) {
		return errors.New("is not a header name; use letters, digits and dashes")
	}
	return nil
}

// checkOAuth finds what does not fit together in the bridge's own settings.
func (c *Config) checkOAuth() Problems {
	o := c.OAuth
	keys := 0
	for _, key := range []string{o.TokensKeyFile, o.TokensKey.Reveal()} {
		if key != "" {
			keys++
		}
	}
	switch {
	case o.TokensFile != "" && keys != 1:
		return Problems{{Key: "oauth.tokens_file", Message: "needs one key: set oauth.tokens_key_file, or the variable MCPBRIDGE_OAUTH_TOKENS_KEY"}}
	case o.TokensFile == "" && keys != 0:
		return Problems{{Key: "oauth.tokens_file", Message: "is missing, but there is a key for it; write the file's path"}}
	}
	if text := o.TokensKey.Reveal(); text != "" {
		if key, err := base64.StdEncoding.DecodeString(text); err != nil || len(key) != 32 {
			return Problems{{Key: "oauth.tokens_key", Message: "is not 32 bytes in base64; make one with: openssl rand -base64 32"}}
		}
	}
	return nil
}

// checkOAuth finds what does not fit together in those of a server.
func (s Server) checkOAuth(add func(field, message string)) {
	need := func(ok bool, field, message string) {
		if !ok {
			add(field, message)
		}
	}
	o := s.OAuth
	secret, key := o.ClientSecret.Reveal() != "", o.PrivateKey.Reveal() != ""
	need(!secret || !key, "oauth.private_key", "stands beside oauth.client_secret; keep one")
	switch o.Grant {
	case GrantClientCredentials:
		need(o.ClientID != "", "oauth.client_id", "is missing")
		need(secret || key, "oauth.client_secret", "is missing, and so is oauth.private_key; write one")
	case GrantEnterprise:
		need(o.ClientID != "", "oauth.client_id", "is missing")
		need(o.IDPIssuer != "" || o.IDPTokenEndpoint != "", "oauth.idp_issuer", "is missing")
		need(o.IDPClientID != "", "oauth.idp_client_id", "is missing")
		need((o.IDToken.Reveal() == "") != (o.IDTokenHeader == ""), "oauth.id_token_header", "or oauth.id_token is needed, and not both")
		need(!s.Shared || o.IDTokenHeader == "", "oauth.id_token_header", "is a caller's own, and the server is shared; remove one of the two")
	case GrantAuthorizationCode:
		need(!s.Shared, "oauth.grant", "asks each person for consent, but the server is shared, so one would act for all; remove one of the two")
	}
	if s.authorized() && o.Grant != GrantNone && o.Grant != GrantAuto {
		add("headers.Authorization", "would go out in place of the token; remove it or the oauth settings")
	}
}

// authorized reports whether the server gets an Authorization header of its own.
func (s Server) authorized() bool {
	isAuthorization := func(name string) bool { return strings.EqualFold(name, "authorization") }
	return slices.ContainsFunc(slices.Collect(maps.Keys(s.Headers)), isAuthorization) ||
		slices.ContainsFunc(slices.Collect(maps.Values(s.ForwardHeaders)), isAuthorization)
}

// EffectiveGrant is what [ServerOAuth].Grant comes to: GrantAuto means nothing
// where principals share what one of them was granted, or where the operator
// sends something else.
func (s Server) EffectiveGrant() string {
	switch {
	case s.OAuth.Grant != GrantAuto && s.OAuth.Grant != "":
		return s.OAuth.Grant
	case s.Shared || s.authorized() || s.Type == TypeStdio:
		return GrantNone
	}
	return GrantAuthorizationCode
}

// checkForwards: what a caller sends reaches the server under the caller's own
// name only if no two callers share a connection.
func (s Server) checkForwards(add func(field, message string)) {
	if len(s.ForwardHeaders) > 0 && s.Shared {
		add("forward_headers", "are a caller's own, and the server is shared; remove one of the two")
	}
	seen := make(map[string]bool)
	for _, from := range slices.Sorted(maps.Keys(s.ForwardHeaders)) {
		to := textproto.CanonicalMIMEHeaderKey(s.ForwardHeaders[from])
		switch {
		case !isToken(from) || !isToken(to):
			add("forward_headers."+from, "is not of the form caller's name: server's name; use letters, digits and dashes")
		case seen[to]:
			add("forward_headers."+from, "becomes the same header as another one: "+to)
		}
		seen[to] = true
	}
}
