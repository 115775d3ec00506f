package oauth

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

func TestConsent(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	i := newIssuer(t)
	g := newGuarded(t, i)
	g.scopes = []string{"mcp:read"}
	rt := b.client(g, person(), "alice")

	first := b.asked(rt, g)
	q := queryOf(t, first.URL)
	for name, want := range map[string]string{
		"response_type": "code", "client_id": "client-1", "redirect_uri": redirectURI, "resource": g.endpoint(),
		"code_challenge_method": "S256", "scope": "mcp:read",
	} {
		if got := q.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if again := b.asked(rt, g); again.URL != first.URL {
		t.Error("a second call asks for something else")
	}
	first.SetTarget("servers/s")
	back := b.browse(first)
	if _, err := b.manager.Complete(t.Context(), "mallory", back); !errors.Is(err, ErrNotFound) {
		t.Errorf("another principal completes: %v", err)
	}
	target, err := b.manager.Complete(t.Context(), "alice", back)
	if err != nil || target != "servers/s" {
		t.Fatalf("Complete() = %q, %v", target, err)
	}
	if _, err := b.manager.Complete(t.Context(), "alice", back); !errors.Is(err, ErrNotFound) {
		t.Errorf("a state is good twice: %v", err)
	}
	b.served(rt, g)
	b.asked(b.client(g, person(), "bob"), g)
	form := i.tokenForms()[0]
	if form.Get("resource") != g.endpoint() || form.Get("basic") == "" || len(form.Get("code_verifier")) < 43 {
		t.Errorf("token request %v", form)
	}
	if len(i.registrations) != 1 || i.registrations[0]["application_type"] != "native" {
		t.Errorf("registrations %v", i.registrations)
	}
}

// Where metadata is found, and where it is not believed.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		set func(*guarded, *issuer)
		// want is the start of the refusal; "": the person is asked.
		want string
	}{
		"named by the challenge":    {func(g *guarded, _ *issuer) { g.prm = "/elsewhere" }, ""},
		"at the path":               {func(g *guarded, _ *issuer) { g.challenge = func() string { return "Bearer" } }, ""},
		"no challenge at all":       {func(g *guarded, _ *issuer) { g.challenge = func() string { return "" } }, ""},
		"at the root":               {func(g *guarded, _ *issuer) { g.prm, g.challenge = wellKnownResource, func() string { return "" } }, ""},
		"for the whole host":        {func(g *guarded, _ *issuer) { g.resource = g.URL }, ""},
		"for the whole host, slash": {func(g *guarded, _ *issuer) { g.resource = g.URL + "/" }, ""},
		"for a neighbour":           {func(g *guarded, _ *issuer) { g.resource = g.URL + "/mc" }, "the server's metadata is for another resource"},
		"for another host":          {func(g *guarded, _ *issuer) { g.resource = "https://example.com/mcp" }, "the server's metadata is for another resource"},
		"challenge names http": {
			func(g *guarded, _ *issuer) {
				g.challenge = func() string { return `Bearer resource_metadata="http://example.com/x"` }
			}, "",
		},
		"issuer with a path": {func(_ *guarded, i *issuer) { i.path = "/tenant" }, ""},
		"OpenID with the path in front": {
			func(_ *guarded, i *issuer) {
				i.path, i.metaPath = "/tenant", "/.well-known/openid-configuration/tenant"
			}, "",
		},
		"OpenID with the path behind": {
			func(_ *guarded, i *issuer) {
				i.path, i.metaPath = "/tenant", "/tenant/.well-known/openid-configuration"
			}, "",
		},
		"no metadata of the issuer": {func(_ *guarded, i *issuer) { i.metaPath = "/none" }, "the authorization server has no metadata"},
		"another issuer's metadata": {
			func(_ *guarded, i *issuer) { i.meta = func(m *oauthex.AuthServerMeta) { m.Issuer += "/" } }, "the authorization server's metadata is that of another issuer",
		},
		"no PKCE": {
			func(_ *guarded, i *issuer) {
				i.meta = func(m *oauthex.AuthServerMeta) { m.CodeChallengeMethodsSupported = nil }
			}, "the authorization server does not support PKCE",
		},
		"plain PKCE": {
			func(_ *guarded, i *issuer) {
				i.meta = func(m *oauthex.AuthServerMeta) { m.CodeChallengeMethodsSupported = []string{"plain"} }
			}, "the authorization server does not support PKCE",
		},
		"script for an endpoint": {
			func(_ *guarded, i *issuer) {
				i.meta = func(m *oauthex.AuthServerMeta) { m.AuthorizationEndpoint = "javascript:alert(1)" }
			}, "an endpoint of the authorization server is not acceptable",
		},
		"endpoint without TLS": {
			func(_ *guarded, i *issuer) {
				i.meta = func(m *oauthex.AuthServerMeta) { m.TokenEndpoint = "http://10.0.0.1/token" }
			}, "an endpoint of the authorization server is not acceptable",
		},
		"no registration": {
			func(_ *guarded, i *issuer) { i.meta = func(m *oauthex.AuthServerMeta) { m.RegistrationEndpoint = "" } }, "the authorization server registers no clients",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Options{})
			i := newIssuer(t)
			g := newGuarded(t, i)
			test.set(g, i)
			rt := b.client(g, person(), "")
			if test.want != "" {
				if got := b.refused(rt, g); !strings.Contains(got, test.want) {
					t.Errorf("refused with %q, want %q", got, test.want)
				}
				return
			}
			b.consent(b.asked(rt, g), "")
			b.served(rt, g)
		})
	}
}

