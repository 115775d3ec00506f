package gateway_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/gateway"
)

// readStatus reads the body of an error as any client with the protobuf types
// does.
func readStatus(t *testing.T, body []byte) *status.Status {
	t.Helper()
	var st spb.Status
	if err := protojson.Unmarshal(body, &st); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return status.FromProto(&st)
}

// detail returns the detail of type T, the zero value if there is none.
func detail[T any](st *status.Status) (found T) {
	for _, d := range st.Details() {
		if d, ok := d.(T); ok {
			found = d
		}
	}
	return found
}

func TestErrorsOfTheService(t *testing.T) {
	t.Parallel()
	info := &errdetails.ErrorInfo{Reason: "R", Domain: "mcpbridge", Metadata: map[string]string{"delivery": "not_sent"}}
	for name, tt := range map[string]struct {
		code    codes.Code
		details []protoadapt.MessageV1
		http    int
		retry   string
	}{
		"bad request":    {codes.InvalidArgument, []protoadapt.MessageV1{info, &errdetails.BadRequest{}}, 400, ""},
		"precondition":   {codes.FailedPrecondition, []protoadapt.MessageV1{info, protoadapt.MessageV1Of(&mcpbridgev1.InputRequired{RequestState: "s"})}, 400, ""},
		"not found":      {codes.NotFound, []protoadapt.MessageV1{info}, 404, ""},
		"exists":         {codes.AlreadyExists, nil, 409, ""},
		"forbidden":      {codes.PermissionDenied, nil, 403, ""},
		"quota":          {codes.ResourceExhausted, []protoadapt.MessageV1{info, &errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)}, &errdetails.QuotaFailure{}}, 429, "2"},
		"unavailable":    {codes.Unavailable, []protoadapt.MessageV1{&errdetails.RetryInfo{RetryDelay: durationpb.New(3 * time.Second)}}, 503, "3"},
		"right away":     {codes.Unavailable, []protoadapt.MessageV1{&errdetails.RetryInfo{}}, 503, "0"},
		"unimplemented":  {codes.Unimplemented, nil, 501, ""},
		"deadline":       {codes.DeadlineExceeded, nil, 504, ""},
		"cancelled":      {codes.Canceled, nil, 499, ""},
		"unknown":        {codes.Unknown, []protoadapt.MessageV1{protoadapt.MessageV1Of(&mcpbridgev1.UpstreamError{Code: -32000, Data: structpb.NewStringValue("d")})}, 500, ""},
		"internal":       {codes.Internal, nil, 500, ""},
		"no credentials": {codes.Unauthenticated, nil, 401, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := status.New(tt.code, "it says \"no\"").WithDetails(tt.details...)
			if err != nil {
				t.Fatal(err)
			}
			fail := func(ctx context.Context) error {
				if err := grpc.SetTrailer(ctx, metadata.Pairs("mcpbridge-reason", "R", "grpc-retry-pushback-ms", "-1")); err != nil {
					return err
				}
				return want.Err()
			}
			g := newGateway(t, &stub{
				callTool: func(ctx context.Context, _ *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error) {
					return nil, fail(ctx)
				},
				stream: func(_ *mcpbridgev1.CallToolStreamRequest, out callStream) error {
					return fail(out.Context())
				},
			})
			for _, path := range []string{callPath, streamPath} {
				for _, accept := range []string{"*/*", "text/event-stream"} {
					w := serve(g, newRequest(t, "POST", path, "{}", "Accept: "+accept))
					if got := readStatus(t, w.Body.Bytes()); w.Code != tt.http || !proto.Equal(got.Proto(), want.Proto()) {
						t.Errorf("%s: HTTP %d %s, want %d %v", path, w.Code, w.Body, tt.http, want)
					}
					h := w.Header()
					if h.Get("Retry-After") != tt.retry || h.Get("Mcpbridge-Reason") != "R" || h.Get("Content-Type") != "application/json" ||
						h.Get("Grpc-Retry-Pushback-Ms") != "" || h.Get("X-Content-Type-Options") != "nosniff" {
						t.Errorf("%s: header %v", path, h)
					}
				}
			}
		})
	}
}

