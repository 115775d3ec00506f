package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// A ServerConfig is an MCP server to get tokens for.
type ServerConfig struct {
	// Name is for logs. Empty for a server that a caller brought.
	Name string
	// URL is the MCP endpoint: http, https, ws or wss.
	URL string
	// Configured: the credentials are the operator's. What is obtained with them
	// goes to the store; what a caller's obtain stays in memory.
	Configured bool
	// Credentials are what the bridge is to the server's authorization servers.
	Credentials Credentials
	// Connections carry the requests for metadata, registrations and tokens, whose
	// URLs the MCP server has a say in: it must refuse addresses that the server
	// should not have the bridge connect to.
	Connections http.RoundTripper
}

// An Authorizer gets tokens for one MCP server. Its methods may be called
// concurrently.
type Authorizer struct {
	m   *Manager
	cfg ServerConfig
	// id tells what this authorizer is for from what others are for.
	id      string
	url     *url.URL
	fetcher *http.Client
}

// Authorizer checks cfg and returns its Authorizer. The error names everything
// that is wrong, and no secret.
func (m *Manager) Authorizer(cfg ServerConfig) (*Authorizer, error) {
	u, err := endpointOf(cfg.URL)
	if err != nil {
		err = fmt.Errorf("url: %w", err)
	}
	var errConnections error
	if cfg.Connections == nil {
		errConnections = errors.New("connections: missing")
	}
	if err := errors.Join(err, errConnections, cfg.Credentials.check()); err != nil {
		return nil, err
	}
	return &Authorizer{m: m, cfg: cfg, url: u, fetcher: newFetcher(cfg.Connections), id: cfg.id()}, nil
}

// id tells one authorizer's tokens from those of others. A caller has to have the
// same secret to get at them; an operator's may be changed without anybody being
// asked for consent again.
func (c ServerConfig) id() string {
	if !c.Configured {
		return keyOf("caller", c.URL, c.Credentials.Fingerprint())
	}
	return keyOf("operator", c.URL, string(c.Credentials.Grant), c.Credentials.Issuer, c.Credentials.ClientID)
}

// endpointOf returns the URL of an MCP endpoint as HTTP has it.
func endpointOf(raw string) (*url.URL, error) {
	u, err := transport.CheckURL(raw)
	if err == nil {
		return u, nil
	}
	socket, errSocket := transport.CheckSocketURL(raw)
	if errSocket != nil {
		return nil, err
	}
	socket.Scheme = map[string]string{"ws": "http", "wss": "https"}[socket.Scheme]
	return socket, nil
}

// store is where what is obtained goes.
func (a *Authorizer) store() Store {
	if a.cfg.Configured {
		return a.m.opts.Store
	}
	return a.m.memory
}

// For returns what adds the principal's token to the requests that base carries.
// All that it returns for one principal share one token. Requests to another
// origin than the server's go out without.
//
// The errors of its RoundTrip are [*transport.Error], or base's own.
func (a *Authorizer) For(principal string) func(base http.RoundTripper) http.RoundTripper {
	x := a.m.access(a, principal)
	return func(base http.RoundTripper) http.RoundTripper { return &roundTripper{base: base, access: x} }
}

// issuer chooses the authorization server to use. Credentials belong to one: "if
// the authorization server changes, clients MUST NOT reuse" them (SEP-2352).
func (a *Authorizer) issuer(r *resource, used *token) (string, error) {
	bound := a.cfg.Credentials.Issuer
	if bound == "" && a.cfg.Credentials.ClientID != "" {
		bound = a.bound()
	}
	if bound == "" && used != nil {
		for _, issuer := range r.issuers {
			if issuer == used.Issuer {
				return issuer, nil
			}
		}
	}
	if bound == "" {
		return r.issuers[0], nil
	}
	for _, issuer := range r.issuers {
		if issuer == bound {
			return issuer, nil
		}
	}
	return "", refusedf("the server names other authorization servers than the one that the client_id belongs to")
}

// bound returns to whom the credentials belong, empty if it is not known.
func (a *Authorizer) bound() string {
	key := keyOf("issuer", a.id)
	issuer, ok := load[string](a.store(), key)
	if !ok {
		issuer, _ = load[string](a.m.memory, key)
	}
	return issuer
}

// bind remembers to whom the credentials belong, once it is known: in memory, if
// it cannot be stored.
func (a *Authorizer) bind(ctx context.Context, issuer string) {
	if a.cfg.Credentials.ClientID == "" || a.cfg.Credentials.Issuer != "" {
		return
	}
	key := keyOf("issuer", a.id)
	if err := save(a.store(), key, issuer); err != nil {
		_ = save(a.m.memory, key, issuer) // never fails
		a.m.opts.Logger.WarnContext(ctx, "issuer is kept in memory only", "server", a.cfg.Name, "error", err)
	}
}

// keyOf makes one key of several parts, which it does not show.
func keyOf(parts ...string) string {
	text, err := json.Marshal(parts)
	if err != nil { // strings can always be written
		return ""
	}
	sum := sha256.Sum256(text)
	return parts[0] + ":" + base64.RawURLEncoding.EncodeToString(sum[:])
}
