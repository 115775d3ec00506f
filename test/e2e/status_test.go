package e2e

import (
	"encoding/json"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	_ "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1" // details of errors
)

// wantStatus checks the error of a call: its code, and what ErrorInfo and the
// trailers say of it.
func wantStatus(t *testing.T, err error, trailer metadata.MD, code codes.Code, reason, delivery string) {
	t.Helper()
	st := status.Convert(err)
	if st.Code() != code {
		t.Errorf("the status is %v, want %v", err, code)
	}
	info := detail[*errdetails.ErrorInfo](st)
	if info.GetDomain() != "mcpbridge" || info.GetReason() != reason || info.GetMetadata()["delivery"] != delivery {
		t.Errorf("ErrorInfo is {%v}, want reason %s and delivery %s", info, reason, delivery)
	}
	if got := first(trailer.Get("mcpbridge-reason")); got != reason {
		t.Errorf("trailer mcpbridge-reason is %q, want %q", got, reason)
	}
	if got := first(trailer.Get("mcpbridge-delivery")); got != delivery {
		t.Errorf("trailer mcpbridge-delivery is %q, want %q", got, delivery)
	}
	pushback := ""
	if delivery == "unknown" {
		pushback = "-1"
	}
	if got := first(trailer.Get("grpc-retry-pushback-ms")); got != pushback {
		t.Errorf("trailer grpc-retry-pushback-ms is %q, want %q", got, pushback)
	}
}

// wantFailure checks the answer to a request that failed: its HTTP status, and
// what the body says of it, which is a google.rpc.Status.
func (r reply) wantFailure(t *testing.T, httpStatus int, code codes.Code, reason, delivery string) {
	t.Helper()
	if r.status != httpStatus {
		t.Errorf("HTTP status %d, want %d: %s", r.status, httpStatus, r.body)
	}
	st := r.failure(t)
	info := detail[*errdetails.ErrorInfo](st)
	if st.Code() != code || info.GetDomain() != "mcpbridge" || info.GetReason() != reason || info.GetMetadata()["delivery"] != delivery {
		t.Errorf("the body is %s, want %v, reason %s and delivery %s", r.body, code, reason, delivery)
	}
}

// failure reads the body of a request that failed.
func (r reply) failure(t *testing.T) *status.Status {
	t.Helper()
	st := new(spb.Status)
	if err := protojson.Unmarshal(r.body, st); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
	if !json.Valid(r.body) || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("an error of type %q: %s", r.header.Get("Content-Type"), r.body)
	}
	return status.FromProto(st)
}

// detail returns the detail of that type, nil if there is none.
func detail[M proto.Message](st *status.Status) (m M) {
	for _, d := range st.Details() {
		if found, ok := d.(M); ok {
			return found
		}
	}
	return m
}