func TestErrorsOfTheGateway(t *testing.T) {
	t.Parallel()
	const large = 1 << 10
	for name, tt := range map[string]struct {
		method, path, body string
		http               int
		code               codes.Code
		reason, field      string
	}{
		"unknown field":      {"POST", callPath, `{"argument":{}}`, 400, codes.InvalidArgument, "INVALID_REQUEST", "argument"},
		"duplicate key":      {"POST", callPath, `{"arguments":{"a":1,"a":2}}`, 400, codes.InvalidArgument, "INVALID_REQUEST", "arguments"},
		"both twins":         {"POST", callPath, `{"arguments":{},"argumentsJson":"{}"}`, 400, codes.InvalidArgument, "INVALID_REQUEST", "argumentsJson"},
		"no JSON":            {"POST", callPath, `arguments=1`, 400, codes.InvalidArgument, "INVALID_REQUEST", ""},
		"two bodies":         {"POST", callPath, `{}{}`, 400, codes.InvalidArgument, "INVALID_REQUEST", ""},
		"deep":               {"POST", callPath, strings.Repeat("[", 500), 400, codes.InvalidArgument, "INVALID_REQUEST", ""},
		"large":              {"POST", callPath, `{"name":"` + strings.Repeat("x", large) + `"}`, 413, codes.ResourceExhausted, "QUOTA_EXCEEDED", ""},
		"unknown parameter":  {"GET", "/v1/servers/demo/tools?al=true", "", 400, codes.InvalidArgument, "INVALID_REQUEST", "al"},
		"parameter of path":  {"GET", "/v1/servers/demo/tools?target=servers/x", "", 400, codes.InvalidArgument, "INVALID_REQUEST", "target"},
		"parameter of POST":  {"POST", callPath + "?timeout=5s", `{}`, 400, codes.InvalidArgument, "INVALID_REQUEST", "timeout"},
		"parameter, DELETE":  {"DELETE", "/v1/sessions/s?force=true", "", 400, codes.InvalidArgument, "INVALID_REQUEST", "force"},
		"bad query":          {"GET", "/v1/servers/demo/tools?a;b", "", 400, codes.InvalidArgument, "INVALID_REQUEST", ""},
		"stream parameter":   {"GET", "/v1/servers/demo/events?x=1", "", 400, codes.InvalidArgument, "INVALID_REQUEST", "x"},
		"stream body":        {"POST", streamPath, `{"x":1}`, 400, codes.InvalidArgument, "INVALID_REQUEST", "x"},
		"unknown path":       {"GET", "/v1/nope", "", 404, codes.Unimplemented, "NOT_SUPPORTED", ""},
		"path of old":        {"GET", "/healthz", "", 404, codes.Unimplemented, "NOT_SUPPORTED", ""},
		"trailing slash":     {"GET", "/v1/servers/demo/", "", 404, codes.Unimplemented, "NOT_SUPPORTED", ""},
		"unknown method":     {"PUT", "/v1/servers/demo", "", 405, codes.Unimplemented, "NOT_SUPPORTED", ""},
		"method of no path":  {"BREW", callPath, "", 405, codes.Unimplemented, "NOT_SUPPORTED", ""},
		"GET of a POST":      {"GET", callPath, "", 405, codes.Unimplemented, "NOT_SUPPORTED", ""},
		"form sent to a GET": {"POST", "/v1/servers/demo", "a=b", 405, codes.Unimplemented, "NOT_SUPPORTED", ""},
		"bad binary header":  {"POST", callPath, "", 400, codes.InvalidArgument, "INVALID_REQUEST", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, &stub{}, func(o *gateway.Options) {
				o.MaxBodyBytes = large
				o.UnaryInterceptors = []grpc.UnaryServerInterceptor{
					func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
						t.Error("the service was called")
						return nil, nil
					},
				}
			})
			r := newRequest(t, tt.method, tt.path, tt.body, "Content-Type: application/x-www-form-urlencoded")
			if name == "bad binary header" {
				r.Header.Set("Grpc-Metadata-X-Bin", "*")
			}
			w := serve(g, r)
			st := readStatus(t, w.Body.Bytes())
			info := detail[*errdetails.ErrorInfo](st)
			if w.Code != tt.http || st.Code() != tt.code || info.GetReason() != tt.reason || info.GetDomain() != "mcpbridge" ||
				info.GetMetadata()["delivery"] != "not_sent" || w.Header().Get("Mcpbridge-Reason") != tt.reason ||
				w.Header().Get("Mcpbridge-Delivery") != "not_sent" {
				t.Errorf("HTTP %d %s", w.Code, w.Body)
			}
			violations := detail[*errdetails.BadRequest](st).GetFieldViolations()
			if tt.http == http.StatusBadRequest && (len(violations) != 1 || violations[0].GetField() != tt.field || violations[0].GetDescription() == "") {
				t.Errorf("violations %v, want one of field %q", violations, tt.field)
			}
		})
	}
}