// A server of 2025-03-26 is its own authorization server.
func TestOldServers(t *testing.T) {
	t.Parallel()
	for name, metadata := range map[string]bool{"with metadata": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Options{})
			i := newIssuer(t)
			g := newGuarded(t, i)
			g.prm, g.challenge = "", func() string { return "" }
			i.meta = func(m *oauthex.AuthServerMeta) {
				m.Issuer, m.AuthorizationEndpoint, m.TokenEndpoint = g.URL, g.URL+"/authorize", g.URL+"/token"
				m.RegistrationEndpoint = g.URL + "/register"
			}
			if !metadata {
				i.metaPath = "/none"
			}
			rt := b.client(g, person(), "")
			b.consent(b.asked(rt, g), "")
			b.served(rt, g)
		})
	}
}

// The issuer that answers has to be the one that was asked.
func TestIssuerOfTheRedirect(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		advertised bool
		iss        func(*issuer) string
		ok         bool
	}{
		"advertised and right":   {true, (*issuer).name, true},
		"advertised and missing": {true, func(*issuer) string { return "" }, false},
		"advertised and wrong":   {true, func(*issuer) string { return "https://evil.example.com" }, false},
		"with a slash":           {true, func(i *issuer) string { return i.name() + "/" }, false},
		"not advertised, none":   {false, func(*issuer) string { return "" }, true},
		"not advertised, right":  {false, (*issuer).name, true},
		"not advertised, wrong":  {false, func(*issuer) string { return "https://evil.example.com" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Options{})
			i := newIssuer(t)
			g := newGuarded(t, i)
			i.iss = test.iss(i)
			i.meta = func(m *oauthex.AuthServerMeta) { m.AuthorizationResponseIssParameterSupported = test.advertised }
			back := b.browse(b.asked(b.client(g, person(), ""), g))
			_, err := b.manager.Complete(t.Context(), "", back)
			if (err == nil) != test.ok {
				t.Errorf("Complete() = %v", err)
			}
			if !test.ok && len(i.tokenForms()) != 0 {
				t.Error("the code went to the token endpoint all the same")
			}
		})
	}
}

func TestRefusedConsent(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	g := newGuarded(t, newIssuer(t))
	rt := b.client(g, person(), "")
	first := b.asked(rt, g)
	back := redirectURI + "?" + url.Values{
		"state": {queryOf(t, first.URL).Get("state")}, "error": {"access_denied"}, "error_description": {"She said\nno."},
	}.Encode()
	_, err := b.manager.Complete(t.Context(), "", back)
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Code != "access_denied" || !strings.HasSuffix(err.Error(), "She said no.") {
		t.Fatalf("Complete() = %v", err)
	}
	if next := b.asked(rt, g); next.URL == first.URL {
		t.Error("the refused authorization is asked for again")
	}
}

// A browser at the bridge's own callback needs no principal, but cannot end what
// is to come back elsewhere.
func TestCompleteBrowser(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	g := newGuarded(t, newIssuer(t))
	rt := b.client(g, person(), "alice")
	if err := b.manager.CompleteBrowser(t.Context(), queryOf(t, b.browse(b.asked(rt, g)))); err != nil {
		t.Fatal(err)
	}
	b.served(rt, g)
	elsewhere := person()
	elsewhere.RedirectURI = "http://localhost:4000/own"
	query := queryOf(t, b.browse(b.asked(b.client(g, elsewhere, "bob"), g)))
	if err := b.manager.CompleteBrowser(t.Context(), query); !errors.Is(err, ErrNotFound) {
		t.Errorf("CompleteBrowser() = %v, want ErrNotFound", err)
	}
	if err := b.manager.CompleteBrowser(t.Context(), url.Values{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("without state: %v", err)
	}
}

// The order of client ids, and what each says at the token endpoint.
func TestClients(t *testing.T) {
	t.Parallel()
	const document = "https://bridge.example.com/client.json"
	known := Credentials{Grant: AuthorizationCode, ClientID: "known id", ClientSecret: "s:ecret"}
	for name, test := range map[string]struct {
		credentials Credentials
		documents   bool
		methods     []string
		id          string
		// proof is the form's "basic", or client_secret, or "none".
		proof string
	}{
		"known before a document":  {known, true, nil, "known id", "known+id:s%3Aecret"},
		"known, by post":           {known, false, []string{"client_secret_post"}, "known id", "s:ecret"},
		"document":                 {person(), true, nil, document, "none"},
		"registered":               {person(), false, nil, "client-1", "client-1:registered+secret"},
		"registered, by post":      {person(), false, []string{"client_secret_post"}, "client-1", "registered secret"},
		"registered, without":      {person(), false, []string{"none"}, "client-1", "none"},
		"known without any secret": {Credentials{Grant: AuthorizationCode, ClientID: "p"}, false, []string{"client_secret_basic"}, "p", "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Options{ClientMetadataURL: document})
			i := newIssuer(t)
			g := newGuarded(t, i)
			i.meta = func(m *oauthex.AuthServerMeta) {
				m.ClientIDMetadataDocumentSupported, m.TokenEndpointAuthMethodsSupported = test.documents, test.methods
			}
			rt := b.client(g, test.credentials, "")
			required := b.asked(rt, g)
			if id := queryOf(t, required.URL).Get("client_id"); id != test.id {
				t.Errorf("client_id = %q, want %q", id, test.id)
			}
			b.consent(required, "")
			b.served(rt, g)
			form := i.tokenForms()[0]
			proof := "none"
			for _, p := range []string{form.Get("basic"), form.Get("client_secret")} {
				if p != "" {
					proof = p
				}
			}
			if proof != test.proof || proof == "none" && form.Get("client_id") != test.id {
				t.Errorf("token request %v", form)
			}
		})
	}
}

