package oauth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

func pemOf(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		methods []string
		scopes  []string
		proof   func(url.Values) bool
		scope   string
	}{
		"basic":        {[]string{"client_secret_basic"}, nil, func(f url.Values) bool { return f.Get("basic") == "id:s%26cret" }, "mcp:read"},
		"post":         {[]string{"client_secret_post"}, nil, func(f url.Values) bool { return f.Get("client_secret") == "s&cret" }, "mcp:read"},
		"own scopes":   {nil, []string{"a", "b"}, func(f url.Values) bool { return f.Get("basic") != "" }, "a b"},
		"nothing fits": {[]string{"private_key_jwt"}, nil, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Options{})
			i := newIssuer(t)
			g := newGuarded(t, i)
			g.scopes = []string{"mcp:read"}
			i.meta = func(m *oauthex.AuthServerMeta) {
				// Many that serve machines know nothing of PKCE.
				m.TokenEndpointAuthMethodsSupported, m.CodeChallengeMethodsSupported = test.methods, nil
			}
			rt := b.client(g, Credentials{Grant: ClientCredentials, ClientID: "id", ClientSecret: "s&cret", Scopes: test.scopes}, "")
			if test.proof == nil {
				b.refused(rt, g)
				return
			}
			b.served(rt, g)
			b.served(rt, g)
			forms := i.tokenForms()
			if len(forms) != 1 || !test.proof(forms[0]) || forms[0].Get("resource") != g.endpoint() || forms[0].Get("scope") != test.scope {
				t.Errorf("token requests %v", forms)
			}
			i.revoke()
			b.served(rt, g)
		})
	}
}

func TestStepUpWithoutPerson(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	i := newIssuer(t)
	g := newGuarded(t, i)
	g.scopes, g.need = []string{"mcp:read"}, "mcp:write"
	rt := b.client(g, Credentials{Grant: ClientCredentials, ClientID: "id", ClientSecret: "s"}, "")
	b.served(rt, g)
	if forms := i.tokenForms(); len(forms) != 2 || forms[1].Get("scope") != "mcp:read mcp:write" {
		t.Errorf("token requests %v", forms)
	}
}

// An authorization server may have moved its token endpoint by the time that a
// token expires, or want another proof of who the client is.
func TestExpiredTokenOfBefore(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	i := newIssuer(t)
	g := newGuarded(t, i)
	rt := b.client(g, Credentials{Grant: ClientCredentials, ClientID: "id", ClientSecret: "s"}, "")
	b.served(rt, g)
	x := rt.(*roundTripper).access
	text, err := json.Marshal(x.current.Load())
	if err != nil {
		t.Fatal(err)
	}
	old := parseToken(text)
	old.Endpoint, old.Renew = i.URL+"/gone", time.Now().Add(-time.Minute)
	x.current.Store(old)
	b.served(rt, g)
	b.served(rt, g)
	if n := len(i.tokenForms()); n != 2 {
		t.Errorf("%d token requests, want the first and one anew", n)
	}
}

// A token that its server does not accept is not asked for again and again.
func TestTokenThatIsNotAccepted(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	i := newIssuer(t)
	g := newGuarded(t, i)
	g.issuer = newIssuer(t) // knows none of the tokens
	g.issuer.meta = func(m *oauthex.AuthServerMeta) { m.TokenEndpoint = i.URL + "/token" }
	rt := b.client(g, Credentials{Grant: ClientCredentials, ClientID: "id", ClientSecret: "s"}, "")
	status, _, err := post(t.Context(), rt, g.endpoint())
	if err != nil || status != http.StatusUnauthorized || len(i.tokenForms()) != 1 {
		t.Errorf("status %d, %v after %d token requests", status, err, len(i.tokenForms()))
	}
}

func TestPrivateKeyJWT(t *testing.T) {
	t.Parallel()
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	for name, test := range map[string]struct {
		key       crypto.Signer
		algorithm string
		want      string
	}{
		"P-256": {p256, "", "ES256"}, "P-384": {p384, "ES384", "ES384"}, "RSA": {rsaKey, "", "RS256"},
		"PSS": {rsaKey, "PS256", "PS256"}, "Ed25519": {ed, "", "EdDSA"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Options{})
			i := newIssuer(t)
			g := newGuarded(t, i)
			i.meta = func(m *oauthex.AuthServerMeta) { m.TokenEndpointAuthMethodsSupported = []string{methodKey} }
			key, err := ParseKey(pemOf(t, test.key), test.algorithm, "kid-1")
			if err != nil {
				t.Fatal(err)
			}
			b.served(b.client(g, Credentials{Grant: ClientCredentials, ClientID: "id", Key: key}, ""), g)
			claims := verified(t, i.tokenForms()[0].Get("client_assertion"), test.key.Public(), test.want)
			if claims["iss"] != "id" || claims["sub"] != "id" || claims["aud"] != i.name() || claims["jti"] == "" {
				t.Errorf("claims %v", claims)
			}
			if exp, _ := claims["exp"].(float64); time.Until(time.Unix(int64(exp), 0)) > assertionLife {
				t.Errorf("exp %v", claims["exp"])
			}
		})
	}
	for name, text := range map[string]string{"no PEM": "x", "PKCS #1": "-----BEGIN RSA PRIVATE KEY-----\nMA==\n-----END RSA PRIVATE KEY-----\n"} {
		if _, err := ParseKey(text, "", ""); err == nil || strings.Contains(err.Error(), "MA==") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseKey(pemOf(t, p256), "RS256", ""); err == nil {
		t.Error("an algorithm of another type of key passed")
	}
}

