package service

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/oauth"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

func TestPersonalRefusals(t *testing.T) {
	t.Parallel()
	bearer := func(token string) *mcpbridgev1.Credentials {
		return &mcpbridgev1.Credentials{Kind: &mcpbridgev1.Credentials_BearerToken{BearerToken: token}}
	}
	machine := func(c *mcpbridgev1.ClientCredentials) *mcpbridgev1.Credentials {
		return &mcpbridgev1.Credentials{Kind: &mcpbridgev1.Credentials_ClientCredentials{ClientCredentials: c}}
	}
	code := func(c *mcpbridgev1.AuthorizationCode) *mcpbridgev1.Credentials {
		return &mcpbridgev1.Credentials{Kind: &mcpbridgev1.Credentials_AuthorizationCode{AuthorizationCode: c}}
	}
	enterprise := func(c *mcpbridgev1.EnterpriseManaged) *mcpbridgev1.Credentials {
		return &mcpbridgev1.Credentials{Kind: &mcpbridgev1.Credentials_EnterpriseManaged{EnterpriseManaged: c}}
	}
	const secret = "s3cret"
	for name, test := range map[string]struct {
		headers     map[string]string
		credentials *mcpbridgev1.Credentials
		field       string // "": it is fine
	}{
		"nothing":                 {nil, nil, ""},
		"header":                  {map[string]string{"x-own": "v"}, nil, ""},
		"own authorization":       {map[string]string{"authorization": "Basic eA=="}, nil, ""},
		"two spellings":           {map[string]string{"x-a": "1", "X-A": "2"}, nil, "headers"},
		"reserved":                {map[string]string{"content-type": "x"}, nil, "headers"},
		"too large":               {map[string]string{"x": strings.Repeat("x", maxHeaderBytes)}, nil, "headers"},
		"token":                   {nil, bearer(secret), ""},
		"empty token":             {nil, bearer(""), "credentials.bearer_token"},
		"token with a line break": {nil, bearer(secret + "\n"), "credentials.bearer_token"},
		"token and authorization": {map[string]string{"AUTHORIZATION": "x"}, bearer(secret), "headers"},
		"no kind":                 {nil, &mcpbridgev1.Credentials{}, "credentials"},
		"machine":                 {nil, machine(&mcpbridgev1.ClientCredentials{ClientId: "a", Proof: &mcpbridgev1.ClientCredentials_ClientSecret{ClientSecret: secret}}), ""},
		"machine without id":      {nil, machine(&mcpbridgev1.ClientCredentials{}), "credentials.client_credentials.client_id"},
		"machine without proof":   {nil, machine(&mcpbridgev1.ClientCredentials{ClientId: "a"}), "credentials.client_credentials.client_secret"},
		"machine with a bad key": {nil, machine(&mcpbridgev1.ClientCredentials{ClientId: "a", Proof: &mcpbridgev1.ClientCredentials_PrivateKeyJwt{
			PrivateKeyJwt: &mcpbridgev1.PrivateKeyJwt{PrivateKeyPem: secret},
		}}), "credentials.client_credentials.private_key_jwt"},
		"machine and authorization": {map[string]string{"Authorization": "x"}, machine(&mcpbridgev1.ClientCredentials{
			ClientId: "a", Proof: &mcpbridgev1.ClientCredentials_ClientSecret{ClientSecret: secret},
		}), "headers"},
		"person":                  {nil, code(&mcpbridgev1.AuthorizationCode{RedirectUri: "http://localhost:3000/callback"}), ""},
		"person without redirect": {nil, code(&mcpbridgev1.AuthorizationCode{}), "credentials.authorization_code.redirect_uri"},
		"person, plain http":      {nil, code(&mcpbridgev1.AuthorizationCode{RedirectUri: "http://example.com/"}), "credentials.authorization_code.redirect_uri"},
		"person, script":          {nil, code(&mcpbridgev1.AuthorizationCode{RedirectUri: "javascript:alert(1)"}), "credentials.authorization_code.redirect_uri"},
		"person, app":             {nil, code(&mcpbridgev1.AuthorizationCode{RedirectUri: "com.example.app:/back"}), ""},
		"enterprise": {nil, enterprise(&mcpbridgev1.EnterpriseManaged{
			IdToken: secret, IdpIssuer: "https://" + allowedHost, IdpClientId: "a", ClientId: "b",
		}), ""},
		"enterprise without token": {nil, enterprise(&mcpbridgev1.EnterpriseManaged{}), "credentials.enterprise_managed.id_token"},
		"enterprise without provider": {nil, enterprise(&mcpbridgev1.EnterpriseManaged{
			IdToken: secret, IdpClientId: "a", ClientId: "b",
		}), "credentials.enterprise_managed.idp_issuer"},
		"secret without id": {nil, code(&mcpbridgev1.AuthorizationCode{RedirectUri: "https://a.example.com/", ClientSecret: secret}), "credentials.authorization_code.client_id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := New(nil, Options{Policy: hostPolicy{}})
			_, err := s.personal("p", &mcpbridgev1.ConnectRequest{Headers: test.headers, Credentials: test.credentials})
			var field *fieldError
			errors.As(err, &field)
			switch {
			case test.field == "" && err != nil:
				t.Error(err)
			case test.field != "" && (field == nil || field.Field != test.field || strings.Contains(err.Error(), secret)):
				t.Errorf("got %v, want a complaint of %s", err, test.field)
			}
		})
	}
}

