package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A token is an access token with all that it takes to get the next one. It
// belongs to one principal, issuer and resource. It is not changed once in use,
// but for accepted.
type token struct {
	Issuer   string `json:"issuer"`
	Resource string `json:"resource"`
	// Endpoint is the issuer's token endpoint.
	Endpoint string `json:"endpoint"`
	Client   client `json:"client"`

	Access  string `json:"access"`
	Refresh string `json:"refresh,omitempty"`
	// Renew is when a new one should be fetched, a little before this one
	// expires. Zero: when the server says so.
	Renew time.Time `json:"renew,omitzero"`
	// Scopes are those that were asked for, or that were granted if that was said.
	Scopes []string `json:"scopes,omitempty"`

	// Identity is the fingerprint of the ID token that it was issued for, empty if
	// it was for none.
	Identity string `json:"identity,omitempty"`

	// accepted: the MCP server has accepted it.
	accepted atomic.Bool
}

// The errors of a token endpoint (RFC 6749, 5.2) that are told apart.
const (
	codeInvalidGrant  = "invalid_grant"
	codeInvalidClient = "invalid_client"
)

// A tokenRequest asks for a token.
type tokenRequest struct {
	issuer, endpoint, resource string
	client                     client
	key                        *Key
	form                       url.Values
	// scopes are those that are asked for.
	scopes []string
	// identity becomes the token's.
	identity string
}

// fetch makes the request. "MCP clients MUST include the resource parameter in
// both authorization requests and token requests"; refreshing is one too.
func (r tokenRequest) fetch(ctx context.Context, fetcher *http.Client) (*token, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.endpoint, nil)
	if err != nil {
		return nil, fmt.Errorf("ask for a token: %w", err)
	}
	if r.resource != "" {
		r.form.Set("resource", r.resource)
	}
	if err := r.client.authenticate(req, r.form, r.key, r.issuer); err != nil {
		return nil, err
	}
	text := r.form.Encode()
	req.Body, req.ContentLength = http.NoBody, int64(len(text))
	req.Body = readCloser{strings.NewReader(text)}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	resp, err := fetcher.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask for a token: %w", withoutURL(err))
	}
	defer resp.Body.Close()
	body, err := readBounded(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("ask for a token: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, r.refusal(resp.StatusCode, body)
	}
	return r.read(body)
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// refusal reads an error response (RFC 6749, 5.2).
func (r tokenRequest) refusal(status int, body []byte) error {
	var answer struct {
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Code == "" {
		if status >= http.StatusInternalServerError || status == http.StatusTooManyRequests {
			return fmt.Errorf("ask for a token: HTTP status %d", status)
		}
		return refusedf("the authorization server refuses a token with HTTP status %d", status)
	}
	secrets := []string{r.client.Secret}
	for _, name := range []string{"code", "code_verifier", "refresh_token", "client_assertion", "assertion", "subject_token"} {
		secrets = append(secrets, r.form.Get(name))
	}
	refused := &RefusedError{Problem: "the authorization server refuses a token", Code: words(answer.Code, secrets...)}
	if text := words(answer.Description, secrets...); text != "" {
		refused.Err = errors.New(text)
	}
	return refused
}

// renewEarly is how long before its end a token is not used any more: requests
// take their time, and clocks differ.
const renewEarly = 10 * time.Second

// read reads a token response (RFC 6749, 5.1).
func (r tokenRequest) read(body []byte) (*token, error) {
	var answer struct {
		Access  string          `json:"access_token"`
		Type    string          `json:"token_type"`
		Expires json.RawMessage `json:"expires_in"`
		Refresh string          `json:"refresh_token"`
		Scope   *string         `json:"scope"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Access == "" || !isTokenText(answer.Access) {
		return nil, refusedf("the authorization server's answer has no token")
	}
	if !strings.EqualFold(answer.Type, "bearer") {
		return nil, refusedf("the authorization server's token is of type %.20q, not Bearer", answer.Type)
	}
	t := &token{
		Issuer: r.issuer, Resource: r.resource, Endpoint: r.endpoint, Client: r.client,
		Access: answer.Access, Refresh: answer.Refresh, Scopes: r.scopes, Identity: r.identity,
	}
	if answer.Scope != nil {
		t.Scopes = strings.Fields(*answer.Scope)
	}
	// Some servers write the number as text.
	if n, err := strconv.ParseInt(strings.Trim(string(answer.Expires), `"`), 10, 32); err == nil && n > 0 {
		life := time.Duration(n) * time.Second
		t.Renew = time.Now().Add(life - min(renewEarly, life/10))
	}
	return t, nil
}

// isTokenText reports whether a token can stand in a header.
func isTokenText(s string) bool {
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

func (t *token) expired() bool { return !t.Renew.IsZero() && !time.Now().Before(t.Renew) }

// parseToken reads a token that was kept; nil if it cannot be read.
func parseToken(text []byte) *token {
	t := new(token)
	if json.Unmarshal(text, t) != nil || t.Access == "" {
		return nil
	}
	return t
}
