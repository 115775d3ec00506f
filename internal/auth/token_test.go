package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const (
	secretA = "canary-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	secretB = "canary-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func hashed(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hashPrefix + hex.EncodeToString(sum[:])
}

func TestParseToken(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		line   string
		claims map[string][]string
	}{
		"plain":    {"billing " + secretA, nil},
		"hashed":   {"billing\t" + hashed(secretA), nil},
		"claims":   {"billing " + secretA + " groups=finance,eu team=payments", map[string][]string{"groups": {"finance", "eu"}, "team": {"payments"}}},
		"repeated": {"billing " + secretA + " groups=eu groups=eu,us", map[string][]string{"groups": {"eu", "us"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, err := ParseToken(test.line)
			if err != nil {
				t.Fatal(err)
			}
			if token.hash != sha256.Sum256([]byte(secretA)) || token.principal.ID != "preshared:billing" {
				t.Errorf("token = %+v", token)
			}
			if !reflect.DeepEqual(token.principal.Claims, test.claims) {
				t.Errorf("claims = %v, want %v", token.principal.Claims, test.claims)
			}
		})
	}
}

func TestParseTokenRefuses(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"nothing":       "",
		"no token":      "canary",
		"short":         "billing canary-short",
		"short hash":    "billing sha256:canary",
		"claim":         "billing " + secretA + " canary",
		"empty claim":   "billing " + secretA + " canary=",
		"spaced token":  "billing " + secretA + " " + secretB,
		"wildcard name": "* " + secretA,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseToken(line)
			if err == nil {
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the error quotes the line: %v", err)
			}
		})
	}
}

func TestTokensOfAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fixed, err := ParseToken("fixed " + secretA)
	if err != nil {
		t.Fatal(err)
	}
	tokens := NewTokens([]Token{fixed}, path)
	if tokens.find(secretA) != nil {
		t.Error("a token is known before any was loaded")
	}
	if err := tokens.Load(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	write("# comment\n\n  billing " + hashed(secretB) + " groups=finance\r\n")
	want := func(secret, id string) {
		t.Helper()
		got := ""
		if p := tokens.find(secret); p != nil {
			got = p.ID
		}
		if got != id {
			t.Errorf("principal is %q, want %q", got, id)
		}
	}
	if err := tokens.Load(); err != nil {
		t.Fatal(err)
	}
	want(secretA, "preshared:fixed")
	want(secretB, "preshared:billing")
	want(hashed(secretB), "")
	want(secretB+"x", "")
	want("", "")

	for _, broken := range []string{"billing", "a " + secretB + "\nb " + secretB, "again " + secretA, strings.Repeat("#\n", maxTokensFile)} {
		write(broken)
		err := tokens.Load()
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("load %.20q: %v", broken, err)
		}
		want(secretB, "preshared:billing")
	}
	write("")
	if err := tokens.Load(); err != nil {
		t.Fatal(err)
	}
	want(secretA, "preshared:fixed")
	want(secretB, "")
}

func BenchmarkFindToken(b *testing.B) {
	token, err := ParseToken("billing " + secretA)
	if err != nil {
		b.Fatal(err)
	}
	tokens := NewTokens([]Token{token}, "")
	if err := tokens.Load(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if tokens.find(secretA) == nil {
			b.Fatal("not found")
		}
	}
}
