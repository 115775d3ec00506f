package gateway_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/gateway"
)

const allowedOrigin = "https://app.example.com"

// TestBrowserMatrix holds what may reach the service and what may not. Besides
// scripts that is only JSON from the page that is listed.
func TestBrowserMatrix(t *testing.T) {
	t.Parallel()
	const (
		ok, forbidden, unsupported = http.StatusOK, http.StatusForbidden, http.StatusUnsupportedMediaType
		post, get                  = "POST " + callPath, "GET /v1/servers/demo"
		asJSON                     = "Content-Type: application/json"
	)
	origin := "Origin: " + allowedOrigin
	tests := []struct {
		name, request string
		headers       []string
		want          int
	}{
		{"script", post, nil, ok},
		{"script with a form type", post, []string{"Content-Type: application/x-www-form-urlencoded"}, ok},
		{"script, GET", get, nil, ok},

		{"host 127.0.0.1", post, []string{"Host: 127.0.0.1:8080"}, ok},
		{"host 127.0.0.1 without port", post, []string{"Host: 127.0.0.1"}, ok},
		{"host localhost, any port", post, []string{"Host: LOCALHOST:1"}, ok},
		{"host [::1]", post, []string{"Host: [::1]:8080"}, ok},
		{"host [::1] without port", post, []string{"Host: [::1]"}, ok},
		{"listed host", post, []string{"Host: bridge.example.com"}, ok},
		{"listed host, any port", post, []string{"Host: Bridge.Example.com:444"}, ok},
		{"listed host with port", post, []string{"Host: ported.example.com:8080"}, ok},
		{"listed host with another port", post, []string{"Host: ported.example.com:8081"}, forbidden},
		{"listed host without its port", post, []string{"Host: ported.example.com"}, forbidden},
		{"rebound host", post, []string{"Host: evil.example.net:8080"}, forbidden},
		{"host that ends like a good one", post, []string{"Host: evil-localhost"}, forbidden},
		{"host below", post, []string{"Host: localhost.evil.example.net"}, forbidden},
		{"host with a dot", post, []string{"Host: localhost."}, forbidden},
		{"host with a user", post, []string{"Host: localhost@evil.example.net"}, forbidden},
		{"host with two ports", post, []string{"Host: localhost:1:2"}, forbidden},
		{"host with a name for a port", post, []string{"Host: localhost:evil"}, forbidden},
		{"host of IPv6 without brackets", post, []string{"Host: ::1"}, forbidden},
		{"host of IPv6, mapped", post, []string{"Host: [::ffff:127.0.0.1]:8080"}, forbidden},
		{"host in decimal", post, []string{"Host: 2130706433"}, forbidden},
		{"host 0.0.0.0", post, []string{"Host: 0.0.0.0:8080"}, forbidden},
		{"no host", post, []string{"Host: "}, forbidden},
		{"rebound host, page", "GET /", []string{"Host: evil.example.net"}, forbidden},
		{"rebound host, document", "GET /openapi.json", []string{"Host: evil.example.net"}, forbidden},
		{"rebound host of a listed page", post, []string{"Host: evil.example.net", origin, asJSON}, forbidden},

		{"listed page", post, []string{origin, asJSON}, ok},
		{"listed page, charset", post, []string{origin, "Content-Type: application/json; charset=utf-8"}, ok},
		{"listed page, GET", get, []string{origin, "Sec-Fetch-Site: cross-site"}, ok},
		{"listed page, upper case", post, []string{"Origin: HTTPS://APP.example.com", asJSON}, ok},
		{"listed page, no type", post, []string{origin}, unsupported},
		{"listed page, plain text", post, []string{origin, "Content-Type: text/plain"}, unsupported},
		{"listed page, form", post, []string{origin, "Content-Type: application/x-www-form-urlencoded"}, unsupported},
		{"listed page, two types", post, []string{origin, asJSON, "Content-Type: text/plain"}, unsupported},
		{"listed page, almost JSON", post, []string{origin, "Content-Type: application/jsonx"}, unsupported},
		{"listed page, scheme differs", post, []string{"Origin: http://app.example.com", asJSON}, forbidden},
		{"listed page, port differs", post, []string{"Origin: https://app.example.com:444", asJSON}, forbidden},
		{"page below", post, []string{"Origin: https://x.app.example.com", asJSON}, forbidden},
		{"page that begins alike", post, []string{"Origin: https://app.example.com.evil.example.net", asJSON}, forbidden},
		{"other page", post, []string{"Origin: https://evil.example.net", asJSON}, forbidden},
		{"other page, GET", get, []string{"Origin: https://evil.example.net"}, forbidden},
		{"page on loopback", post, []string{"Origin: http://localhost:8080", asJSON}, forbidden},
		{"null", post, []string{"Origin: null", asJSON}, forbidden},
		{"empty", post, []string{"Origin: ", asJSON}, forbidden},
		{"two origins", post, []string{origin, "Origin: https://evil.example.net", asJSON}, forbidden},
		{"two origins in one", post, []string{origin + ", https://evil.example.net", asJSON}, forbidden},
		{"the same twice", post, []string{origin, origin, asJSON}, forbidden},

		{"image or link", get, []string{"Sec-Fetch-Site: cross-site"}, forbidden},
		{"image of a sister site", get, []string{"Sec-Fetch-Site: same-site"}, forbidden},
		{"own page, not listed", get, []string{"Sec-Fetch-Site: same-origin"}, forbidden},
		{"own page, listed", get, []string{"Sec-Fetch-Site: same-origin", "Host: self.example.com"}, ok},
		{"own page, listed, says two things", get, []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site", "Host: self.example.com"}, forbidden},
		{"address bar", get, []string{"Sec-Fetch-Site: none"}, forbidden},
		{"form without origin", post, []string{"Sec-Fetch-Site: cross-site"}, forbidden},
		{"address bar, page", "GET /", []string{"Sec-Fetch-Site: none"}, ok},
		{"link to the document", "GET /openapi.json", []string{"Sec-Fetch-Site: cross-site"}, ok},
		{"script of another page", "GET /openapi.json", []string{"Origin: https://evil.example.net"}, forbidden},
		{"form to a page", "POST /", []string{"Sec-Fetch-Site: cross-site"}, forbidden},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			called := false
			g := newGateway(t, &stub{
				callTool: func(context.Context, *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error) {
					called = true
					return &mcpbridgev1.CallToolResponse{}, nil
				},
				getServer: func(context.Context, *mcpbridgev1.GetServerRequest) (*mcpbridgev1.GetServerResponse, error) {
					called = true
					return &mcpbridgev1.GetServerResponse{}, nil
				},
			}, browserOptions)
			method, path, _ := strings.Cut(tt.request, " ")
			w := serve(g, newRequest(t, method, path, "", tt.headers...))
			if w.Code != tt.want || called != (tt.want == ok && strings.HasPrefix(path, "/v1")) {
				t.Errorf("HTTP %d %s, service called: %v", w.Code, w.Body, called)
			}
			if tt.want != ok {
				if reason := detail[*errdetails.ErrorInfo](readStatus(t, w.Body.Bytes())).GetReason(); reason == "" {
					t.Errorf("no reason in %s", w.Body)
				}
				if w.Header().Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("refused, but the page may read it: %v", w.Header())
				}
			}
			if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Vary") == "" && w.Code == ok {
				t.Errorf("header %v", w.Header())
			}
		})
	}
}

