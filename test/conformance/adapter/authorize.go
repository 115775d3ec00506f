package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"google.golang.org/grpc/status"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// redirectURI is where the suite's authorization servers send the person to.
// Nothing listens there: the adapter is the person's browser, and stops short of
// following.
const redirectURI = "http://localhost:3000/callback"

// maxConsents bounds how often a person consents to one call.
const maxConsents = 4

func (s *scenario) aboutAuthorization() bool { return strings.HasPrefix(s.name, "auth/") }

// credentials are what the scenario gives the client to prove who it is.
func (s *scenario) credentials() *mcpbridgev1.Credentials {
	if !s.aboutAuthorization() {
		return nil
	}
	id := s.context.ClientID
	machine := &mcpbridgev1.ClientCredentials{ClientId: id}
	switch s.name {
	case "auth/client-credentials-basic":
		machine.Proof = &mcpbridgev1.ClientCredentials_ClientSecret{ClientSecret: s.context.ClientSecret}
	case "auth/client-credentials-jwt":
		machine.Proof = &mcpbridgev1.ClientCredentials_PrivateKeyJwt{PrivateKeyJwt: &mcpbridgev1.PrivateKeyJwt{
			PrivateKeyPem: s.context.PrivateKeyPEM, SigningAlgorithm: s.context.SigningAlgorithm,
		}}
	case "auth/enterprise-managed-authorization":
		return &mcpbridgev1.Credentials{Kind: &mcpbridgev1.Credentials_EnterpriseManaged{
			EnterpriseManaged: &mcpbridgev1.EnterpriseManaged{
				IdToken: s.context.IDToken, IdpIssuer: s.context.IDPIssuer, IdpTokenEndpoint: s.context.IDPTokenEndpoint,
				IdpClientId: s.context.IDPClientID, ClientId: id, ClientSecret: s.context.ClientSecret,
			},
		}}
	default:
		return &mcpbridgev1.Credentials{Kind: &mcpbridgev1.Credentials_AuthorizationCode{
			AuthorizationCode: &mcpbridgev1.AuthorizationCode{
				RedirectUri: redirectURI, ClientId: id, ClientSecret: s.context.ClientSecret,
			},
		}}
	}
	return &mcpbridgev1.Credentials{Kind: &mcpbridgev1.Credentials_ClientCredentials{ClientCredentials: machine}}
}

// authorized makes a call, and again after each consent that it turns out to
// need.
func (s *scenario) authorized(ctx context.Context, call func() error) error {
	for consents := 0; ; consents++ {
		err := call()
		wanted := consentOf(err)
		if wanted == nil || consents == maxConsents {
			return err
		}
		if err := s.consent(ctx, wanted.GetAuthorizationUrl()); err != nil {
			return err
		}
	}
}

func consentOf(err error) *mcpbridgev1.AuthorizationRequired {
	for _, detail := range status.Convert(err).Details() {
		if wanted, ok := detail.(*mcpbridgev1.AuthorizationRequired); ok {
			return wanted
		}
	}
	return nil
}

// maxTries bounds how often a refused authorization is tried.
const maxTries = 4

// connectAgain connects, and tries again where an authorization is refused, as
// people do. What was right to refuse must be refused each time.
func (s *scenario) connectAgain(ctx context.Context) error {
	err := s.connect(ctx)
	for tries := 1; err != nil && s.aboutAuthorization() && tries < maxTries; tries++ {
		err = s.connect(ctx)
	}
	return err
}

// consent opens the URL as a browser would, and gives the bridge the URL that
// the authorization server then sends the browser to.
func (s *scenario) consent(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("open the authorization URL: %w", err)
	}
	browser := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Do(req)
	if err != nil {
		return fmt.Errorf("open the authorization URL: %w", err)
	}
	defer resp.Body.Close()
	location := resp.Header.Get("Location")
	if location == "" {
		return errors.New("the authorization server does not redirect: " + resp.Status)
	}
	_, err = s.client.CompleteAuthorization(ctx, &mcpbridgev1.CompleteAuthorizationRequest{RedirectUrl: location})
	return err
}
