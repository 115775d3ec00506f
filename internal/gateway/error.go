package gateway

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// writeError answers a request of the API with an error, whoever found it.
func (g *Gateway) writeError(
	ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, err error,
) {
	if x := exchangeOf(ctx); x != nil {
		if x.probing {
			return
		}
		x.routed(ctx)
		if x.fault != nil {
			err = x.fault // with the details, which err has lost
		}
		forward(w.Header(), x.trailer)
	}
	g.fail(w, err)
}

// routingError answers a request that no path is for.
func (g *Gateway) routingError(
	ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, httpStatus int,
) {
	switch {
	case exchangeOf(ctx).probing:
	case httpStatus == http.StatusMethodNotAllowed:
		w.Header().Set("Allow", strings.Join(g.methods(r), ", "))
		g.fail(w, noMethod(r))
	default:
		g.fail(w, noPath(r))
	}
}

// streamError is the error that ends a stream which has had messages.
func (g *Gateway) streamError(_ context.Context, err error) *status.Status {
	st, _ := g.explain(err)
	return st
}

// fail answers with err: a google.rpc.Status in JSON.
func (g *Gateway) fail(w http.ResponseWriter, err error) {
	st, httpStatus := g.explain(err)
	h := w.Header()
	mirror(h, st)
	if httpStatus == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="mcpbridge"`)
	}
	content, err := g.codec.Append(nil, st.Proto())
	if err != nil {
		g.opts.Logger.Error("write an error as JSON", "error", err)
		content, _ = g.codec.Append(nil, status.New(st.Code(), st.Message()).Proto()) // without details, it cannot fail
	}
	writeJSON(w, httpStatus, content)
}

// explain returns the status for err and the HTTP status for that.
func (g *Gateway) explain(err error) (*status.Status, int) {
	var own *failure
	var routing *runtime.HTTPStatusError
	switch {
	case errors.As(err, &own):
		return own.status, own.http
	case errors.As(err, &routing):
		own = invalid(routing.Err)
		return own.status, own.http
	}
	st, ok := status.FromError(err)
	switch {
	case !ok:
		g.opts.Logger.Error("write a response as JSON", "error", err)
		own = bug()
		return own.status, own.http
	case st.Code() == codes.InvalidArgument && len(st.Proto().GetDetails()) == 0:
		// The generated code's, on headers: the service gives details.
		own = invalid(errors.New(st.Message()))
		return own.status, own.http
	}
	return st, runtime.HTTPStatusFromCode(st.Code())
}

// mirror repeats details of st in headers, for clients that read no bodies of
// errors, and for those in between.
func mirror(h http.Header, st *status.Status) {
	for _, detail := range st.Details() {
		switch detail := detail.(type) {
		case *errdetails.RetryInfo:
			delay := detail.GetRetryDelay().AsDuration()
			h.Set("Retry-After", strconv.FormatInt(int64((delay+time.Second-1)/time.Second), 10)) // rounded up
		case *errdetails.ErrorInfo:
			h.Set("Mcpbridge-Reason", detail.GetReason())
			if delivery := detail.GetMetadata()["delivery"]; delivery != "" {
				h.Set("Mcpbridge-Delivery", delivery)
			}
		}
	}
}
