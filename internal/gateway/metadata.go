package gateway

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/metadata"
)

// annotate returns the context of r for an RPC, and the RPC's metadata: what
// [runtime.AnnotateContext] makes of r. To that it is left if there are headers
// that speak of gRPC.
func annotate(r *http.Request, mux *runtime.ServeMux, method string) (context.Context, metadata.MD, error) {
	for name := range r.Header {
		if strings.HasPrefix(name, "Grpc-") {
			ctx, err := runtime.AnnotateContext(r.Context(), mux, r, method)
			if err != nil {
				return nil, nil, err //nolint:wrapcheck // it is a status
			}
			md, _ := metadata.FromOutgoingContext(ctx)
			return metadata.NewOutgoingContext(ctx, nil), md, nil
		}
	}
	return r.Context(), plainMetadata(r), nil
}

// plainMetadata is what every request has: who sends it, and the way it came.
func plainMetadata(r *http.Request) metadata.MD {
	md := make(metadata.MD)
	for _, value := range r.Header["Authorization"] {
		if isText(value) {
			md.Append("authorization", value)
		}
	}
	host := r.Header.Get("X-Forwarded-Host")
	if host == "" || !isText(host) {
		host = r.Host
	}
	if host != "" && isText(host) {
		md["x-forwarded-host"] = []string{host}
	}
	way := r.Header["X-Forwarded-For"]
	if peer, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		way = append(slices.Clip(way), peer)
	}
	if value := strings.Join(way, ", "); len(way) > 0 && isText(value) {
		md["x-forwarded-for"] = []string{value}
	}
	return md
}

// isText reports whether value is one of metadata: printable ASCII.
func isText(value string) bool {
	for i := range len(value) {
		if value[i] < ' ' || value[i] > '~' {
			return false
		}
	}
	return true
}