func TestOfflineAccess(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		supported []string
		want      string
	}{"supported": {[]string{"offline_access"}, "mcp:read offline_access"}, "not": {nil, "mcp:read"}} {
		b := newBench(t, Options{})
		i := newIssuer(t)
		g := newGuarded(t, i)
		g.challenge = func() string { return `Bearer scope="mcp:read"` }
		g.scopes = []string{"other"}
		i.meta = func(m *oauthex.AuthServerMeta) { m.ScopesSupported = test.supported }
		if got := queryOf(t, b.asked(b.client(g, person(), ""), g).URL).Get("scope"); got != test.want {
			t.Errorf("%s: scope %q, want %q", name, got, test.want)
		}
	}
}

func TestStepUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	i := newIssuer(t)
	g := newGuarded(t, i)
	g.scopes = []string{"mcp:read"}
	rt := b.client(g, person(), "")
	b.consent(b.asked(rt, g), "")
	b.served(rt, g)
	g.need = "mcp:write"
	step := b.asked(rt, g)
	if want := []string{"mcp:read", "mcp:write"}; !slices.Equal(step.Scopes, want) {
		t.Errorf("scopes %q, want %q", step.Scopes, want)
	}
	b.consent(step, "")
	b.served(rt, g)

	g.need = "mcp:admin"
	i.scope = func(string) string { return "mcp:read" } // it is never granted
	for range maxStepUps {
		b.consent(b.asked(rt, g), "")
	}
	status, _, err := post(t.Context(), rt, g.endpoint())
	if err != nil || status != http.StatusForbidden {
		t.Errorf("after %d steps up: status %d, %v", maxStepUps, status, err)
	}
}

// What belongs to one authorization server does not go to another.
func TestMigration(t *testing.T) {
	t.Parallel()
	for name, credentials := range map[string]Credentials{
		"registered": person(),
		"known":      {Grant: AuthorizationCode, ClientID: "id", ClientSecret: "secret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Options{})
			old, next := newIssuer(t), newIssuer(t)
			g := newGuarded(t, old)
			rt := b.client(g, credentials, "")
			b.consent(b.asked(rt, g), "")
			b.served(rt, g)
			g.issuer = next
			if credentials.ClientID != "" {
				if got := b.refused(rt, g); !strings.Contains(got, "other authorization servers") {
					t.Errorf("refused with %q", got)
				}
				return
			}
			forms := len(old.tokenForms())
			required := b.asked(rt, g)
			if !strings.HasPrefix(required.URL, next.URL) || len(next.registrations) != 1 || len(old.tokenForms()) != forms {
				t.Error("the new authorization server is not treated as one")
			}
			b.consent(required, "")
			b.served(rt, g)
		})
	}
}

func TestConsentExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFlows(2)
		add := func(state string, life time.Duration) *flow {
			f := &flow{state: state, expires: time.Now().Add(life)}
			w.add(f)
			return f
		}
		anybody := func(*flow) bool { return true }
		add("a", time.Minute)
		time.Sleep(time.Minute)
		if w.take("a", anybody) != nil {
			t.Error("an expired state is good")
		}
		add("b", time.Minute)
		first := add("c", time.Second)
		add("d", time.Minute)
		if w.take("c", anybody) != nil || !first.taken.Load() {
			t.Error("the one that expires first is not given up")
		}
		if w.take("b", anybody) == nil || w.take("d", anybody) == nil || w.take("b", anybody) != nil {
			t.Error("what waits is not good for one use")
		}
	})
}
