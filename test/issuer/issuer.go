// Package issuer is an OpenID Connect issuer for tests, as far as those are
// concerned who only judge its tokens. Tokens are signed by hand, so that they
// can be wrong in any way; libraries that play an issuer make good ones only.
package issuer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Audience is that of good tokens.
const Audience = "mcpbridge"

// An Issuer serves its keys, and has made the tokens of [Issuer.Token]. It may
// be used concurrently.
type Issuer struct {
	URL string
	// RSA and EC are its private keys, with the ids "rsa" and "ec".
	RSA *rsa.PrivateKey
	EC  *ecdsa.PrivateKey
	// Keys are the public ones.
	Keys atomic.Pointer[jose.JSONWebKeySet]
	// Requests counts those that have come in.
	Requests atomic.Int64
	// Down makes it answer with errors.
	Down atomic.Bool
}

// New returns an issuer that is served until the test ends.
func New(t testing.TB) *Issuer {
	t.Helper()
	i := new(Issuer)
	var err error
	if i.RSA, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if i.EC, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	i.Keys.Store(&jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: i.RSA.Public(), KeyID: "rsa", Use: "sig"},
		{Key: i.EC.Public(), KeyID: "ec", Algorithm: "ES256", Use: "sig"},
	}})
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	i.URL = server.URL
	return i
}

// ServeHTTP answers with the issuer's metadata and its keys.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.Requests.Add(1)
	if i.Down.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": i.URL, "jwks_uri": i.URL + "/keys",
			// What an issuer says it supports is not what is to be accepted.
			"id_token_signing_alg_values_supported": []string{"RS256", "ES256", "HS256", "none"},
		})
	case "/keys":
		_ = json.NewEncoder(w).Encode(i.Keys.Load())
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// Claims returns those of a good token, with changes; nil takes one away.
func (i *Issuer) Claims(changes map[string]any) map[string]any {
	all := map[string]any{
		"iss": i.URL, "sub": "ann", "aud": Audience,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

// Token returns a token that is good but for the changes.
func (i *Issuer) Token(t testing.TB, changes map[string]any) string {
	t.Helper()
	return Sign(t, jose.RS256, "rsa", i.RSA, i.Claims(changes))
}

// Sign makes a token.
func Sign(t testing.TB, alg jose.SignatureAlgorithm, kid string, key any, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}
