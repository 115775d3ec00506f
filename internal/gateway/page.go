package gateway

import (
	"net/http"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

const (
	pathIndex   = "/"
	pathOpenAPI = "/openapi.json"

	docsURL = "https://github.com/mcpbridge/mcpbridge/blob/main/docs/rest.md"
)

// indexPage is what a curious visitor finds.
func indexPage(opts Options) []byte {
	page := append([]byte(`{"name":"mcpbridge","version":`), rawjson.AppendString(nil, opts.Version)...)
	page = append(page, `,"docs":"`+docsURL+`","servers":"/v1/servers"`...)
	if opts.OpenAPI != nil {
		page = append(page, `,"openapi":"`+pathOpenAPI+`"`...)
	}
	return append(page, "}\n"...)
}

// page serves JSON that is always the same.
func (g *Gateway) page(w http.ResponseWriter, r *http.Request, content []byte) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		g.fail(w, noMethod(r))
		return
	}
	r.Pattern = http.MethodGet + " " + r.URL.Path
	w.Header().Set("Content-Type", typeJSON)
	_, _ = w.Write(content) // a client that has gone needs no answer
}
