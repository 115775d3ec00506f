package auth

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpbridge/mcpbridge/test/issuer"
)

func judge(t *testing.T, i *issuer.Issuer) *Authenticator {
	t.Helper()
	o := NewOIDC(OIDCConfig{
		Issuer: i.URL, Audiences: []string{"mcpbridge", "https://bridge.example.com"},
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
	i := issuer.New(t)
	now := time.Now()
	for name, token := range map[string]string{
		"RS256":          i.Token(t, nil),
		"ES256":          issuer.Sign(t, jose.ES256, "ec", i.EC, i.Claims(nil)),
		"no key id":      issuer.Sign(t, jose.ES256, "", i.EC, i.Claims(nil)),
		"audiences":      i.Token(t, map[string]any{"aud": []string{"other", "https://bridge.example.com"}}),
		"expired within": i.Token(t, map[string]any{"exp": now.Add(-20 * time.Second).Unix()}),
		"soon within":    i.Token(t, map[string]any{"nbf": now.Add(20 * time.Second).Unix()}),
		"begun":          i.Token(t, map[string]any{"nbf": now.Add(-time.Hour).Unix()}),
		"fractions":      i.Token(t, map[string]any{"exp": float64(now.Add(time.Hour).Unix()) + 0.5}),
	} {
		t.Run(name, func(t *testing.T) {
			a := judge(t, i)
			for range 2 { // the second time it is remembered
				p, err := authenticate(t, a, token)
				if err != nil || p.ID != "oidc:"+i.URL+"#ann" {
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
	i := issuer.New(t)
	now := time.Now()
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(i.RSA.Public())
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	modulus := i.RSA.N.Bytes()
	payload, err := json.Marshal(i.Claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	good := strings.Split(i.Token(t, nil), ".")
	other := strings.Split(i.Token(t, map[string]any{"sub": "canary"}), ".")
	const notSigned = "signed in a way that is accepted"
	for name, test := range map[string]struct{ token, problem string }{
		"expired":             {i.Token(t, map[string]any{"exp": now.Add(-time.Minute).Unix()}), "has expired"},
		"no expiry":           {i.Token(t, map[string]any{"exp": nil}), "no time of expiry"},
		"expiry of 0":         {i.Token(t, map[string]any{"exp": 0}), "no time of expiry"},
		"not yet":             {i.Token(t, map[string]any{"nbf": now.Add(time.Minute).Unix()}), "not valid yet"},
		"far future":          {i.Token(t, map[string]any{"nbf": 1e18}), "not valid yet"},
		"nbf is no time":      {i.Token(t, map[string]any{"nbf": "canary"}), notSigned},
		"wrong audience":      {i.Token(t, map[string]any{"aud": "canary"}), "audience"},
		"no audience":         {i.Token(t, map[string]any{"aud": nil}), "audience"},
		"longer audience":     {i.Token(t, map[string]any{"aud": "mcpbridge2"}), "audience"},
		"wrong issuer":        {i.Token(t, map[string]any{"iss": "https://canary.example.com"}), notSigned},
		"issuer with a slash": {i.Token(t, map[string]any{"iss": i.URL + "/"}), notSigned},
		"no principal":        {i.Token(t, map[string]any{"sub": nil}), "claim sub"},
		"empty principal":     {i.Token(t, map[string]any{"sub": ""}), "claim sub"},
		"two principals":      {i.Token(t, map[string]any{"sub": []string{"canary", "b"}}), notSigned},
		"stranger's key":      {issuer.Sign(t, jose.RS256, "rsa", stranger, i.Claims(nil)), notSigned},
		"unknown key":         {issuer.Sign(t, jose.RS256, "canary", stranger, i.Claims(nil)), notSigned},
		"other algorithm":     {issuer.Sign(t, jose.RS512, "rsa", i.RSA, i.Claims(nil)), notSigned},
		"none":                {unsigned(`{"alg":"none"}`, string(payload), ""), notSigned},
		"None":                {unsigned(`{"alg":"None","kid":"rsa"}`, string(payload), "x"), notSigned},
		"HS256 with the PEM":  {issuer.Sign(t, jose.HS256, "rsa", publicPEM, i.Claims(nil)), notSigned},
		"HS256 with the DER":  {issuer.Sign(t, jose.HS256, "rsa", public, i.Claims(nil)), notSigned},
		"HS256 with n":        {issuer.Sign(t, jose.HS256, "rsa", modulus, i.Claims(nil)), notSigned},
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
			_, err := authenticate(t, judge(t, i), test.token)
			wantError(t, err, test.problem)
		})
	}
}

func TestOIDCClaims(t *testing.T) {
	t.Parallel()
	i := issuer.New(t)
	p, err := authenticate(t, judge(t, i), i.Token(t, map[string]any{
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
	i := issuer.New(t)
	a := judge(t, i)
	if _, err := authenticate(t, a, i.Token(t, nil)); err != nil {
		t.Fatal(err)
	}
	next, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	keys := slices.Clone(i.Keys.Load().Keys)
	i.Keys.Store(&jose.JSONWebKeySet{Keys: append(keys, jose.JSONWebKey{Key: next.Public(), KeyID: "next"})})
	if _, err := authenticate(t, a, issuer.Sign(t, jose.RS256, "next", next, i.Claims(nil))); err != nil {
		t.Error(err)
	}
}

// TestOIDCIssuerIsNotFlooded: anybody can make up tokens with unknown keys.
func TestOIDCIssuerIsNotFlooded(t *testing.T) {
	t.Parallel()
	i := issuer.New(t)
	a := judge(t, i)
	for range 100 {
		_, err := authenticate(t, a, unsigned(`{"alg":"RS256","kid":"x"}`, "{}", "x"))
		wantError(t, err, "signed")
	}
	if n := i.Requests.Load(); n > refetchBurst {
		t.Errorf("the issuer was asked %d times", n)
	}
	if _, err := authenticate(t, a, i.Token(t, nil)); err != nil {
		t.Errorf("a good token meanwhile: %v", err)
	}
}

// TestOIDCIssuerDown: nobody is refused for that, and who is known stays.
func TestOIDCIssuerDown(t *testing.T) {
	t.Parallel()
	i := issuer.New(t)
	a := judge(t, i)
	i.Down.Store(true)
	_, err := authenticate(t, a, i.Token(t, nil))
	var unavailable *UnavailableError
	if !errors.As(err, &unavailable) || unavailable.RetryAfter <= 0 {
		t.Fatalf("before its keys are known: %v", err)
	}
	i.Down.Store(false)
	if _, err := authenticate(t, a, i.Token(t, nil)); err != nil {
		t.Fatal(err)
	}
	i.Down.Store(true)
	if _, err := authenticate(t, a, i.Token(t, map[string]any{"sub": "bob"})); err != nil {
		t.Errorf("a token with a known key: %v", err)
	}
	_, err = authenticate(t, a, issuer.Sign(t, jose.ES256, "unknown", i.EC, i.Claims(nil)))
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