// The only host that a hostPolicy allows.
const allowedHost = "idp.example.com"

type hostPolicy struct{}

func (hostPolicy) AllowsURL(u *url.URL) bool   { return u.Host == allowedHost }
func (hostPolicy) AllowsCommand([]string) bool { return false }

// An ID token is sent where the operator allows it, and nowhere else.
func TestIdentityProviderForbidden(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		policy           Policy
		issuer, endpoint string
		want             error
	}{
		"allowed":          {hostPolicy{}, "https://" + allowedHost, "", nil},
		"no policy":        {nil, "https://" + allowedHost, "", errURLForbidden},
		"another issuer":   {hostPolicy{}, "https://10.0.0.7", "", errURLForbidden},
		"another endpoint": {hostPolicy{}, "https://" + allowedHost, "https://10.0.0.7/token", errURLForbidden},
		"no URL":           {hostPolicy{}, "file:///etc/passwd", "", errURLForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(nil, Options{Policy: tt.policy}).enterpriseManaged(&mcpbridgev1.EnterpriseManaged{
				IdToken: "t", IdpIssuer: tt.issuer, IdpTokenEndpoint: tt.endpoint, IdpClientId: "a", ClientId: "b",
			})
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// Headers beside the URL of a caller's own server are no way around that.
func TestAuthorizationBesideCredentials(t *testing.T) {
	t.Parallel()
	given := map[string]string{"AUTHORIZATION": "Basic eA=="}
	const url = "https://mcp.example.com/mcp"
	machine := &mcpbridgev1.Credentials{Kind: &mcpbridgev1.Credentials_ClientCredentials{ClientCredentials: &mcpbridgev1.ClientCredentials{
		ClientId: "a", Proof: &mcpbridgev1.ClientCredentials_ClientSecret{ClientSecret: "s"},
	}}}
	for kind, peer := range map[string]*mcpbridgev1.TransportConfig{
		"http":      {Transport: &mcpbridgev1.TransportConfig_Http{Http: &mcpbridgev1.HttpTransport{Url: url, Headers: given}}},
		"sse":       {Transport: &mcpbridgev1.TransportConfig_Sse{Sse: &mcpbridgev1.SseTransport{Url: url, Headers: given}}},
		"websocket": {Transport: &mcpbridgev1.TransportConfig_Websocket{Websocket: &mcpbridgev1.WebSocketTransport{Url: url, Headers: given}}},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			req := &mcpbridgev1.ConnectRequest{Peer: &mcpbridgev1.ConnectRequest_Transport{Transport: peer}}
			s := New(nil, Options{})
			if _, err := s.personal("p", req); err != nil {
				t.Errorf("without credentials: %v", err)
			}
			req.Credentials = machine
			var field *fieldError
			if _, err := s.personal("p", req); !errors.As(err, &field) || field.Field != "transport" {
				t.Errorf("got %v", err)
			}
		})
	}
}

// What the failures of authorization become.
func TestAuthorizationStatus(t *testing.T) {
	t.Parallel()
	required := &oauth.RequiredError{URL: "https://issuer.example.com/authorize?state=x", Expires: time.Unix(1, 0), Scopes: []string{"a"}}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"consent":   {&transport.Error{Kind: transport.KindConsent, Status: 401, Delivery: transport.Answered, Err: required}, "FailedPrecondition AUTHORIZATION_REQUIRED answered"},
		"refused":   {&transport.Error{Kind: transport.KindStatus, Status: 401, Delivery: transport.Answered, Err: &oauth.RefusedError{Problem: "no", Err: errors.New("10.0.0.7")}}, "FailedPrecondition UPSTREAM_AUTH answered"},
		"not found": {oauth.ErrNotFound, "NotFound AUTHORIZATION_NOT_FOUND not_sent"},
	} {
		err := test.err
		if !errors.Is(err, oauth.ErrNotFound) {
			err = &callError{Target: "servers/s", Err: &pool.CallError{Server: "s", Delivery: transport.Answered, Err: err}}
		}
		st := statusOf(err)
		info := infoOf(t, st)
		if got := fmt.Sprintf("%s %s %s", st.Code(), info.GetReason(), info.GetMetadata()["delivery"]); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
		if strings.Contains(st.Message(), "10.0.0.7") || strings.Contains(st.Message(), "state=") {
			t.Errorf("%s: %s", name, st.Message())
		}
		if st.Code() != codes.FailedPrecondition || name != "consent" {
			continue
		}
		found := false
		for _, d := range st.Details() {
			if detail, ok := d.(*mcpbridgev1.AuthorizationRequired); ok {
				found = detail.GetAuthorizationUrl() == required.URL && detail.GetExpireTime().GetSeconds() == 1 && len(detail.GetScopes()) == 1
			}
		}
		if !found {
			t.Errorf("details %v", st.Details())
		}
	}
}
