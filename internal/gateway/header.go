package gateway

import (
	"context"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// ownPrefix is that of the metadata which the service means for callers.
const ownPrefix = "mcpbridge-"

// incomingHeaders returns the matcher of the headers that become metadata, and
// under which name: those that start with Grpc-Metadata-, but for names that
// mean something to gRPC, to the propagator or to authentication, which would be
// smuggled past the checks of their proper headers. (Authorization itself is
// passed on by grpc-gateway.)
func incomingHeaders(propagator propagation.TextMapPropagator) runtime.HeaderMatcherFunc {
	reserved := map[string]bool{
		"authorization": true, "proxy-authorization": true, "cookie": true, "host": true, "content-type": true, "te": true,
		"user-agent": true, "connection": true, "traceparent": true, "tracestate": true, "baggage": true,
	}
	for _, field := range propagator.Fields() {
		reserved[strings.ToLower(field)] = true
	}
	return func(header string) (string, bool) {
		name, ok := strings.CutPrefix(header, runtime.MetadataHeaderPrefix)
		name = strings.ToLower(name)
		if !ok || name == "" || reserved[name] || strings.HasPrefix(name, "grpc") || strings.HasPrefix(name, ownPrefix) {
			return "", false
		}
		return name, true
	}
}

// outgoingHeader says which metadata of the service becomes a header.
func outgoingHeader(name string) (string, bool) {
	return textproto.CanonicalMIMEHeaderKey(name), strings.HasPrefix(name, ownPrefix)
}

// complete adds to the headers of a response what the service has sent in the
// trailer. HTTP/1.1 clients seldom see trailers, and here all is known before
// the body. It is called with nil before the first message of a stream.
func complete(ctx context.Context, w http.ResponseWriter, message proto.Message) error {
	if message == nil {
		w.Header().Set("X-Accel-Buffering", "no") // or nginx keeps events to itself
		return nil
	}
	if x := exchangeOf(ctx); x.stream == nil {
		forward(w.Header(), x.trailer)
	}
	return nil
}

// forward makes headers of the metadata meant for callers.
func forward(h http.Header, md metadata.MD) {
	for name, values := range md {
		if header, ok := outgoingHeader(name); ok {
			h[header] = append(h[header], values...)
		}
	}
}
