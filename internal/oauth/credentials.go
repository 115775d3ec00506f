package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A Grant is a way to get tokens.
type Grant string

// The grants.
const (
	// AuthorizationCode: a person consents in a browser (OAuth 2.1, 4.1).
	AuthorizationCode Grant = "authorization_code"
	// ClientCredentials: the client has a secret or a key of its own (OAuth 2.1, 4.2).
	ClientCredentials Grant = "client_credentials"
	// Enterprise: an identity provider vouches for the caller (SEP-990).
	Enterprise Grant = "enterprise"
)

// Credentials are what the bridge is to authorization servers. They are not
// changed once in use.
type Credentials struct {
	// Grant is required.
	Grant Grant
	// Issuer is the one authorization server that the client is known to. Empty:
	// the first that the MCP server names, and then no other.
	Issuer string
	// ClientID is that of a client registered beforehand. Empty: the client's
	// metadata document, or a registration by the bridge itself.
	ClientID string
	// ClientSecret and Key prove who the client is. Without either it is a public
	// client.
	ClientSecret string
	Key          *Key
	// Scopes are asked for in place of those that the server names.
	Scopes []string
	// RedirectURI overrides [Options.RedirectURI].
	RedirectURI string
	// Identity is who vouches, for [Enterprise].
	Identity *Identity
}

// An Identity says how a caller's identity becomes a grant at an authorization
// server (SEP-990): the ID token is exchanged at the identity provider for an
// assertion, with which the server's authorization server issues a token.
type Identity struct {
	// TokenEndpoint is the identity provider's. Empty: that of Issuer's metadata.
	TokenEndpoint string
	// Issuer is the identity provider.
	Issuer string
	// ClientID and ClientSecret are those of the bridge there.
	ClientID, ClientSecret string
	// Subject tells the credentials of one identity from those of another, where
	// Token always returns the same.
	Subject string
	// Token returns the ID token of whose call ctx is.
	Token func(ctx context.Context) (string, error)
}

// fingerprintOf tells ID tokens apart without saying what they are.
func fingerprintOf(idToken string) string { return keyOf("identity", idToken) }

// check reports everything that is wrong, without a secret.
func (c Credentials) check() error {
	var errs []error
	need := func(present bool, what string) {
		if !present {
			errs = append(errs, errors.New(what))
		}
	}
	switch c.Grant {
	case AuthorizationCode:
		need(c.Key == nil, "private_key: is for client_credentials only")
	case ClientCredentials:
		need(c.ClientID != "", "client_id: missing")
		need(c.ClientSecret != "" || c.Key != nil, "client_secret or private_key: missing")
	case Enterprise:
		need(c.ClientID != "", "client_id: missing")
		need(c.Identity != nil && c.Identity.ClientID != "" && c.Identity.Token != nil, "identity provider: missing")
	default:
		errs = append(errs, fmt.Errorf("grant: %q is none of authorization_code, client_credentials, enterprise", c.Grant))
	}
	need(c.ClientSecret == "" || c.ClientID != "", "client_id: missing beside a secret")
	return errors.Join(errs...)
}

// Fingerprint tells credentials apart without saying what they are.
func (c Credentials) Fingerprint() string {
	var key []byte
	if c.Key != nil {
		key = c.Key.fingerprint
	}
	var identity []string
	if id := c.Identity; id != nil {
		identity = []string{id.TokenEndpoint, id.Issuer, id.ClientID, id.ClientSecret, id.Subject}
	}
	text, err := json.Marshal([]any{c.Grant, c.Issuer, c.ClientID, c.ClientSecret, key, c.Scopes, c.RedirectURI, identity})
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// CheckRedirectURI refuses what no authorization server may send a code to:
// redirect URIs "MUST be either localhost or use HTTPS", or have a scheme of an
// application's own.
func CheckRedirectURI(raw string) error {
	scheme, _, ok := strings.Cut(raw, ":")
	switch {
	case !ok:
		return errors.New("is no URL")
	case scheme != "http" && scheme != "https":
		if strings.Contains(scheme, ".") {
			return nil // RFC 8252, 7.1: a reverse domain name
		}
		return errors.New("has a scheme that is neither https nor an application's own")
	}
	if _, err := checkEndpoint(raw); err != nil {
		return fmt.Errorf("is not acceptable: %w", err)
	}
	return nil
}
