package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// consented returns the way of a person that has consented.
func consented(t *testing.T, b *bench, g *guarded) http.RoundTripper {
	t.Helper()
	rt := b.client(g, person(), "")
	b.consent(b.asked(rt, g), "")
	b.served(rt, g)
	return rt
}

// afterConsent is where most of these tests begin: rt is the way to g of a person
// that has consented, to i.
func afterConsent(t *testing.T) (b *bench, i *issuer, g *guarded, rt http.RoundTripper) {
	t.Helper()
	b, i = newBench(t, Options{}), newIssuer(t)
	g = newGuarded(t, i)
	return b, i, g, consented(t, b, g)
}

// Any number of requests that meet an invalid token share one refresh.
func TestRefreshOnce(t *testing.T) {
	t.Parallel()
	b, i, g, rt := afterConsent(t)
	i.revoke()
	before := len(i.tokenForms())
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if status, _, err := post(t.Context(), rt, g.endpoint()); err != nil || status != http.StatusOK {
				t.Errorf("status %d, %v", status, err)
			}
		})
	}
	all.Wait()
	forms := i.tokenForms()[before:]
	if len(forms) != 1 || forms[0].Get("grant_type") != "refresh_token" || forms[0].Get("resource") != g.endpoint() {
		t.Errorf("token requests %v", forms)
	}
	i.revoke()
	b.served(rt, g) // with the refresh token that has come in the place of the first
}

// A token that is about to expire is replaced before the server has to refuse it.
func TestRefreshBeforeExpiry(t *testing.T) {
	t.Parallel()
	b, _, g, rt := afterConsent(t)
	x := rt.(*roundTripper).access
	old := x.current.Load()
	x.current.Store(&token{
		Issuer: old.Issuer, Resource: old.Resource, Endpoint: old.Endpoint, Client: old.Client, Access: old.Access,
		Refresh: old.Refresh, Renew: time.Now().Add(-time.Second),
	})
	seen := len(g.seen)
	if token := b.served(rt, g); token == old.Access || len(g.seen) != seen+1 {
		t.Errorf("served with %s after %d requests", token, len(g.seen)-seen)
	}
}

func TestRefreshRefused(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]string{"grant": codeInvalidGrant, "client": codeInvalidClient} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, i, g, rt := afterConsent(t)
			i.revoke()
			i.refuse["refresh_token"] = code
			id := queryOf(t, b.asked(rt, g).URL).Get("client_id")
			if want := map[string]string{codeInvalidGrant: "client-1", codeInvalidClient: "client-2"}[code]; id != want {
				t.Errorf("client_id = %s, want %s", id, want)
			}
		})
	}
}

// Whoever waits for a token may leave; the token comes all the same.
func TestLeaveDuringRenewal(t *testing.T) {
	t.Parallel()
	b, i, g, rt := afterConsent(t)
	i.revoke()
	asked, goOn := make(chan struct{}), make(chan struct{})
	i.meta = func(*oauthex.AuthServerMeta) {
		close(asked)
		<-goOn
	}
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, _, err := post(ctx, rt, g.endpoint())
		left <- err
	}()
	<-asked
	cancel()
	err := <-left
	if te, ok := errors.AsType[*transport.Error](err); !ok || te.Kind != transport.KindCanceled || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(goOn)
	b.served(rt, g)
	refreshes := 0
	for _, form := range i.tokenForms() {
		if form.Get("grant_type") == "refresh_token" {
			refreshes++
		}
	}
	if refreshes != 1 {
		t.Errorf("%d refreshes", refreshes)
	}
}

// Tokens and registrations outlive the process.
func TestFile(t *testing.T) {
	t.Parallel()
	path, key := filepath.Join(t.TempDir(), "tokens"), make([]byte, KeyBytes)
	i := newIssuer(t)
	g := newGuarded(t, i)
	open := func() *bench {
		f, err := OpenFile(path, key)
		if err != nil {
			t.Fatal(err)
		}
		return newBench(t, Options{Store: f})
	}
	first := open()
	token := first.served(consented(t, first, g), g)
	second := open()
	if again := second.served(second.client(g, person(), ""), g); again != token {
		t.Errorf("served with %s, want %s", again, token)
	}
	second.asked(second.client(g, person(), "somebody else"), g)
	if len(i.registrations) != 1 {
		t.Errorf("%d registrations", len(i.registrations))
	}
	inspect(t, path, key, token)
}

