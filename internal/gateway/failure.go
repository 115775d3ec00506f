package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/gateway/restjson"
)

// errorDomain is the domain of every ErrorInfo of this API.
const errorDomain = "mcpbridge"

// A failure is an error that the gateway finds by itself, before the service
// hears of the request.
type failure struct {
	http   int // HTTP status; not always the one that belongs to the code
	status *status.Status
}

func (f *failure) Error() string { return f.status.Message() }

// GRPCStatus makes the failure a status to package status.
func (f *failure) GRPCStatus() *status.Status { return f.status }

func newFailure(
	httpStatus int, code codes.Code, reason mcpbridgev1.Reason, message string, details ...protoadapt.MessageV1,
) *failure {
	info := &errdetails.ErrorInfo{
		Reason:   strings.TrimPrefix(reason.String(), "REASON_"),
		Domain:   errorDomain,
		Metadata: map[string]string{"delivery": "not_sent"},
	}
	st := status.New(code, message)
	if detailed, err := st.WithDetails(append([]protoadapt.MessageV1{info}, details...)...); err == nil {
		st = detailed // it fails for the code OK only
	}
	return &failure{http: httpStatus, status: st}
}

// invalid is what is wrong with the content of a request: BadRequest names the
// field if err does.
func invalid(err error) *failure {
	violation := &errdetails.BadRequest_FieldViolation{Description: err.Error()}
	var f *restjson.FieldError
	if errors.As(err, &f) {
		violation.Field, violation.Description = f.Field, f.Problem
	}
	return newFailure(http.StatusBadRequest, codes.InvalidArgument, mcpbridgev1.Reason_REASON_INVALID_REQUEST, err.Error(),
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{violation}})
}

func tooLarge(limit int64) *failure {
	message := fmt.Sprintf("the body is larger than %d bytes", limit)
	return newFailure(http.StatusRequestEntityTooLarge, codes.ResourceExhausted, mcpbridgev1.Reason_REASON_QUOTA_EXCEEDED, message,
		&errdetails.QuotaFailure{Violations: []*errdetails.QuotaFailure_Violation{{Subject: "request body", Description: message}}})
}

// noPath and noMethod have the code that gRPC gives to an HTTP status 404 and
// to unknown methods, which sets them apart from, say, an unknown server.
func noPath(r *http.Request) *failure {
	return newFailure(http.StatusNotFound, codes.Unimplemented, mcpbridgev1.Reason_REASON_NOT_SUPPORTED,
		fmt.Sprintf("there is no path %.256q in this API", r.URL.Path))
}

func noMethod(r *http.Request) *failure {
	return newFailure(http.StatusMethodNotAllowed, codes.Unimplemented, mcpbridgev1.Reason_REASON_NOT_SUPPORTED,
		fmt.Sprintf("%.32q is not a method of %.256q", r.Method, r.URL.Path))
}

func forbidden(format string, args ...any) *failure {
	return newFailure(http.StatusForbidden, codes.PermissionDenied, mcpbridgev1.Reason_REASON_PERMISSION_DENIED, fmt.Sprintf(format, args...))
}

func bug() *failure {
	return newFailure(http.StatusInternalServerError, codes.Internal, mcpbridgev1.Reason_REASON_BRIDGE_BUG,
		"the response could not be written as JSON")
}
