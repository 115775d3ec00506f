package gateway_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mcpbridge/mcpbridge/internal/gateway"
)

type authorizations func(context.Context, url.Values) error

func (f authorizations) CompleteBrowser(ctx context.Context, query url.Values) error {
	return f(ctx, query)
}

func TestCallback(t *testing.T) {
	t.Parallel()
	known := authorizations(func(_ context.Context, query url.Values) error {
		if query.Get("state") != "good" {
			return errors.New("no such state")
		}
		return nil
	})
	crossSite := []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"}
	for name, test := range map[string]struct {
		takes   gateway.Authorizations
		request string
		headers []string
		want    int
		title   string
	}{
		"authorized":        {known, "GET /oauth/callback?code=%3Cb%3E&state=good", crossSite, http.StatusOK, "<h1>Authorized</h1>"},
		"unknown state":     {known, "GET /oauth/callback?code=%3Cb%3E&state=bad", crossSite, http.StatusBadRequest, "<h1>Not authorized</h1>"},
		"nothing":           {known, "GET /oauth/callback", nil, http.StatusBadRequest, "<h1>Not authorized</h1>"},
		"script of a page":  {known, "GET /oauth/callback?state=good", []string{"Origin: https://evil.example.com"}, http.StatusForbidden, ""},
		"form of a page":    {known, "POST /oauth/callback?state=good", []string{"Origin: https://evil.example.com"}, http.StatusForbidden, ""},
		"another method":    {known, "DELETE /oauth/callback?state=good", nil, http.StatusMethodNotAllowed, ""},
		"no authorizations": {nil, "GET /oauth/callback?state=good", nil, http.StatusNotFound, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, &stub{}, func(o *gateway.Options) { o.Authorizations = test.takes })
			method, path, _ := strings.Cut(test.request, " ")
			w := serve(g, newRequest(t, method, path, "", test.headers...))
			body := w.Body.String()
			if w.Code != test.want || !strings.Contains(body, test.title) || strings.Contains(body, "<b>") || strings.Contains(body, "good") {
				t.Fatalf("%d %s", w.Code, body)
			}
			if test.title == "" {
				return
			}
			for header, want := range map[string]string{
				"Content-Type": "text/html; charset=utf-8", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
				"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
			} {
				if got := w.Header().Get(header); got != want {
					t.Errorf("%s: %q, want %q", header, got, want)
				}
			}
		})
	}
}
