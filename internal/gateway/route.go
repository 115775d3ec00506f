package gateway

import (
	"context"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
)

// methods returns the methods that the path of r takes.
func (g *Gateway) methods(r *http.Request) []string {
	var taken []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		if g.route(method, r) != nil {
			taken = append(taken, method)
		}
	}
	return taken
}

// route returns what handles the path of r if the method is method, nil if
// nothing does.
func (g *Gateway) route(method string, r *http.Request) runtime.HandlerFunc {
	x := &exchange{request: r, probing: true}
	probe := r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	probe.Method = method
	g.mux.ServeHTTP(nil, probe) // with probing set nothing is written
	return x.handler
}
