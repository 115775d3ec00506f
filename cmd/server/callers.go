package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/auth"
	"github.com/mcpbridge/mcpbridge/internal/config"
	"github.com/mcpbridge/mcpbridge/internal/reload"
	"github.com/mcpbridge/mcpbridge/internal/service"
	"github.com/mcpbridge/mcpbridge/internal/tlsfile"
)

// callers are those who may use the bridge: how they reach it, how they prove
// who they are, and what they may use. It owns the connections to the issuer of
// tokens.
type callers struct {
	// tls is that of the listeners; nil: there is none.
	tls *tlsfile.Source
	// guard stands before the RPCs; nil: callers are not asked who they are.
	guard *auth.Guard
	// access has the rules of those servers that have any.
	access map[string]*auth.Access

	issuer *auth.OIDC // nil: there is none
	files  []*reload.Files
}

// newCallers reads the files that the configuration names, and connects to
// nothing.
func newCallers(cfg *config.Config, log *slog.Logger) (*callers, error) {
	c := new(callers)
	var err error
	if cfg.TLS.CertFile != "" {
		c.tls = tlsfile.New(tlsfile.Options{
			CertFile: cfg.TLS.CertFile, KeyFile: cfg.TLS.KeyFile,
			ClientCAFile: cfg.TLS.ClientCAFile, RequireClientCert: cfg.TLS.RequireClientCert,
		})
		if err = c.keep(log, c.tls.Load, c.tls.Paths()...); err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
	}
	if c.access, err = accessRules(cfg.Servers); err != nil {
		return nil, err
	}
	if !cfg.Auth.Enabled() {
		return c, nil
	}
	authenticator, err := c.authenticator(cfg.Auth, log)
	if err != nil {
		return nil, err
	}
	c.guard = auth.NewGuard(auth.Guard{
		Authenticator: authenticator,
		Limits: auth.NewLimits(auth.LimitOptions{
			Calls: cfg.Principal.Calls, Bytes: cfg.Principal.Bytes,
			ConnectRate: cfg.Principal.ConnectRate, ConnectBurst: cfg.Principal.ConnectBurst,
		}),
		Open:          openToAll,
		ConnectMethod: mcpbridgev1.McpService_Connect_FullMethodName,
		Logger:        log,
	})
	return c, nil
}

// keep loads files, and has them watched later.
func (c *callers) keep(log *slog.Logger, load func() error, paths ...string) error {
	files, err := reload.Load(log, load, paths...)
	if len(paths) > 0 {
		c.files = append(c.files, files)
	}
	return err
}

func (c *callers) authenticator(cfg config.Auth, log *slog.Logger) (*auth.Authenticator, error) {
	a := &auth.Authenticator{Certificates: cfg.Has(config.AuthMTLS)}
	if cfg.Has(config.AuthPreshared) {
		fixed := make([]auth.Token, len(cfg.Preshared.Tokens))
		for i, line := range cfg.Preshared.Tokens {
			var err error
			if fixed[i], err = auth.ParseToken(line.Reveal()); err != nil {
				return nil, fmt.Errorf("auth.preshared.tokens: item %d %w", i+1, err)
			}
		}
		a.Tokens = auth.NewTokens(fixed, cfg.Preshared.TokensFile)
		var paths []string
		if cfg.Preshared.TokensFile != "" {
			paths = []string{cfg.Preshared.TokensFile}
		}
		if err := c.keep(log, a.Tokens.Load, paths...); err != nil {
			return nil, fmt.Errorf("auth.preshared: %w", err)
		}
	}
	if cfg.Has(config.AuthOIDC) {
		a.OIDC = auth.NewOIDC(auth.OIDCConfig{
			Issuer: cfg.OIDC.Issuer, Audiences: cfg.OIDC.Audiences, PrincipalClaim: cfg.OIDC.PrincipalClaim,
			Algorithms: cfg.OIDC.Algorithms, ClockSkew: cfg.OIDC.ClockSkew,
		})
		c.issuer = a.OIDC
	}
	return a, nil
}

// accessRules returns the rules of the servers that have any.
func accessRules(servers map[string]config.Server) (map[string]*auth.Access, error) {
	rules := make(map[string]*auth.Access)
	for name, s := range servers {
		if len(s.Allow)+len(s.AllowTools)+len(s.DenyTools) == 0 {
			continue
		}
		access, err := auth.NewAccess(s.Allow, s.AllowTools, s.DenyTools)
		if err != nil {
			return nil, fmt.Errorf("servers.%s: %w", name, err)
		}
		rules[name] = access
	}
	return rules, nil
}

// openToAll: probes ask how the bridge is, and seldom have a token. That a server
// exists, and how it is, is for callers.
func openToAll(method string, request any) bool {
	if method != healthv1.Health_Check_FullMethodName {
		return false
	}
	check, ok := request.(*healthv1.HealthCheckRequest)
	return ok && (check.GetService() == "" || check.GetService() == mcpbridgev1.McpService_ServiceDesc.ServiceName)
}

// run watches the files until ctx is done.
func (c *callers) run(ctx context.Context) {
	var watching sync.WaitGroup
	for _, files := range c.files {
		watching.Go(func() { files.Watch(ctx) })
	}
	watching.Wait()
}

// close closes the connections to the issuer.
func (c *callers) close() {
	if c.issuer != nil {
		c.issuer.Close()
	}
}

// unary and stream are the interceptors of RPCs, the outermost first.
func (c *callers) unary(i *service.Interceptor) []grpc.UnaryServerInterceptor {
	if c.guard == nil {
		return []grpc.UnaryServerInterceptor{i.Unary}
	}
	return []grpc.UnaryServerInterceptor{i.Unary, c.guard.Unary}
}

func (c *callers) stream(i *service.Interceptor) []grpc.StreamServerInterceptor {
	if c.guard == nil {
		return []grpc.StreamServerInterceptor{i.Stream}
	}
	return []grpc.StreamServerInterceptor{i.Stream, c.guard.Stream}
}

// authenticateHTTP returns what finds out who sends a request by REST, nil where
// nobody is asked.
func (c *callers) authenticateHTTP() func(context.Context, *http.Request) (context.Context, error) {
	if c.guard == nil {
		return nil
	}
	return func(ctx context.Context, r *http.Request) (context.Context, error) {
		credentials := auth.Credentials{Authorization: r.Header["Authorization"]}
		if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
			credentials.Certificate = r.TLS.VerifiedChains[0][0]
		}
		ctx, err := c.guard.Admit(ctx, credentials)
		if err != nil {
			return nil, service.StatusError(err)
		}
		return ctx, nil
	}
}

// tlsConfig returns the TLS configuration of a listener, nil if there is no TLS.
func (c *callers) tlsConfig(protocols ...string) *tls.Config {
	if c.tls == nil {
		return nil
	}
	return c.tls.Config(protocols...)
}