// verified checks the signature of a JWT and returns its claims.
func verified(t *testing.T, token string, public crypto.PublicKey, algorithm string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("no JWT: %q", token)
	}
	var header map[string]string
	var claims map[string]any
	for n, v := range map[int]any{0: &header, 1: &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[n])
		if err != nil || json.Unmarshal(text, v) != nil {
			t.Fatalf("part %d of %q", n, token)
		}
	}
	if header["alg"] != algorithm || header["kid"] != "kid-1" {
		t.Errorf("header %v", header)
	}
	signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
	signed := []byte(parts[0] + "." + parts[1])
	digest := sha256.Sum256(signed)
	ok := false
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		hashed := digest[:]
		if algorithm == "ES384" {
			h := crypto.SHA384.New()
			h.Write(signed)
			hashed = h.Sum(nil)
		}
		half := len(signature) / 2
		ok = ecdsa.Verify(key, hashed, new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:]))
	case *rsa.PublicKey:
		if algorithm == "PS256" {
			ok = rsa.VerifyPSS(key, crypto.SHA256, digest[:], signature, nil) == nil
		} else {
			ok = rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil
		}
	case ed25519.PublicKey:
		ok = ed25519.Verify(key, signed, signature)
	}
	if !ok {
		t.Error("the signature is wrong")
	}
	return claims
}

// A provider is an identity provider of an enterprise.
func newProvider(t *testing.T, forms chan<- url.Values) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		forms <- r.PostForm
		if r.PostForm.Get("subject_token") != "id token of alice" {
			answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
			return
		}
		answer(w, http.StatusOK, map[string]any{
			"access_token": "assertion", "issued_token_type": oauthex.TokenTypeIDJAG, "token_type": "N_A", "expires_in": 60,
		})
	}))
	t.Cleanup(s.Close)
	return s
}

func TestEnterprise(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	i := newIssuer(t)
	g := newGuarded(t, i)
	i.noRefresh = true
	exchanges := make(chan url.Values, 4)
	provider := newProvider(t, exchanges)
	type who struct{}
	rt := b.client(g, Credentials{
		Grant: Enterprise, ClientID: "id", ClientSecret: "secret",
		Identity: &Identity{TokenEndpoint: provider.URL, ClientID: "idp id", ClientSecret: "idp secret", Token: func(ctx context.Context) (string, error) {
			name, _ := ctx.Value(who{}).(string)
			return "id token of " + name, nil
		}},
	}, "alice")
	status, _, err := post(context.WithValue(t.Context(), who{}, "alice"), rt, g.endpoint())
	if err != nil || status != http.StatusOK {
		t.Fatalf("status %d, %v", status, err)
	}
	exchange, grant := <-exchanges, i.tokenForms()[0]
	for name, want := range map[string]string{
		"audience": i.name(), "resource": g.endpoint(), "client_id": "idp id", "requested_token_type": oauthex.TokenTypeIDJAG,
	} {
		if exchange.Get(name) != want {
			t.Errorf("exchange: %s = %q, want %q", name, exchange.Get(name), want)
		}
	}
	if grant.Get("assertion") != "assertion" || grant.Get("basic") != "id:secret" {
		t.Errorf("grant %v", grant)
	}
	// The same caller may work for others.
	if _, _, err := post(context.WithValue(t.Context(), who{}, "mallory"), rt, g.endpoint()); err == nil || strings.Contains(err.Error(), "id token") {
		t.Errorf("got %v", err)
	}
	for range 2 {
		if status, _, err := post(context.WithValue(t.Context(), who{}, "alice"), rt, g.endpoint()); err != nil || status != http.StatusOK {
			t.Errorf("status %d, %v", status, err)
		}
	}
	if n := len(i.tokenForms()); n != 2 {
		t.Errorf("%d tokens were issued, want one before mallory's call and one after", n)
	}
}
