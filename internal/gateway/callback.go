package gateway

import (
	"context"
	"html/template"
	"net/http"
	"net/url"
)

// CallbackPath is where authorization servers send a person's browser, for
// servers whose redirect URI is the bridge's own.
const CallbackPath = "/oauth/callback"

// Authorizations are what persons have been asked to consent to.
type Authorizations interface {
	// CompleteBrowser ends the one whose state is in the query that a browser has
	// come with.
	CompleteBrowser(ctx context.Context, query url.Values) error
}

// callback answers a browser that comes from an authorization server. It needs
// no authentication: the state in its query, which is good for one use, is known
// to nobody else. The answer says nothing of whose authorization it was, nor
// anything that came from elsewhere.
func (g *Gateway) callback(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		g.fail(w, noMethod(r))
		return
	}
	r.Pattern = http.MethodGet + " " + CallbackPath
	status, said := http.StatusOK, notice{"Authorized", "The bridge has the access that you granted. You can close this window."}
	if err := g.opts.Authorizations.CompleteBrowser(r.Context(), r.URL.Query()); err != nil {
		// Anybody can come here as often as they like; what became of a real
		// authorization others log.
		g.opts.Logger.DebugContext(r.Context(), "authorization callback refused", "error", err)
		status = http.StatusBadRequest
		said = notice{"Not authorized", "The authorization was not granted, is used up, or has expired. Start again where you came from."}
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	// The address of this page has the code in it.
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	_ = noticePage().Execute(w, said) // a browser that has gone needs no answer
}

// A notice is what a person gets to read.
type notice struct{ Title, Text string }

func noticePage() *template.Template {
	return template.Must(template.New("notice").Parse(
		`<!doctype html><html lang="en"><meta charset="utf-8"><title>{{.Title}} - mcpbridge</title><h1>{{.Title}}</h1><p>{{.Text}}</p></html>
`))
}