// A server has no part in where its tokens go.
func TestTokenStaysAtItsOrigin(t *testing.T) {
	t.Parallel()
	rt := consented(t, newBench(t, Options{}), newGuarded(t, newIssuer(t)))
	var got string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Authorization") }))
	t.Cleanup(other.Close)
	if _, _, err := post(t.Context(), rt, other.URL+"/mcp"); err != nil || got != "" {
		t.Errorf("the other origin got %q, %v", got, err)
	}
}

// Metadata may not lead where the server's own network is.
func TestGuard(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	i := newIssuer(t)
	g := newGuarded(t, i)
	guarded := transport.NewHTTPClient(&transport.Guard{}, nil)
	t.Cleanup(guarded.CloseIdleConnections)
	a, err := b.manager.Authorizer(ServerConfig{URL: g.endpoint(), Credentials: person(), Connections: guarded})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = post(t.Context(), a.For("")(b.connections), g.endpoint())
	if te, ok := errors.AsType[*transport.Error](err); !ok || te.Kind != transport.KindForbidden {
		t.Errorf("got %v", err)
	}
}

// A redirect leads nowhere else, and a large document nowhere.
func TestFetchBounds(t *testing.T) {
	t.Parallel()
	var reached bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	t.Cleanup(elsewhere.Close)
	for name, serve := range map[string]http.HandlerFunc{
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"large": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"x":"` + strings.Repeat("x", maxFetchBytes) + `"}`))
		},
		"failure": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
	} {
		s := httptest.NewServer(serve)
		t.Cleanup(s.Close)
		b := newBench(t, Options{})
		u, _ := checkEndpoint(s.URL)
		err := fetchJSON(t.Context(), newFetcher(b.connections), u, new(map[string]any))
		if err == nil || errors.Is(err, errAbsent) || reached {
			t.Errorf("%s: %v, reached %v", name, err, reached)
		}
	}
}

// What the other side says of our secrets is not repeated.
func TestSecretsAreNotRepeated(t *testing.T) {
	t.Parallel()
	rt := consented(t, newBench(t, Options{}), newGuarded(t, newIssuer(t)))
	secret := rt.(*roundTripper).access.current.Load().Refresh
	r := tokenRequest{form: url.Values{"refresh_token": {secret}}}
	for _, body := range []string{
		`{"error":"invalid_grant","error_description":"no such token: ` + secret + `"}`, `{"error":"` + secret + `"}`, secret,
	} {
		if err := r.refusal(http.StatusBadRequest, []byte(body)); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// A secret that the operator has changed takes nobody's consent away.
func TestRotatedSecret(t *testing.T) {
	t.Parallel()
	store := NewMemory()
	i := newIssuer(t)
	g := newGuarded(t, i)
	credentials := Credentials{Grant: AuthorizationCode, ClientID: "id", ClientSecret: "old"}
	b := newBench(t, Options{Store: store})
	rt := b.client(g, credentials, "alice")
	b.consent(b.asked(rt, g), "alice")
	b.served(rt, g)
	i.revoke()
	credentials.ClientSecret = "new"
	next := newBench(t, Options{Store: store})
	next.served(next.client(g, credentials, "alice"), g)
	forms := i.tokenForms()
	if got := forms[len(forms)-1].Get("basic"); got != "id:new" {
		t.Errorf("refreshed as %q", got)
	}
}

// What cannot be had at the moment is not taken for something that is not there.
func TestFetchAbsent(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	for status, absent := range map[int]bool{401: true, 404: true, 405: true, 408: false, 429: false, 500: false, 503: false} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(s.Close)
		at, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		if err := fetchJSON(t.Context(), newFetcher(b.connections), at, new(any)); err == nil || errors.Is(err, errAbsent) != absent {
			t.Errorf("status %d: %v", status, err)
		}
	}
}

// Reasons to step up that are long past make room for others.
func TestStepUpsArePast(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	g := newGuarded(t, newIssuer(t))
	x := b.client(g, person(), "alice").(*roundTripper).access
	for n := range maxStepUpScopes {
		x.stepUps[strconv.Itoa(n)] = stepUp{count: maxStepUps, since: time.Now()}
	}
	c := &challenge{scopes: []string{"another"}}
	if x.mayStepUp(c) {
		t.Error("there is no bound")
	}
	for reason := range x.stepUps {
		x.stepUps[reason] = stepUp{count: maxStepUps, since: time.Now().Add(-time.Hour)}
	}
	if !x.mayStepUp(c) || len(x.stepUps) != 1 {
		t.Errorf("%d reasons are kept", len(x.stepUps))
	}
}
