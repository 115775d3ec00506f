package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const canary = "canary-7f3a"

func secretServer() Server {
	return Server{
		Type:    TypeHTTP,
		Command: "npx",
		Args:    Args{"--token", canary},
		Env:     map[string]Secret{"TOKEN": NewSecret(canary)},
		URL:     NewSecret("https://mcp.example.com/" + canary),
		Headers: map[string]Secret{"Authorization": NewSecret("Bearer " + canary)},
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	t.Parallel()
	cfg := Default()
	cfg.Servers = map[string]Server{"s": secretServer()}
	secret, args := NewSecret(canary), Args{canary}
	hidden := struct {
		secret  Secret
		headers map[string]Secret
	}{secret, cfg.Servers["s"].Headers}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%t", "%T"} {
		for _, value := range []any{secret, &secret, args, cfg.Servers["s"], *cfg, cfg.Servers, hidden} {
			if text := fmt.Sprintf(verb, value); leaks(text) {
				t.Errorf("Sprintf(%q, %T) = %s", verb, value, text)
			}
		}
	}
	for name, text := range map[string]string{
		"String":        secret.String() + args.String(),
		"GoString":      secret.GoString() + args.GoString(),
		"encoding/json": marshalled(t, json.Marshal, cfg),
		"yaml":          marshalled(t, yaml.Marshal, cfg),
		"slog text":     logged(func(w *bytes.Buffer) slog.Handler { return slog.NewTextHandler(w, nil) }, cfg),
		"slog json":     logged(func(w *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(w, nil) }, cfg),
	} {
		if leaks(text) {
			t.Errorf("%s leaks: %s", name, text)
		}
		if !strings.Contains(text, redacted) {
			t.Errorf("%s shows nothing redacted: %s", name, text)
		}
	}
}

func TestSecretReveal(t *testing.T) {
	t.Parallel()
	if got := NewSecret(canary).Reveal(); got != canary {
		t.Errorf("Reveal() = %q, want %q", got, canary)
	}
	if got := (Secret{}).Reveal(); got != "" {
		t.Errorf("the zero Secret reveals %q", got)
	}
	if got := fmt.Sprintf("%p", NewSecret(canary)); leaks(got) {
		t.Errorf("%%p prints %s", got)
	}
}

func TestServerOrigin(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ url, want string }{
		"path and query hidden": {"https://mcp.example.com:8443/s/key/mcp?k=v", "https://mcp.example.com:8443"},
		"user hidden":           {"https://u:p@mcp.example.com/", "https://mcp.example.com"},
		"stdio":                 {"", ""},
		"not a URL":             {"::", ""},
	} {
		if got := (Server{URL: NewSecret(test.url)}).Origin(); got != test.want {
			t.Errorf("%s: Origin() = %q, want %q", name, got, test.want)
		}
	}
}

// leaks also finds the canary in hexadecimal.
func leaks(text string) bool {
	return strings.Contains(text, canary) || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", canary))
}

func marshalled(t *testing.T, marshal func(any) ([]byte, error), value any) string {
	t.Helper()
	data, err := marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func logged(handler func(*bytes.Buffer) slog.Handler, cfg *Config) string {
	var out bytes.Buffer
	s := cfg.Servers["s"]
	slog.New(handler(&out)).Info("test", "secret", NewSecret(canary), "args", s.Args, "server", s, "config", cfg)
	return out.String()
}
