package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// An issuer is an OpenID Connect issuer, as far as those are concerned who only
// judge its tokens. Tokens are signed by hand, so that they can be wrong in any
// way; the libraries that play an issuer make good ones only.
type issuer struct {
	url      string
	rsa      *rsa.PrivateKey
	ec       *ecdsa.PrivateKey
	keys     atomic.Pointer[jose.JSONWebKeySet]
	requests atomic.Int64
	down     atomic.Bool
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := new(issuer)
	var err error
	if i.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if i.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	i.keys.Store(&jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: i.rsa.Public(), KeyID: "rsa", Use: "sig"},
		{Key: i.ec.Public(), KeyID: "ec", Algorithm: "ES256", Use: "sig"},
	}})
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.requests.Add(1)
	if i.down.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": i.url, "jwks_uri": i.url + "/keys",
			// What an issuer says it supports is not what is accepted.
			"id_token_signing_alg_values_supported": []string{"RS256", "ES256", "HS256", "none"},
		})
	case "/keys":
		_ = json.NewEncoder(w).Encode(i.keys.Load())
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// claims of a good token, with changes.
func (i *issuer) claims(changes map[string]any) map[string]any {
	all := map[string]any{
		"iss": i.url, "sub": "ann", "aud": "mcpbridge",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

// sign makes a token.
func sign(t *testing.T, alg jose.SignatureAlgorithm, kid string, key any, claims map[string]any) string {
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

func (i *issuer) token(t *testing.T, changes map[string]any) string {
	t.Helper()
	return sign(t, jose.RS256, "rsa", i.rsa, i.claims(changes))
}

func (i *issuer) judge(t *testing.T) *Authenticator {
	t.Helper()
	o := NewOIDC(OIDCConfig{
		Issuer: i.url, Audiences: []string{"mcpbridge", "https://bridge.example.com"},
		Algorithms: []string{"RS256", "ES256"}, ClockSkew: 30 * time.Second,
	})
	t.Cleanup(o.Close)
	return &Authenticator{OIDC: o}
}

func authenticate(t *testing.T, a *Authenticator, token string) (*Principal, error) {
	t.Helper()
	return a.Authenticate(t.Context(), Credentials{Authorization: []string{"Bearer " + token}})
}

func TestOIDCAccepts(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	now := time.Now()
	for name, token := range map[string]string{
		"RS256":          i.token(t, nil),
		"ES256":          sign(t, jose.ES256, "ec", i.ec, i.claims(nil)),
		"no key id":      sign(t, jose.ES256, "", i.ec, i.claims(nil)),
		"audiences":      i.token(t, map[string]any{"aud": []string{"other", "https://bridge.example.com"}}),
		"expired within": i.token(t, map[string]any{"exp": now.Add(-20 * time.Second).Unix()}),
		"soon within":    i.token(t, map[string]any{"nbf": now.Add(20 * time.Second).Unix()}),
		"begun":          i.token(t, map[string]any{"nbf": now.Add(-time.Hour).Unix()}),
		"fractions":      i.token(t, map[string]any{"exp": float64(now.Add(time.Hour).Unix()) + 0.5}),
	} {
		t.Run(name, func(t *testing.T) {
			a := i.judge(t)
			for range 2 { // the second time it is remembered
				p, err := authenticate(t, a, token)
				if err != nil || p.ID != "oidc:"+i.url+"#ann" {
					t.Fatalf("Authenticate() = %v, %v", p, err)
				}
			}
		})
	}
}

// unsigned makes a token out of texts.
func unsigned(header, payload, signature string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode([]byte(payload)) + "." + encode([]byte(signature))
}

func TestOIDCRefuses(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	now := time.Now()
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(i.rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	modulus := i.rsa.N.Bytes()
	payload, err := json.Marshal(i.claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	good := strings.Split(i.token(t, nil), ".")
	other := strings.Split(i.token(t, map[string]any{"sub": "canary"}), ".")
	const notSigned = "signed in a way that is accepted"
	for name, test := range map[string]struct{ token, problem string }{
		"expired":             {i.token(t, map[string]any{"exp": now.Add(-time.Minute).Unix()}), "has expired"},
		"no expiry":           {i.token(t, map[string]any{"exp": nil}), "no time of expiry"},
		"expiry of 0":         {i.token(t, map[string]any{"exp": 0}), "no time of expiry"},
		"not yet":             {i.token(t, map[string]any{"nbf": now.Add(time.Minute).Unix()}), "not valid yet"},
		"far future":          {i.token(t, map[string]any{"nbf": 1e18}), "not valid yet"},
		"nbf is no time":      {i.token(t, map[string]any{"nbf": "canary"}), notSigned},
		"wrong audience":      {i.token(t, map[string]any{"aud": "canary"}), "audience"},
		"no audience":         {i.token(t, map[string]any{"aud": nil}), "audience"},
		"longer audience":     {i.token(t, map[string]any{"aud": "mcpbridge2"}), "audience"},
		"wrong issuer":        {i.token(t, map[string]any{"iss": "https://canary.example.com"}), notSigned},
		"issuer with a slash": {i.token(t, map[string]any{"iss": i.url + "/"}), notSigned},
		"no principal":        {i.token(t, map[string]any{"sub": nil}), "claim sub"},
		"empty principal":     {i.token(t, map[string]any{"sub": ""}), "claim sub"},
		"two principals":      {i.token(t, map[string]any{"sub": []string{"canary", "b"}}), notSigned},
		"stranger's key":      {sign(t, jose.RS256, "rsa", stranger, i.claims(nil)), notSigned},
		"unknown key":         {sign(t, jose.RS256, "canary", stranger, i.claims(nil)), notSigned},
		"other algorithm":     {sign(t, jose.RS512, "rsa", i.rsa, i.claims(nil)), notSigned},
		"none":                {unsigned(`{"alg":"none"}`, string(payload), ""), notSigned},
		"None":                {unsigned(`{"alg":"None","kid":"rsa"}`, string(payload), "x"), notSigned},
		"HS256 with the PEM":  {sign(t, jose.HS256, "rsa", publicPEM, i.claims(nil)), notSigned},
		"HS256 with the DER":  {sign(t, jose.HS256, "rsa", public, i.claims(nil)), notSigned},
		"HS256 with n":        {sign(t, jose.HS256, "rsa", modulus, i.claims(nil)), notSigned},
		"no algorithm":        {unsigned(`{}`, string(payload), "x"), notSigned},
		"own key in header": {func() string {
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: stranger}, &jose.SignerOptions{EmbedJWK: true})
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
		}(), notSigned},
		"other's payload": {good[0] + "." + other[1] + "." + good[2], notSigned},
		"no signature":    {good[0] + "." + good[1] + ".", notSigned},
		"four parts":      {strings.Join(good, ".") + ".canary", "not known"},
		"not base64":      {"canary!.canary!.canary!", "not known"},
		"dots":            {"..", notSigned},
		"huge":            {strings.Repeat("canary", 3000) + ".a.b", "longer than"},
		"JSON": {`{"payload":"` + good[1] + `","signatures":[{"protected":"` + good[0] + `","signature":"` + good[2] + `"}],"x":".."}`,
			"not known"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := authenticate(t, i.judge(t), test.token)
			wantError(t, err, test.problem)
		})
	}
}

func TestOIDCClaims(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	p, err := authenticate(t, i.judge(t), i.token(t, map[string]any{
		"groups": []any{"eu", "finance", map[string]any{"x": "y"}}, "scope": "read  write", "admin": true, "n": json.Number("9007199254740993"),
		"realm_access": map[string]any{"roles": []string{"user"}}, "https://example.com/team": "payments",
		"deep": map[string]any{"a": map[string]any{"b": map[string]any{"c": map[string]any{"d": "x"}}}}, "null": json.RawMessage("null"),
	}))
	if err != nil {
		t.Fatal(err)
	}
	got := maps.Clone(p.Claims)
	for _, name := range []string{"iss", "sub", "aud", "iat", "exp"} {
		delete(got, name)
	}
	want := map[string][]string{
		"groups": {"eu", "finance"}, "scope": {"read", "write"}, "admin": {"true"}, "n": {"9007199254740993"},
		"realm_access.roles": {"user"}, "https://example.com/team": {"payments"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("claims are %v, want %v", got, want)
	}
}

// TestOIDCKeyRotation: a token with a new key is good at once.
func TestOIDCKeyRotation(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	a := i.judge(t)
	if _, err := authenticate(t, a, i.token(t, nil)); err != nil {
		t.Fatal(err)
	}
	next, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	keys := slices.Clone(i.keys.Load().Keys)
	i.keys.Store(&jose.JSONWebKeySet{Keys: append(keys, jose.JSONWebKey{Key: crypto.PublicKey(next.Public()), KeyID: "next"})})
	if _, err := authenticate(t, a, sign(t, jose.RS256, "next", next, i.claims(nil))); err != nil {
		t.Error(err)
	}
}

// TestOIDCIssuerIsNotFlooded: anybody can make up tokens with unknown keys.
func TestOIDCIssuerIsNotFlooded(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	a := i.judge(t)
	for range 100 {
		_, err := authenticate(t, a, unsigned(`{"alg":"RS256","kid":"x"}`, "{}", "x"))
		wantError(t, err, "signed")
	}
	if n := i.requests.Load(); n > refetchBurst {
		t.Errorf("the issuer was asked %d times", n)
	}
	if _, err := authenticate(t, a, i.token(t, nil)); err != nil {
		t.Errorf("a good token meanwhile: %v", err)
	}
}

// TestOIDCIssuerDown: nobody is refused for that, and who is known stays.
func TestOIDCIssuerDown(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	a := i.judge(t)
	i.down.Store(true)
	_, err := authenticate(t, a, i.token(t, nil))
	var unavailable *UnavailableError
	if !errors.As(err, &unavailable) || unavailable.RetryAfter <= 0 {
		t.Fatalf("before its keys are known: %v", err)
	}
	i.down.Store(false)
	if _, err := authenticate(t, a, i.token(t, nil)); err != nil {
		t.Fatal(err)
	}
	i.down.Store(true)
	if _, err := authenticate(t, a, i.token(t, map[string]any{"sub": "bob"})); err != nil {
		t.Errorf("a token with a known key: %v", err)
	}
	_, err = authenticate(t, a, sign(t, jose.ES256, "unknown", i.ec, i.claims(nil)))
	if !errors.As(err, &unavailable) {
		t.Errorf("a token with an unknown key: %v", err)
	}
}

func BenchmarkKnownToken(b *testing.B) {
	var cache tokenCache
	now := time.Now()
	cache.put([32]byte{1}, &Principal{ID: "a"}, now, now.Add(time.Hour))
	b.ReportAllocs()
	for b.Loop() {
		if cache.get([32]byte{1}, now) == nil {
			b.Fatal("not known")
		}
	}
}

func TestTokenCacheExpires(t *testing.T) {
	t.Parallel()
	var cache tokenCache
	now := time.Now()
	cache.put([32]byte{1}, &Principal{ID: "a"}, now, now.Add(time.Hour))
	cache.put([32]byte{2}, &Principal{ID: "b"}, now, now.Add(time.Second))
	if cache.get([32]byte{1}, now.Add(cacheLife)) != nil {
		t.Error("a token is remembered for too long")
	}
	if cache.get([32]byte{2}, now) == nil || cache.get([32]byte{2}, now.Add(time.Second)) != nil {
		t.Error("a token is not remembered until it expires")
	}
	for n := range maxCached + 1 {
		cache.put([32]byte{byte(n), byte(n >> 8), 1}, &Principal{}, now, now.Add(time.Hour))
	}
	if n := len(cache.tokens); n > maxCached {
		t.Errorf("%d tokens are remembered", n)
	}
}
