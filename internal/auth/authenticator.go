package auth

import (
	"context"
	"crypto/x509"
	"strings"
	"time"
)

// maxTokenBytes bounds a bearer token. The largest tokens of known issuers,
// with hundreds of groups in them, have about 7 KiB.
const maxTokenBytes = 8 << 10

// Credentials are what a caller shows.
type Credentials struct {
	// Authorization are the values of the header or metadata of that name.
	Authorization []string
	// Certificate is the client's, which the handshake has verified; nil if it
	// has none.
	Certificate *x509.Certificate
}

// An Authenticator finds out who is calling, in one or several ways. A caller
// that shows a token is whoever the token says, or nobody, whatever certificate
// it has. It may be used concurrently.
type Authenticator struct {
	// Tokens are preshared; nil: none.
	Tokens *Tokens
	// OIDC judges the tokens of an issuer; nil: there is none.
	OIDC *OIDC
	// Certificates: a client's certificate alone is enough.
	Certificates bool
}

// Authenticate returns the principal with these credentials. Errors are of type
// [*Error], [*UnavailableError], or the context's.
func (a *Authenticator) Authenticate(ctx context.Context, c Credentials) (*Principal, error) {
	token, err := bearerToken(c.Authorization)
	switch {
	case err != nil:
		return nil, err
	case token != "":
		return a.byToken(ctx, token)
	case a.Certificates && c.Certificate != nil:
		return certificatePrincipal(c.Certificate, time.Now())
	}
	return nil, &Error{Problem: "there are no credentials; send " + a.wanted()}
}

func (a *Authenticator) byToken(ctx context.Context, token string) (*Principal, error) {
	if a.Tokens != nil {
		if p := a.Tokens.find(token); p != nil {
			return p, nil
		}
	}
	if a.OIDC != nil && isJWT(token) {
		return a.OIDC.verify(ctx, token)
	}
	return nil, &Error{Problem: "the token is not known; send " + a.wanted()}
}

// isJWT reports whether the token has the compact form of a JWT, the only one
// there is for a bearer token (RFC 7519, section 3).
func isJWT(token string) bool {
	return strings.Count(token, ".") == 2 && !strings.ContainsFunc(token, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-' && r != '_' && r != '.'
	})
}

// wanted says what a caller can do.
func (a *Authenticator) wanted() string {
	var ways []string
	if a.Tokens != nil || a.OIDC != nil {
		ways = append(ways, `a token as "authorization: Bearer <token>"`)
	}
	if a.Certificates {
		ways = append(ways, "a client certificate")
	}
	return strings.Join(ways, " or ")
}

// bearerToken returns the token of an Authorization header (RFC 6750, section
// 2.1), "" if there is no header.
func bearerToken(values []string) (string, error) {
	switch len(values) {
	case 0:
		return "", nil
	case 1:
	default:
		return "", &Error{Problem: "there is more than one authorization"}
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.Trim(token, " ")
	switch {
	case !strings.EqualFold(scheme, "Bearer"):
		return "", &Error{Problem: `the authorization is not of the form "Bearer <token>"`}
	case token == "":
		return "", &Error{Problem: "the token is empty"}
	case len(token) > maxTokenBytes:
		return "", &Error{Problem: "the token is longer than 8 KiB"}
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", &Error{Problem: "the token has characters that no token has"}
	}
	return token, nil
}
