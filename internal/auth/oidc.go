package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/sync/singleflight"
)

// methodOIDC begins the ids of principals with tokens of an issuer.
const methodOIDC = "oidc:"

// OIDCConfig says which tokens to believe.
type OIDCConfig struct {
	// Issuer is the URL of the issuer, exactly as its tokens have it.
	Issuer string
	// Audiences are the names of this bridge: a token has to be for one of them.
	Audiences []string
	// PrincipalClaim names the principal. Empty: "sub".
	PrincipalClaim string
	// Algorithms are the signatures to accept. Those with shared keys (HS256 and
	// its like) and "none" never are, whatever the issuer says it supports.
	Algorithms []string
	// ClockSkew is by how much the issuer's clock may differ from ours.
	ClockSkew time.Duration
	// Transport connects to the issuer. Nil: a plain one.
	Transport http.RoundTripper
}

// OIDC believes the signed tokens of an OpenID Connect issuer, be they ID tokens
// or access tokens in the form of JWTs. It asks the issuer for its keys when the
// first token comes, and again when a token has an unknown one. It may be used
// concurrently.
type OIDC struct {
	config OIDCConfig
	client *http.Client
	known  tokenCache

	// discovery lets one call ask on behalf of all that wait.
	discovery singleflight.Group

	mu sync.Mutex // guards what follows
	// keys are the issuer's; nil before it has been found.
	keys oidc.KeySet
}

// NewOIDC returns a judge of tokens. It asks nobody yet.
func NewOIDC(c OIDCConfig) *OIDC {
	if c.PrincipalClaim == "" {
		c.PrincipalClaim = "sub"
	}
	return &OIDC{config: c, client: newIssuerClient(c.Transport)}
}

// Close closes the connections to the issuer.
func (o *OIDC) Close() { o.client.CloseIdleConnections() }

// verify returns the principal of a token.
func (o *OIDC) verify(ctx context.Context, token string) (*Principal, error) {
	now := time.Now()
	hash := sha256.Sum256([]byte(token))
	if p := o.known.get(hash, now); p != nil {
		return p, nil
	}
	keys, err := o.findKeys(ctx)
	if err != nil {
		return nil, err
	}
	signed, err := o.verifySignature(ctx, keys, token)
	if err != nil {
		return nil, err
	}
	claims := make(map[string][]string)
	var times timeClaims
	if err := errors.Join(readClaims(signed, claims), signed.Claims(&times)); err != nil {
		return nil, &Error{Problem: "the claims of the token cannot be read"}
	}
	if err := o.check(signed, times, now); err != nil {
		return nil, err
	}
	names := claims[o.config.PrincipalClaim]
	if len(names) != 1 || names[0] == "" {
		return nil, &Error{Problem: "the token does not name its principal in the claim " + o.config.PrincipalClaim}
	}
	p := &Principal{ID: methodOIDC + o.config.Issuer + "#" + names[0], Claims: claims}
	o.known.put(hash, p, now, signed.Expiry)
	return p, nil
}

// timeClaims are those that go-oidc does not hand out.
type timeClaims struct {
	NotBefore float64 `json:"nbf"`
}

// check looks at what the signature says nothing of.
func (o *OIDC) check(t *oidc.IDToken, times timeClaims, now time.Time) error {
	skew := o.config.ClockSkew
	notBefore := time.Unix(int64(times.NotBefore), 0)
	switch {
	case !slices.ContainsFunc(t.Audience, o.isBridge):
		return &Error{Problem: "the token is not for this bridge: its audience is another"}
	case t.Expiry.IsZero() || t.Expiry.Unix() == 0:
		return &Error{Problem: "the token has no time of expiry"}
	case now.After(t.Expiry.Add(skew)):
		return &Error{Problem: "the token has expired"}
	case times.NotBefore != 0 && now.Add(skew).Before(notBefore):
		return &Error{Problem: "the token is not valid yet"}
	}
	return nil
}

func (o *OIDC) isBridge(audience string) bool { return slices.Contains(o.config.Audiences, audience) }

// verifySignature checks that the issuer has signed the token.
func (o *OIDC) verifySignature(ctx context.Context, keys oidc.KeySet, token string) (*oidc.IDToken, error) {
	attempt := &attempt{keys: keys}
	verifier := oidc.NewVerifier(o.config.Issuer, attempt, &oidc.Config{
		SupportedSigningAlgs: o.config.Algorithms,
		// They are checked later, with more than one audience, with the clock
		// skew, and with a reason for the caller.
		SkipClientIDCheck: true, SkipExpiryCheck: true,
	})
	signed, err := verifier.Verify(ctx, token)
	switch {
	case err == nil:
		return signed, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case attempt.unreachable != nil:
		return nil, &UnavailableError{RetryAfter: refetchInterval, Err: attempt.unreachable}
	}
	return nil, &Error{
		Problem: "the token is not one that the issuer has signed in a way that is accepted", cause: clipped(attempt.failed),
	}
}

// An attempt is a key set that remembers why it could not verify, which the
// verifier does not tell in a form to be asked.
type attempt struct {
	keys oidc.KeySet
	// failed says nothing of the token; unreachable is the issuer's part in it.
	failed, unreachable error
}

// VerifySignature implements oidc.KeySet.
func (a *attempt) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := a.keys.VerifySignature(ctx, jwt)
	a.failed = err
	var unreachable *issuerError
	if errors.As(err, &unreachable) {
		a.unreachable = unreachable
	}
	return payload, err
}

// findKeys returns the issuer's keys, asking where they are if need be.
func (o *OIDC) findKeys(ctx context.Context) (oidc.KeySet, error) {
	o.mu.Lock()
	keys := o.keys
	o.mu.Unlock()
	if keys != nil {
		return keys, nil
	}
	found := o.discovery.DoChan("", func() (any, error) { return o.discover(context.WithoutCancel(ctx)) })
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-found:
		if r.Err != nil {
			return nil, &UnavailableError{RetryAfter: refetchInterval, Err: clipped(r.Err)}
		}
		keys, _ = r.Val.(oidc.KeySet)
		return keys, nil
	}
}

// discover asks the issuer where its keys are (OpenID Connect Discovery 1.0,
// section 4).
func (o *OIDC) discover(ctx context.Context) (oidc.KeySet, error) {
	ctx = oidc.ClientContext(ctx, o.client)
	provider, err := oidc.NewProvider(ctx, o.config.Issuer)
	if err != nil {
		return nil, err
	}
	var metadata struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&metadata); err != nil {
		return nil, err
	}
	keys := oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), o.client), metadata.Keys)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keys = keys
	return keys, nil
}
