package service

import (
	"context"
	"maps"
	"net/textproto"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/oauth"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

const authorization = "Authorization"

// A Personal is what a caller wants a server to see of it.
type Personal struct {
	Principal string
	// Header is sent with every request, its names in canonical form.
	Header map[string][]string
	// Credentials are for the server's authorization server. Nil: there are none.
	Credentials *oauth.Credentials
}

// own reports whether there is anything of the caller's own.
func (p Personal) own() bool { return len(p.Header) > 0 || p.Credentials != nil }

// forStdio refuses what a child process has no use for.
func (p Personal) forStdio() error {
	switch {
	case p.Credentials != nil:
		return &fieldError{Field: "credentials", Problem: "are not for stdio"}
	case len(p.Header) > 0:
		return &fieldError{Field: "headers", Problem: "and bearer tokens are not for stdio"}
	}
	return nil
}

// over lays winning over the headers that field has.
func over(field string, given map[string]string, winning map[string][]string) (map[string][]string, error) {
	h, err := headers(field, given)
	if err != nil || h == nil {
		return winning, err
	}
	maps.Copy(h, winning)
	return h, nil
}

// personal reads the headers and credentials of a Connect.
func (s *Service) personal(principal string, req *mcpbridgev1.ConnectRequest) (p Personal, err error) {
	p.Principal = principal
	if p.Header, err = headers("headers", req.GetHeaders()); err != nil {
		return p, err
	}
	if req.GetCredentials() != nil && authorizes(transportHeaders(req.GetTransport())) {
		return p, &fieldError{Field: "transport", Problem: "has a header Authorization beside credentials"}
	}
	switch kind := req.GetCredentials().GetKind().(type) {
	case *mcpbridgev1.Credentials_BearerToken:
		const field = "credentials.bearer_token"
		if err := required(field, kind.BearerToken); err != nil {
			return p, err
		}
		bearer := map[string][]string{authorization: {"Bearer " + kind.BearerToken}}
		if transport.CheckHeader(bearer) != nil {
			return p, &fieldError{Field: field, Problem: "cannot be sent in a header"}
		}
		if p.Header[authorization] != nil {
			return p, &fieldError{Field: "headers", Problem: "has an Authorization beside credentials"}
		}
		maps.Copy(bearer, p.Header)
		p.Header = bearer
	case *mcpbridgev1.Credentials_ClientCredentials:
		p.Credentials, err = clientCredentials(kind.ClientCredentials)
	case *mcpbridgev1.Credentials_AuthorizationCode:
		p.Credentials, err = authorizationCode(kind.AuthorizationCode)
	case *mcpbridgev1.Credentials_EnterpriseManaged:
		p.Credentials, err = s.enterpriseManaged(kind.EnterpriseManaged)
	default:
		if req.GetCredentials() != nil {
			err = &fieldError{Field: "credentials", Problem: "names no kind"}
		}
	}
	if err == nil && p.Credentials != nil && p.Header[authorization] != nil {
		err = &fieldError{Field: "headers", Problem: "has an Authorization beside credentials"}
	}
	return p, err
}

// authorizes reports whether the headers have an Authorization.
func authorizes(given map[string]string) bool {
	for name := range given {
		if textproto.CanonicalMIMEHeaderKey(name) == authorization {
			return true
		}
	}
	return false
}

// The bounds of a caller's headers.
const (
	maxHeaders     = 64
	maxHeaderBytes = 16 << 10
)

// headers checks those that a caller brings.
func headers(field string, given map[string]string) (map[string][]string, error) {
	if len(given) == 0 {
		return nil, nil
	}
	total := 0
	h := make(map[string][]string, len(given))
	for name, value := range given {
		total += len(name) + len(value)
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		if h[canonical] != nil {
			return nil, &fieldError{Field: field, Problem: "has a header in two spellings"}
		}
		h[canonical] = []string{value}
	}
	if len(given) > maxHeaders || total > maxHeaderBytes {
		return nil, &fieldError{Field: field, Problem: "are more than a request may have"}
	}
	if err := transport.CheckHeader(h); err != nil {
		return nil, &fieldError{Field: field, Problem: err.Error()}
	}
	return h, nil
}

func clientCredentials(c *mcpbridgev1.ClientCredentials) (*oauth.Credentials, error) {
	const field = "credentials.client_credentials."
	if err := required(field+"client_id", c.GetClientId()); err != nil {
		return nil, err
	}
	out := &oauth.Credentials{Grant: oauth.ClientCredentials, ClientID: c.GetClientId(), Scopes: c.GetScopes()}
	switch proof := c.GetProof().(type) {
	case *mcpbridgev1.ClientCredentials_ClientSecret:
		out.ClientSecret = proof.ClientSecret
		return out, required(field+"client_secret", proof.ClientSecret)
	case *mcpbridgev1.ClientCredentials_PrivateKeyJwt:
		jwt := proof.PrivateKeyJwt
		key, err := oauth.ParseKey(jwt.GetPrivateKeyPem(), jwt.GetSigningAlgorithm(), jwt.GetKeyId())
		if err != nil {
			return nil, &fieldError{Field: field + "private_key_jwt", Problem: err.Error()}
		}
		out.Key = key
		return out, nil
	}
	return nil, &fieldError{Field: field + "client_secret", Problem: "is required, unless there is a private_key_jwt"}
}

func authorizationCode(c *mcpbridgev1.AuthorizationCode) (*oauth.Credentials, error) {
	const field = "credentials.authorization_code."
	if err := required(field+"redirect_uri", c.GetRedirectUri()); err != nil {
		return nil, err
	}
	if err := oauth.CheckRedirectURI(c.GetRedirectUri()); err != nil {
		return nil, &fieldError{Field: field + "redirect_uri", Problem: err.Error()}
	}
	if c.GetClientSecret() != "" {
		if err := required(field+"client_id", c.GetClientId()); err != nil {
			return nil, err
		}
	}
	return &oauth.Credentials{
		Grant: oauth.AuthorizationCode, ClientID: c.GetClientId(), ClientSecret: c.GetClientSecret(),
		Scopes: c.GetScopes(), RedirectURI: c.GetRedirectUri(),
	}, nil
}

// enterpriseManaged: where the bridge is sent with the ID token has to be allowed,
// as any other URL of a caller's.
func (s *Service) enterpriseManaged(c *mcpbridgev1.EnterpriseManaged) (*oauth.Credentials, error) {
	const field = "credentials.enterprise_managed."
	idp := c.GetIdpIssuer()
	if c.GetIdpTokenEndpoint() != "" {
		idp = c.GetIdpTokenEndpoint()
	}
	for _, f := range []struct{ name, value string }{
		{"id_token", c.GetIdToken()}, {"idp_issuer", idp}, {"idp_client_id", c.GetIdpClientId()}, {"client_id", c.GetClientId()},
	} {
		if err := required(field+f.name, f.value); err != nil {
			return nil, err
		}
	}
	u, err := transport.CheckURL(idp)
	if err != nil || s.opts.Policy == nil || !s.opts.Policy.AllowsURL(u) {
		return nil, errURLForbidden
	}
	return &oauth.Credentials{
		Grant: oauth.Enterprise, ClientID: c.GetClientId(), ClientSecret: c.GetClientSecret(), Scopes: c.GetScopes(),
		Identity: &oauth.Identity{
			Issuer: c.GetIdpIssuer(), TokenEndpoint: c.GetIdpTokenEndpoint(), ClientID: c.GetIdpClientId(), ClientSecret: c.GetIdpClientSecret(),
			Subject: c.GetIdToken(), Token: func(context.Context) (string, error) { return c.GetIdToken(), nil },
		},
	}, nil
}
