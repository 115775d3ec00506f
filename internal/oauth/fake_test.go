package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// An issuer is an authorization server of the tests' own. Its fields are set
// before it is used.
type issuer struct {
	*httptest.Server

	// meta changes the metadata before it goes out.
	meta func(*oauthex.AuthServerMeta)
	// metaPath is where the metadata is, "" for RFC 8414's place.
	metaPath string
	// path is that of the issuer's name.
	path string
	// life is the expires_in of tokens; 0 leaves it out.
	life int
	// noRefresh: no refresh tokens are issued.
	noRefresh bool
	// scope answers the scopes asked for; nil leaves it out.
	scope func(asked string) string
	// refuse is the error that the token endpoint answers a grant with.
	refuse map[string]string
	// iss is the iss of redirects, "" for none.
	iss string

	mu            sync.Mutex
	count         int
	codes         map[string]url.Values // code to authorization request
	refreshTokens map[string]bool
	good          map[string]string // access token to scope
	registrations []map[string]any
	authorized    []url.Values
	tokens        []url.Values // forms, with "basic" for the header
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{codes: map[string]url.Values{}, refreshTokens: map[string]bool{}, good: map[string]string{}, refuse: map[string]string{}}
	i.Server = httptest.NewServer(i)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) name() string { return i.URL + i.path }

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	place := i.metaPath
	if place == "" {
		place = "/.well-known/oauth-authorization-server" + i.path
	}
	switch r.URL.Path {
	case place:
		i.metadata(w)
	case i.path + "/authorize":
		i.authorize(w, r)
	case i.path + "/register":
		i.register(w, r)
	case i.path + "/token":
		i.token(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (i *issuer) metadata(w http.ResponseWriter) {
	m := &oauthex.AuthServerMeta{
		Issuer: i.name(), AuthorizationEndpoint: i.name() + "/authorize", TokenEndpoint: i.name() + "/token",
		RegistrationEndpoint: i.name() + "/register", CodeChallengeMethodsSupported: []string{"S256"},
	}
	if i.meta != nil {
		i.meta(m)
	}
	answer(w, http.StatusOK, m)
}

func (i *issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	i.authorized = append(i.authorized, q)
	i.count++
	code := fmt.Sprintf("code-%d", i.count)
	i.codes[code] = q
	back := url.Values{"code": {code}, "state": {q.Get("state")}}
	if i.iss != "" {
		back.Set("iss", i.iss)
	}
	w.Header().Set("Location", q.Get("redirect_uri")+"?"+back.Encode())
	w.WriteHeader(http.StatusFound)
}

func (i *issuer) register(w http.ResponseWriter, r *http.Request) {
	var m map[string]any
	_ = json.NewDecoder(r.Body).Decode(&m)
	i.registrations = append(i.registrations, m)
	reply := maps.Clone(m)
	reply["client_id"] = fmt.Sprintf("client-%d", len(i.registrations))
	if m["token_endpoint_auth_method"] != "none" {
		reply["client_secret"] = "registered secret"
	}
	answer(w, http.StatusCreated, reply)
}

func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	form := maps.Clone(r.PostForm)
	if id, secret, ok := r.BasicAuth(); ok {
		form.Set("basic", id+":"+secret)
	}
	i.tokens = append(i.tokens, form)
	grant := form.Get("grant_type")
	if code := i.refuse[grant]; code != "" {
		answer(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": "no, " + form.Get("refresh_token")})
		return
	}
	scope := form.Get("scope")
	switch grant {
	case "authorization_code":
		asked, ok := i.codes[form.Get("code")]
		sum := sha256.Sum256([]byte(form.Get("code_verifier")))
		if !ok || base64.RawURLEncoding.EncodeToString(sum[:]) != asked.Get("code_challenge") {
			answer(w, http.StatusBadRequest, map[string]string{"error": codeInvalidGrant})
			return
		}
		delete(i.codes, form.Get("code"))
		scope = asked.Get("scope")
	case "refresh_token":
		if !i.refreshTokens[form.Get("refresh_token")] {
			answer(w, http.StatusBadRequest, map[string]string{"error": codeInvalidGrant})
			return
		}
		delete(i.refreshTokens, form.Get("refresh_token"))
	}
	answer(w, http.StatusOK, i.issue(grant, scope))
}

func (i *issuer) issue(grant, scope string) map[string]any {
	i.count++
	access, refresh := fmt.Sprintf("access-%d", i.count), fmt.Sprintf("refresh-%d", i.count)
	reply := map[string]any{"access_token": access, "token_type": "bearer"}
	if i.life != 0 {
		reply["expires_in"] = i.life
	}
	if i.scope != nil {
		scope = i.scope(scope)
		reply["scope"] = scope
	}
	i.good[access] = scope
	if grant != "client_credentials" && !i.noRefresh {
		i.refreshTokens[refresh] = true
		reply["refresh_token"] = refresh
	}
	return reply
}

// revoke makes the access tokens issued so far invalid.
func (i *issuer) revoke() {
	i.mu.Lock()
	defer i.mu.Unlock()
	clear(i.good)
}

func (i *issuer) scopeOf(access string) (string, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	scope, ok := i.good[access]
	return scope, ok
}

// tokenForms returns the token requests so far.
func (i *issuer) tokenForms() []url.Values {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.tokens)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// A guarded is an MCP server, at /mcp, that wants a token of its issuer.
type guarded struct {
	*httptest.Server

	issuer *issuer
	// prm is where the metadata is; "": there is none.
	prm string
	// resource is what it says it is for, "" for the server's URL.
	resource string
	scopes   []string
	// challenge is the WWW-Authenticate header of a 401; "": there is none.
	challenge func() string
	// need is a scope without which a valid token gets a 403.
	need string

	mu   sync.Mutex
	seen []string // Authorization headers
}

const atPath = "/.well-known/oauth-protected-resource/mcp"

func newGuarded(t *testing.T, i *issuer) *guarded {
	t.Helper()
	g := &guarded{issuer: i, prm: atPath}
	g.Server = httptest.NewServer(g)
	g.challenge = func() string { return `Bearer resource_metadata="` + g.URL + g.prm + `"` }
	t.Cleanup(g.Close)
	return g
}

func (g *guarded) endpoint() string { return g.URL + "/mcp" }

func (g *guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case g.prm != "" && r.URL.Path == g.prm:
		m := oauthex.ProtectedResourceMetadata{Resource: g.resource, AuthorizationServers: []string{g.issuer.name()}, ScopesSupported: g.scopes}
		if m.Resource == "" {
			m.Resource = g.endpoint()
		}
		answer(w, http.StatusOK, m)
	case r.URL.Path == "/mcp":
		g.serve(w, r)
	default: // the server may be its own issuer
		g.issuer.ServeHTTP(w, r)
	}
}

func (g *guarded) serve(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.seen = append(g.seen, r.Header.Get("Authorization"))
	g.mu.Unlock()
	access, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	scope, ok := g.issuer.scopeOf(access)
	switch {
	case !ok:
		if c := g.challenge(); c != "" {
			w.Header().Set("WWW-Authenticate", c)
		}
		w.WriteHeader(http.StatusUnauthorized)
	case g.need != "" && !slices.Contains(strings.Fields(scope), g.need):
		w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="`+g.need+`"`)
		w.WriteHeader(http.StatusForbidden)
	default:
		_, _ = fmt.Fprint(w, access)
	}
}