func browserOptions(o *gateway.Options) {
	o.AllowedHosts = []string{"bridge.example.com", "ported.example.com:8080", "self.example.com"}
	o.AllowedOrigins = []string{allowedOrigin, "https://self.example.com"}
}

func TestNoPageIsListed(t *testing.T) {
	t.Parallel()
	g := newGateway(t, &stub{})
	for _, header := range []string{"Origin: http://localhost:8080", "Origin: null", "Sec-Fetch-Site: same-origin"} {
		if w := serve(g, newRequest(t, "POST", callPath, "{}", header, "Content-Type: application/json")); w.Code != http.StatusForbidden {
			t.Errorf("%s: HTTP %d", header, w.Code)
		}
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	g := newGateway(t, &stub{}, browserOptions)
	ask := []string{"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type, X-Evil, Grpc-Metadata-X-Tenant, grpc-metadata-x y"}

	w := serve(g, newRequest(t, "OPTIONS", callPath, "", append(ask, "Origin: "+allowedOrigin)...))
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":      allowedOrigin,
		"Access-Control-Allow-Methods":     "GET, POST, DELETE",
		"Access-Control-Allow-Headers":     "authorization, content-type, grpc-timeout, request-timeout, traceparent, tracestate, grpc-metadata-x-tenant",
		"Access-Control-Allow-Credentials": "",
		"Vary":                             "Origin",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if w.Code != http.StatusNoContent || w.Body.Len() != 0 {
		t.Errorf("HTTP %d %s", w.Code, w.Body)
	}

	for name, headers := range map[string][]string{
		"other page": append(ask, "Origin: https://evil.example.net"),
		"null":       append(ask, "Origin: null"),
		"no host":    append(ask, "Origin: "+allowedOrigin, "Host: evil.example.net"),
	} {
		w := serve(g, newRequest(t, "OPTIONS", callPath, "", headers...))
		if w.Code != http.StatusForbidden || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: HTTP %d %v", name, w.Code, w.Header())
		}
	}
	if w := serve(g, newRequest(t, "OPTIONS", callPath, "")); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
		t.Errorf("OPTIONS that is no preflight: HTTP %d %v", w.Code, w.Header())
	}
}

// TestListedPageMayRead shows a listed page its answer and the headers of the
// API, errors included.
func TestListedPageMayRead(t *testing.T) {
	t.Parallel()
	g := newGateway(t, &stub{}, browserOptions)
	for _, path := range []string{"/v1/servers/demo", "/v1/nope"} {
		h := serve(g, newRequest(t, "GET", path, "", "Origin: "+allowedOrigin)).Header()
		if h.Get("Access-Control-Allow-Origin") != allowedOrigin || !strings.Contains(h.Get("Access-Control-Expose-Headers"), "Retry-After") {
			t.Errorf("%s: header %v", path, h)
		}
	}
}
