package gateway

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/mcpbridge/mcpbridge/internal/gateway/inproc"
)

// An exchange is one request and what becomes of it. It carries between the two
// ends of the generated code what that does not pass on.
type exchange struct {
	request *http.Request // as the telemetry knows it

	bound map[string]string // fields that the path has set
	query string            // the query, for the fields that it sets

	body    *body
	fault   error          // what is wrong with the body
	header  metadata.MD    // of the RPC, unless the generated code sees to it
	trailer metadata.MD    // of the RPC
	stream  *inproc.Stream // nil for a unary RPC

	// probing asks only what would handle the request; handler is the answer.
	probing bool
	handler runtime.HandlerFunc
}

type exchangeKey struct{}

// exchangeOf returns the exchange that ctx belongs to.
func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// context returns ctx for the exchange, with the HTTP client as the peer.
func (x *exchange) context(ctx context.Context) context.Context {
	return peer.NewContext(context.WithValue(ctx, exchangeKey{}, x), peerOf(x.request))
}

func peerOf(r *http.Request) *peer.Peer {
	p := &peer.Peer{Addr: &net.UnixAddr{Name: r.RemoteAddr, Net: "unix"}}
	if addr, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		p.Addr = net.TCPAddrFromAddrPort(addr)
	}
	p.LocalAddr, _ = r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if r.TLS != nil {
		p.AuthInfo = credentials.TLSInfo{
			State:          *r.TLS,
			CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		}
	}
	return p
}

// routed names the request after the path template that ctx is of.
func (x *exchange) routed(ctx context.Context) {
	route, ok := runtime.HTTPPathPattern(ctx)
	if !ok || x.request.Pattern != "" {
		return
	}
	// Span and metrics are named after it.
	x.request.Pattern = x.request.Method + " " + route
}

// wait returns when nothing of the exchange runs any more.
func (x *exchange) wait() {
	if x.stream != nil {
		x.stream.Wait()
	}
}

// prepare is put around the generated handlers. It takes from the request what
// they would read in their own way.
func (g *Gateway) prepare(next runtime.HandlerFunc) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, bound map[string]string) {
		x := exchangeOf(r.Context())
		if x.probing {
			x.handler = next
			return
		}
		x.bound, x.query = bound, r.URL.RawQuery
		r.Form, r.PostForm = url.Values{}, url.Values{}
		x.body = &body{ReadCloser: http.MaxBytesReader(w, r.Body, g.opts.MaxBodyBytes), exchange: x}
		r.Body = x.body

		w = &pacer{ResponseWriter: w, limit: g.opts.WriteTimeout}

		// The body is JSON whatever its type is called.
		r.Header.Del("Content-Type")
		if !wantsEvents(r.Header) {
			r.Header.Del("Accept")
			next(w, r, bound)
			return
		}
		r.Header.Set("Accept", typeEvents)
		alive := &heartbeat{ResponseWriter: w, interval: g.opts.Heartbeat}
		defer alive.stop()
		next(alive, r, bound)
	}
}
