package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// The ways in which a client proves at a token endpoint who it is (RFC 7591, 2).
const (
	methodBasic = "client_secret_basic"
	methodPost  = "client_secret_post"
	methodNone  = "none"
	methodKey   = "private_key_jwt"
)

// A client is what the bridge is to one authorization server.
type client struct {
	ID     string `json:"id"`
	Secret string `json:"secret,omitempty"`
	// Method is how it proves who it is.
	Method string `json:"method"`
	// Expires is when the secret does; zero: never.
	Expires time.Time `json:"expires,omitzero"`
	// Registered: the bridge registered it itself.
	Registered bool `json:"registered,omitempty"`
}

// knownClient returns the client of credentials that were given beforehand.
func knownClient(c Credentials, s *server) (client, error) {
	ways := []string{methodNone}
	switch {
	case c.Key != nil:
		ways = []string{methodKey}
	case c.ClientSecret != "":
		ways = []string{methodBasic, methodPost}
	}
	method, err := s.authMethod(ways...)
	return client{ID: c.ClientID, Secret: c.ClientSecret, Method: method}, err
}

// authMethod returns the first of the ways that the authorization server
// advertises. It may advertise none, by leaving the member out.
func (s *server) authMethod(ways ...string) (string, error) {
	advertised := s.TokenEndpointAuthMethodsSupported
	if len(advertised) == 0 {
		return ways[0], nil
	}
	for _, way := range ways {
		if slices.Contains(advertised, way) {
			return way, nil
		}
	}
	if ways[0] == methodNone {
		// "none" needs no support: there is nothing to be proved.
		return methodNone, nil
	}
	return "", refusedf("the authorization server accepts none of the ways to authenticate that the client has")
}

// personClient returns the client for a person's consent, in the order that the
// specification gives: registered beforehand, by metadata document, by dynamic
// registration (spec 2025-11-25, basic/authorization#client-registration-approaches).
func (a *Authorizer) personClient(ctx context.Context, s *server, redirect string) (client, error) {
	switch {
	case a.cfg.Credentials.ClientID != "":
		return knownClient(a.cfg.Credentials, s)
	case a.m.opts.ClientMetadataURL != "" && s.ClientIDMetadataDocumentSupported:
		return client{ID: a.m.opts.ClientMetadataURL, Method: methodNone}, nil
	case s.RegistrationEndpoint == "":
		return client{}, refusedf("the authorization server registers no clients; the operator has to configure a client_id")
	}
	key := clientKey(s.Issuer, redirect)
	if c, ok := load[client](a.store(), key); ok && (c.Expires.IsZero() || time.Now().Before(c.Expires)) {
		return c, nil
	}
	c, err := a.register(ctx, s, redirect)
	if err != nil {
		return client{}, err
	}
	if err := save(a.store(), key, c); err != nil { // it is good for this consent all the same
		a.m.opts.Logger.WarnContext(ctx, "registration is not kept", "server", a.cfg.Name, "error", err)
	}
	return c, nil
}

func clientKey(issuer, redirect string) string { return keyOf("client", issuer, redirect) }

// register registers the bridge (RFC 7591).
func (a *Authorizer) register(ctx context.Context, s *server, redirect string) (client, error) {
	asked := ""
	if len(s.TokenEndpointAuthMethodsSupported) > 0 {
		var err error
		if asked, err = s.authMethod(methodBasic, methodPost, methodNone); err != nil {
			return client{}, err
		}
	}
	got, err := oauthex.RegisterClient(ctx, s.RegistrationEndpoint, &oauthex.ClientRegistrationMetadata{
		RedirectURIs:            []string{redirect},
		TokenEndpointAuthMethod: asked,
		GrantTypes:              []string{"authorization_code", "refresh_token"},
		ResponseTypes:           []string{"code"},
		ClientName:              a.m.opts.ClientName,
		ApplicationType:         applicationType(redirect),
	}, a.fetcher)
	if err != nil {
		return client{}, registrationError(err)
	}
	c := client{ID: got.ClientID, Secret: got.ClientSecret, Expires: got.ClientSecretExpiresAt, Registered: true}
	switch {
	case c.Secret == "":
		c.Method = methodNone
	case got.TokenEndpointAuthMethod != "":
		c.Method = got.TokenEndpointAuthMethod
	case asked != "" && asked != methodNone:
		c.Method = asked
	default:
		c.Method = methodBasic // RFC 7591, 2: "If omitted, the default"
	}
	a.m.opts.Logger.InfoContext(ctx, "registered as an OAuth client", "server", a.cfg.Name, "issuer", s.Issuer)
	return c, nil
}

// registrationError is err without the body of the reply, which may hold the
// client's new secret.
func registrationError(err error) error {
	var refused *oauthex.ClientRegistrationError
	var network *url.Error
	switch {
	case errors.As(err, &refused):
		return &RefusedError{
			Problem: "the authorization server does not register the bridge", Code: words(refused.ErrorCode),
			Err: errors.New(words(refused.ErrorDescription)),
		}
	case errors.As(err, &network):
		return fmt.Errorf("register at the authorization server: %w", network.Err)
	}
	return refusedf("the authorization server does not register the bridge")
}

// applicationType: "MCP clients MUST specify an appropriate application_type"; a
// redirect to loopback or to a scheme of its own is that of a native one.
func applicationType(redirect string) string {
	u, err := url.Parse(redirect)
	if err == nil && (u.Scheme == "https" || u.Scheme == "http") && !isLoopback(u.Hostname()) {
		return "web"
	}
	return "native"
}

// authenticate puts the client's proof into a token request. audience is the
// issuer.
func (c client) authenticate(req *http.Request, form url.Values, key *Key, audience string) error {
	switch c.Method {
	case methodBasic:
		// RFC 6749, 2.3.1: both are form-encoded first.
		req.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.Secret))
	case methodPost:
		form.Set("client_id", c.ID)
		form.Set("client_secret", c.Secret)
	case methodNone:
		form.Set("client_id", c.ID)
	case methodKey:
		if key == nil {
			return refusedf("the client has no key any more, by which it is known to the authorization server")
		}
		assertion, err := key.assertion(c.ID, audience)
		if err != nil {
			return err
		}
		form.Set("client_id", c.ID)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
	default:
		return refusedf("the authorization server has registered the bridge with a way to authenticate that it does not have")
	}
	return nil
}

// load and save keep a value as JSON.
func load[T any](s Store, key string) (v T, ok bool) {
	text, ok := s.Get(key)
	return v, ok && json.Unmarshal(text, &v) == nil
}

func save(s Store, key string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("keep what was authorized: %w", err)
	}
	return s.Put(key, text)
}
