package auth

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
)

func tokensOf(t testing.TB, lines ...string) *Tokens {
	t.Helper()
	all := make([]Token, len(lines))
	for i, line := range lines {
		var err error
		if all[i], err = ParseToken(line); err != nil {
			t.Fatal(err)
		}
	}
	tokens := NewTokens(all, "")
	if err := tokens.Load(); err != nil {
		t.Fatal(err)
	}
	return tokens
}

func TestAuthenticateByToken(t *testing.T) {
	t.Parallel()
	a := &Authenticator{Tokens: tokensOf(t, "billing "+secretA)}
	for name, test := range map[string]struct {
		authorization []string
		problem       string // "" is success
	}{
		"good":           {[]string{"Bearer " + secretA}, ""},
		"case of scheme": {[]string{"bearer  " + secretA}, ""},
		"none":           {nil, "there are no credentials"},
		"other scheme":   {[]string{"Basic " + secretA}, "not of the form"},
		"bare token":     {[]string{secretA}, "not of the form"},
		"no token":       {[]string{"Bearer "}, "is empty"},
		"empty":          {[]string{""}, "not of the form"},
		"two":            {[]string{"Bearer " + secretA, "Bearer " + secretA}, "more than one"},
		"two in one":     {[]string{"Bearer " + secretA + ",Bearer " + secretA}, "characters"},
		"huge":           {[]string{"Bearer " + strings.Repeat("canary", 2000)}, "longer than"},
		"control":        {[]string{"Bearer canary\x00" + secretA}, "characters"},
		"unicode":        {[]string{"Bearer canaryé" + secretA}, "characters"},
		"unknown":        {[]string{"Bearer " + secretB}, "not known"},
		"JWT":            {[]string{"Bearer e30.e30.canary"}, "not known"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := a.Authenticate(t.Context(), Credentials{Authorization: test.authorization})
			if test.problem == "" {
				if err != nil || p.ID != "preshared:billing" {
					t.Fatalf("Authenticate() = %v, %v", p, err)
				}
				return
			}
			wantError(t, err, test.problem)
		})
	}
}

// wantError wants an [*Error] that says this, and nothing of what was sent.
func wantError(t *testing.T, err error, problem string) {
	t.Helper()
	var refused *Error
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), problem) {
		t.Fatalf("error is %v, want %q", err, problem)
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("the error says what was sent: %v", err)
	}
}

func TestAuthenticateByCertificate(t *testing.T) {
	t.Parallel()
	later := time.Now().Add(time.Hour)
	spiffe := &url.URL{Scheme: "spiffe", Host: "example.com", Path: "/billing"}
	for name, test := range map[string]struct {
		certificate x509.Certificate
		id          string // "" is an error
	}{
		"URI":     {x509.Certificate{NotAfter: later, URIs: []*url.URL{spiffe}, DNSNames: []string{"a"}}, "mtls:uri:spiffe://example.com/billing"},
		"name":    {x509.Certificate{NotAfter: later, DNSNames: []string{"billing.example.com", "b"}}, "mtls:dns:billing.example.com"},
		"e-mail":  {x509.Certificate{NotAfter: later, EmailAddresses: []string{"a@example.com"}}, "mtls:email:a@example.com"},
		"common":  {x509.Certificate{NotAfter: later, Subject: pkix.Name{CommonName: "spiffe://example.com/billing"}}, "mtls:cn:spiffe://example.com/billing"},
		"nobody":  {x509.Certificate{NotAfter: later}, ""},
		"expired": {x509.Certificate{NotAfter: time.Now().Add(-time.Second), DNSNames: []string{"a"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &Authenticator{Certificates: true}
			p, err := a.Authenticate(t.Context(), Credentials{Certificate: &test.certificate})
			if test.id == "" {
				wantError(t, err, "certificate")
				return
			}
			if err != nil || p.ID != test.id {
				t.Errorf("Authenticate() = %v, %v, want %s", p, err, test.id)
			}
		})
	}
}

// TestTokenBeforeCertificate: who shows a token is whoever that says, or nobody.
func TestTokenBeforeCertificate(t *testing.T) {
	t.Parallel()
	certificate := &x509.Certificate{NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"proxy"}}
	both := &Authenticator{Tokens: tokensOf(t, "billing "+secretA), Certificates: true}
	show := func(token string) Credentials {
		return Credentials{Authorization: []string{"Bearer " + token}, Certificate: certificate}
	}
	if p, err := both.Authenticate(t.Context(), show(secretA)); err != nil || p.ID != "preshared:billing" {
		t.Errorf("with both: %v, %v", p, err)
	}
	_, err := both.Authenticate(t.Context(), show(secretB))
	wantError(t, err, "not known")
	// A certificate alone is no method here.
	_, err = (&Authenticator{Tokens: both.Tokens}).Authenticate(t.Context(), Credentials{Certificate: certificate})
	wantError(t, err, "no credentials")
}
