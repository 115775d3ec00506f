package oauth

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mcpbridge/mcpbridge/internal/transport"
)

const redirectURI = "http://localhost:3000/callback"

// A bench is a manager with connections to tests' servers.
type bench struct {
	t           *testing.T
	manager     *Manager
	connections *transport.HTTPClient
}

func newBench(t *testing.T, o Options) *bench {
	t.Helper()
	if o.RedirectURI == nil {
		o.RedirectURI = func() string { return redirectURI }
	}
	b := &bench{t: t, manager: New(o), connections: transport.NewHTTPClient(&transport.Guard{AllowPrivate: true}, nil)}
	t.Cleanup(b.connections.CloseIdleConnections)
	t.Cleanup(b.manager.Close)
	return b
}

func person() Credentials { return Credentials{Grant: AuthorizationCode} }

// client returns the way of the principal to g.
func (b *bench) client(g *guarded, c Credentials, principal string) http.RoundTripper {
	b.t.Helper()
	a, err := b.manager.Authorizer(ServerConfig{
		Name: "s", URL: g.endpoint(), Configured: true, Credentials: c, Connections: b.connections,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return a.For(principal)(b.connections)
}

// post makes one request, and returns the token that it was served with.
func post(ctx context.Context, rt http.RoundTripper, url string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("{}"))
	if err != nil {
		return 0, "", err
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// served makes a request that must succeed.
func (b *bench) served(rt http.RoundTripper, g *guarded) string {
	b.t.Helper()
	status, token, err := post(b.t.Context(), rt, g.endpoint())
	if err != nil || status != http.StatusOK {
		b.t.Fatalf("status %d, %v", status, err)
	}
	return token
}

// asked makes a request that must fail for want of consent.
func (b *bench) asked(rt http.RoundTripper, g *guarded) *RequiredError {
	b.t.Helper()
	status, _, err := post(b.t.Context(), rt, g.endpoint())
	var required *RequiredError
	if !errors.As(err, &required) {
		b.t.Fatalf("status %d, %v, want a RequiredError", status, err)
	}
	te, ok := errors.AsType[*transport.Error](err)
	if !ok || te.Kind != transport.KindConsent || te.Delivery != transport.Answered {
		b.t.Errorf("the transport's error is %#v", te)
	}
	if strings.Contains(err.Error(), "state=") {
		b.t.Errorf("the error tells the URL: %v", err)
	}
	return required
}

// refused makes a request that must fail, and returns why.
func (b *bench) refused(rt http.RoundTripper, g *guarded) string {
	b.t.Helper()
	_, _, err := post(b.t.Context(), rt, g.endpoint())
	var refused *RefusedError
	if !errors.As(err, &refused) {
		b.t.Fatalf("got %v, want a RefusedError", err)
	}
	return err.Error()
}

// browse opens the URL as a browser would, and returns where it is sent.
func (b *bench) browse(required *RequiredError) string {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, required.URL, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := b.connections.RoundTrip(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		b.t.Fatalf("the authorization endpoint answers %s", resp.Status)
	}
	return resp.Header.Get("Location")
}

// consent lets the principal consent.
func (b *bench) consent(required *RequiredError, principal string) {
	b.t.Helper()
	if _, err := b.manager.Complete(b.t.Context(), principal, b.browse(required)); err != nil {
		b.t.Fatal(err)
	}
}

func queryOf(t *testing.T, raw string) url.Values {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}
