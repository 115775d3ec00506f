package oauth

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// inspect checks that the file at path says nothing to those without the key.
func inspect(t *testing.T, path string, key []byte, secret string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil || bytes.Contains(data, []byte(secret)) || bytes.Contains(data, []byte("client")) {
		t.Errorf("the file is readable: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	for n := range data {
		if n%7 != 0 && n < len(data)-1 {
			continue
		}
		altered := bytes.Clone(data)
		altered[n] ^= 1
		other := filepath.Join(t.TempDir(), "altered")
		if err := os.WriteFile(other, altered, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenFile(other, key); err == nil {
			t.Fatalf("byte %d altered, and it is read all the same", n)
		}
	}
}

func TestOpenFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, key := filepath.Join(dir, "tokens"), bytes.Repeat([]byte{1}, KeyBytes)
	f, err := OpenFile(path, key)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string][]byte{"a": []byte("1"), "b": []byte("2")} {
		if err := f.Put(k, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Put("a", nil); err != nil {
		t.Fatal(err)
	}
	again, err := OpenFile(path, key)
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := again.Get("b"); !ok || string(v) != "2" {
		t.Errorf("b = %q, %v", v, ok)
	}
	if _, ok := again.Get("a"); ok {
		t.Error("a is there")
	}
	if _, err := OpenFile(path, make([]byte, KeyBytes)); err == nil || !strings.Contains(err.Error(), "the key is another one") {
		t.Errorf("with another key: %v", err)
	}
	if _, err := OpenFile(path, []byte("short")); err == nil {
		t.Error("a short key passed")
	}
	gone, err := OpenFile(filepath.Join(dir, "no", "tokens"), key)
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Put("a", []byte("1")); err == nil {
		t.Error("written into a folder that is not there")
	}
	if _, ok := gone.Get("a"); ok {
		t.Error("what was not written is there")
	}
}

func TestParseKeyText(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{0xfb}, KeyBytes)
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
		if got, err := ParseKeyText(e.EncodeToString(key)); err != nil || !bytes.Equal(got, key) {
			t.Errorf("%x, %v", got, err)
		}
	}
	if _, err := ParseKeyText("c2hvcnQ="); err == nil || strings.Contains(err.Error(), "c2hvcnQ=") {
		t.Errorf("got %v", err)
	}
}

// A file that has become too long could not be read when the bridge starts again.
func TestFileTooLong(t *testing.T) {
	t.Parallel()
	path, key := filepath.Join(t.TempDir(), "tokens"), bytes.Repeat([]byte{1}, KeyBytes)
	f, err := OpenFile(path, key)
	if err != nil {
		t.Fatal(err)
	}
	f.most = 1000
	if err := f.Put("a", []byte("token")); err != nil {
		t.Fatal(err)
	}
	if err := f.Put("b", make([]byte, 1000)); err == nil {
		t.Error("it was written")
	}
	if f, err = OpenFile(path, key); err != nil {
		t.Fatal(err)
	}
	if v, ok := f.Get("a"); !ok || string(v) != "token" {
		t.Errorf("got %q, %v", v, ok)
	}
}

// A full disk takes nobody's consent away.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{Store: broken{NewMemory()}})
	g := newGuarded(t, newIssuer(t))
	b.served(consented(t, b, g), g)
}

// To whom credentials belong is known until the bridge ends, at least.
func TestBindFails(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{Store: broken{NewMemory()}})
	c := person()
	c.ClientID = "a"
	a, err := b.manager.Authorizer(ServerConfig{URL: "https://mcp.example.com/mcp", Configured: true, Credentials: c, Connections: b.connections})
	if err != nil {
		t.Fatal(err)
	}
	a.bind(t.Context(), "https://issuer.example.com")
	if got := a.bound(); got != "https://issuer.example.com" {
		t.Errorf("bound to %q", got)
	}
}

type broken struct{ Store }

func (broken) Put(string, []byte) error { return errors.New("disk full") }
