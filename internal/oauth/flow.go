package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A flow is one authorization that waits for a person. It is not changed once
// it has begun, but for taken and target.
type flow struct {
	access *access
	// state is known to the person's browser and the authorization server alone.
	state    string
	verifier string
	redirect string
	url      string

	server   *server
	client   client
	resource string
	scopes   []string
	expires  time.Time

	// taken: somebody has come back with the state, which is good for one use.
	taken  atomic.Bool
	target atomic.Pointer[string]
}

func (f *flow) required() *RequiredError {
	return &RequiredError{URL: f.url, Expires: f.expires, Scopes: f.scopes, flow: f}
}

// ask begins to wait for a person. It always returns an error.
func (x *access) ask(ctx context.Context, r *resource, s *server, scopes []string) error {
	if s.AuthorizationEndpoint == "" {
		return refusedf("the authorization server has no authorization endpoint")
	}
	if err := s.checkPKCE(); err != nil {
		return err
	}
	redirect := x.a.redirect()
	if err := CheckRedirectURI(redirect); err != nil {
		return &RefusedError{Problem: "there is no redirect URI that could be used", Err: err}
	}
	c, err := x.a.personClient(ctx, s, redirect)
	if err != nil {
		return err
	}
	f := &flow{
		access: x, state: rand.Text(), verifier: rand.Text() + rand.Text(), redirect: redirect,
		server: s, client: c, resource: r.uri, scopes: scopes, expires: time.Now().Add(x.a.m.opts.ConsentTime),
	}
	if f.url, err = f.authorizationURL(); err != nil {
		return err
	}
	x.mu.Lock()
	x.waiting = f
	x.mu.Unlock()
	x.a.m.flows.add(f)
	return f.required()
}

// authorizationURL is what the person opens (OAuth 2.1, 4.1.1; RFC 8707, 2.1).
func (f *flow) authorizationURL() (string, error) {
	u, err := url.Parse(f.server.AuthorizationEndpoint)
	if err != nil {
		return "", refusedf("the authorization endpoint is no URL")
	}
	sum := sha256.Sum256([]byte(f.verifier))
	q := u.Query()
	q.Set("response_type", "code")
	q.Set("client_id", f.client.ID)
	q.Set("redirect_uri", f.redirect)
	q.Set("state", f.state)
	q.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
	q.Set("code_challenge_method", "S256")
	q.Set("resource", f.resource)
	if len(f.scopes) > 0 {
		q.Set("scope", strings.Join(f.scopes, " "))
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// Complete ends an authorization of the principal's by the URL to which the
// authorization server sent the person's browser. It returns what waited for it,
// as [RequiredError.SetTarget] named it. [ErrNotFound]: nothing waits for it.
func (m *Manager) Complete(ctx context.Context, principal, redirectURL string) (target string, err error) {
	u, err := url.Parse(redirectURL)
	if err != nil {
		return "", ErrNotFound
	}
	return m.complete(ctx, u.Query(), func(f *flow) bool { return f.access.principal == principal })
}

// CompleteBrowser is Complete for the browser itself, which has come to the
// bridge's own redirect URI: it shows by the state alone where it has been.
func (m *Manager) CompleteBrowser(ctx context.Context, query url.Values) error {
	_, err := m.complete(ctx, query, func(f *flow) bool { return f.access.a.cfg.Credentials.RedirectURI == "" })
	return err
}

func (m *Manager) complete(ctx context.Context, query url.Values, mayBe func(*flow) bool) (string, error) {
	f := m.flows.take(query.Get("state"), mayBe)
	if f == nil {
		return "", ErrNotFound
	}
	// The code is good for one use: whoever asked may go, but not what it yields.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTimeout)
	defer cancel()
	defer context.AfterFunc(m.life, cancel)()
	err := f.redeem(ctx, query)
	log := m.opts.Logger.With("server", f.access.a.cfg.Name, "issuer", f.server.Issuer)
	if err != nil {
		log.WarnContext(ctx, "authorization failed", "error", err)
		return "", err
	}
	log.InfoContext(ctx, "authorization completed")
	if t := f.target.Load(); t != nil {
		return *t, nil
	}
	return "", nil
}

// redeem checks the authorization response and gets the token.
func (f *flow) redeem(ctx context.Context, query url.Values) error {
	if err := f.server.checkIssuer(query); err != nil {
		return err
	}
	if code := query.Get("error"); code != "" {
		refused := &RefusedError{Problem: "the authorization was not granted", Code: words(code)}
		if text := words(query.Get("error_description")); text != "" {
			refused.Err = errors.New(text)
		}
		return refused
	}
	code := query.Get("code")
	if code == "" {
		return refusedf("the redirect has neither a code nor an error")
	}
	req := tokenRequest{
		issuer: f.server.Issuer, endpoint: f.server.TokenEndpoint, resource: f.resource, client: f.client, scopes: f.scopes,
		form: url.Values{
			"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {f.redirect}, "code_verifier": {f.verifier},
		},
	}
	a := f.access.a
	t, err := req.fetch(ctx, a.fetcher)
	if err != nil {
		var refused *RefusedError
		if errors.As(err, &refused) && refused.Code == codeInvalidClient && f.client.Registered {
			_ = a.store().Put(clientKey(f.server.Issuer, f.redirect), nil) // a new one is put over it
		}
		return err
	}
	a.bind(ctx, f.server.Issuer)
	f.access.keep(ctx, t)
	return nil
}

// checkIssuer holds who answers against who was asked, before anything goes
// there: "compare the iss value using simple string comparison" (RFC 9207, 2.4;
// spec 2026-07-28, basic/authorization).
func (s *server) checkIssuer(query url.Values) error {
	switch {
	case query.Has("iss") && query.Get("iss") != s.Issuer:
		return refusedf("the redirect comes from another issuer than the one that was asked")
	case !query.Has("iss") && s.AuthorizationResponseIssParameterSupported:
		return refusedf("the redirect does not say which issuer it comes from")
	}
	return nil
}

// flows are the authorizations that wait, by state. When there are too many, the
// oldest is given up.
type flows struct {
	max int

	mu      sync.Mutex // guards what follows
	byState map[string]*flow
}

func newFlows(most int) *flows { return &flows{max: most, byState: make(map[string]*flow)} }

func (w *flows) add(f *flow) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	var oldest *flow
	for state, other := range w.byState {
		switch {
		case !now.Before(other.expires):
			delete(w.byState, state)
		case oldest == nil || other.expires.Before(oldest.expires):
			oldest = other
		}
	}
	if len(w.byState) >= w.max {
		oldest.taken.Store(true)
		delete(w.byState, oldest.state)
	}
	w.byState[f.state] = f
}

// take returns the flow of that state, once; nil if there is none that may be
// taken.
func (w *flows) take(state string, mayBe func(*flow) bool) *flow {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.byState[state]
	if f == nil || !mayBe(f) {
		return nil
	}
	delete(w.byState, state)
	f.taken.Store(true)
	if !time.Now().Before(f.expires) {
		return nil
	}
	return f
}