func TestAllow(t *testing.T) {
	t.Parallel()
	g := newGateway(t, &stub{})
	for path, want := range map[string]string{
		"/v1/sessions": "GET, POST", "/v1/sessions/s": "GET, DELETE", callPath: "POST", "/v1/servers/demo/events": "GET",
	} {
		if w := serve(g, newRequest(t, "PATCH", path, "")); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != want {
			t.Errorf("%s: HTTP %d, Allow %q, want %q", path, w.Code, w.Header().Get("Allow"), want)
		}
	}
}

func TestUnknownLengthIsLimited(t *testing.T) {
	t.Parallel()
	g := newGateway(t, &stub{}, func(o *gateway.Options) { o.MaxBodyBytes = 100 })
	r := newRequest(t, "POST", callPath, `{"name":"`+strings.Repeat("x", 100)+`"}`)
	r.ContentLength = -1
	if w := serve(g, r); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("HTTP %d %s", w.Code, w.Body)
	}
	r = newRequest(t, "GET", "/v1/servers/demo", strings.Repeat("x", 1000))
	if w := serve(g, r); w.Code != http.StatusOK {
		t.Errorf("GET with a body: HTTP %d %s", w.Code, w.Body)
	}
}

// TestResponseThatIsNoJSON has the service return what cannot be written. That
// is for the log, not for the caller.
func TestResponseThatIsNoJSON(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	g := newGateway(t, &stub{callTool: func(context.Context, *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error) {
		return &mcpbridgev1.CallToolResponse{Task: &mcpbridgev1.Task{Ttl: &durationpb.Duration{Nanos: -1, Seconds: 1}}}, nil
	}}, func(o *gateway.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	w := serve(g, newRequest(t, "POST", callPath, ""))
	st := readStatus(t, w.Body.Bytes())
	if w.Code != http.StatusInternalServerError || detail[*errdetails.ErrorInfo](st).GetReason() != "BRIDGE_BUG" ||
		strings.Contains(st.Message(), "Duration") || !strings.Contains(log.String(), "Duration") {
		t.Errorf("HTTP %d %s, log %s", w.Code, w.Body, &log)
	}
}

// TestTrailersOfASuccess shows the metadata meant for callers as headers, and
// no other.
func TestTrailersOfASuccess(t *testing.T) {
	t.Parallel()
	g := newGateway(t, &stub{callTool: func(ctx context.Context, _ *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error) {
		if err := grpc.SendHeader(ctx, metadata.Pairs("mcpbridge-early", "a", "x-secret", "b")); err != nil {
			return nil, err
		}
		return &mcpbridgev1.CallToolResponse{}, grpc.SetTrailer(ctx, metadata.Pairs("mcpbridge-reinitialized", "true", "x-other", "c"))
	}})
	for _, te := range []string{"", "trailers"} {
		w := serve(g, newRequest(t, "POST", callPath, "", "TE: "+te))
		h := w.Header()
		if h.Get("Mcpbridge-Early") != "a" || h.Get("Mcpbridge-Reinitialized") != "true" || strings.Contains(strings.ToLower(w.Body.String()), "secret") {
			t.Errorf("TE %q: header %v", te, h)
		}
		for name := range h {
			if strings.Contains(name, "Secret") || strings.Contains(name, "Other") || name == "Trailer" {
				t.Errorf("TE %q: header %s", te, name)
			}
		}
	}
}
