package e2e

import (
	"net/http"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/hostile"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// A failure is a request that fails, in both of its forms, and how.
type failure struct {
	// grpc is the request by gRPC. Nil: REST alone can make this mistake.
	grpc proto.Message
	// rest is the request by REST: a method, a path below /v1, and a body. Empty:
	// gRPC alone can make this mistake.
	rest string

	code             codes.Code
	reason, delivery string
	// httpStatus is that of the code, unless it is set.
	httpStatus int
	// says is a part of the message.
	says string
	// field is the one that BadRequest names.
	field string
	// retry: it is said when to try again.
	retry bool
}

// TestErrors checks how failures look to callers, by gRPC and by REST.
func TestErrors(t *testing.T) {
	t.Parallel()
	peer := overHTTP(peers.GoSDK(t, peers.GoSDKOptions{}))
	b := start(t, setup{
		servers: servers{
			"real":     peer,
			"keeper":   peer,
			"dead":     hostileEntry(t, "stdio", hostile.Options{Mode: "exit-at-once"}),
			"missing":  {Command: "/no/such/program"},
			"gone":     overHTTP("http://127.0.0.1:1/mcp"),
			"busy":     hostileEntry(t, "http", hostile.Options{Mode: "discover-503"}),
			"resetter": hostileEntry(t, "http", hostile.Options{Mode: "reset"}),
			"babbler":  hostileEntry(t, "http", hostile.Options{Mode: "not-json"}),
			"crasher":  hostileEntry(t, "stdio", hostile.Options{Mode: "crash"}),

			"other-crasher": hostileEntry(t, "stdio", hostile.Options{Mode: "crash"}),
		},
		config: "servers: {keeper: {stateful: true}}\n",
	})
	conn, web := b.dial(t), newWeb(t)
	for name, f := range failures() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if f.grpc != nil {
				f.testGRPC(t, conn)
			}
			if f.rest != "" {
				f.testREST(t, web, b.restURL+"/v1")
			}
		})
	}
}

func (f failure) testGRPC(t *testing.T, conn *grpc.ClientConn) {
	t.Helper()
	var trailer metadata.MD
	err := invoke(t, conn, f.grpc, grpc.Trailer(&trailer))
	wantStatus(t, err, trailer, f.code, f.reason, f.delivery)
	f.wantDetails(t, status.Convert(err))
}

// invoke makes the unary call that a request is for.
func invoke(t *testing.T, conn *grpc.ClientConn, request proto.Message, options ...grpc.CallOption) error {
	t.Helper()
	name := strings.TrimSuffix(string(request.ProtoReflect().Descriptor().Name()), "Request")
	method := mcpService().Methods().ByName(protoreflect.Name(name))
	return conn.Invoke(bounded(t), "/"+string(mcpService().FullName())+"/"+name, request, dynamicpb.NewMessage(method.Output()), options...)
}

func mcpService() protoreflect.ServiceDescriptor {
	return mcpbridgev1.File_mcpbridge_v1_mcp_service_proto.Services().ByName("McpService")
}

func (f failure) testREST(t *testing.T, web *web, base string) {
	t.Helper()
	method, rest, _ := strings.Cut(f.rest, " ")
	path, body, _ := strings.Cut(rest, " ")
	r := web.do(t, method, base+path, body)
	httpStatus := f.httpStatus
	if httpStatus == 0 {
		httpStatus = httpStatuses()[f.code]
	}
	r.wantFailure(t, httpStatus, f.code, f.reason, f.delivery)
	f.wantDetails(t, r.failure(t))
	if got := r.header.Get("Retry-After") != ""; got != f.retry {
		t.Errorf("Retry-After is there: %t, want %t", got, f.retry)
	}
	if f.httpStatus == 0 && f.grpc != nil && (r.header.Get("Mcpbridge-Reason") != f.reason || r.header.Get("Mcpbridge-Delivery") != f.delivery) {
		t.Errorf("the headers are %v", r.header)
	}
}

func httpStatuses() map[codes.Code]int {
	return map[codes.Code]int{
		codes.InvalidArgument:    http.StatusBadRequest,
		codes.FailedPrecondition: http.StatusBadRequest,
		codes.NotFound:           http.StatusNotFound,
		codes.Unknown:            http.StatusInternalServerError,
		codes.Internal:           http.StatusInternalServerError,
		codes.Unimplemented:      http.StatusNotImplemented,
		codes.Unavailable:        http.StatusServiceUnavailable,
	}
}

// wantDetails checks the message, and the details beside ErrorInfo.
func (f failure) wantDetails(t *testing.T, st *status.Status) {
	t.Helper()
	if !strings.Contains(st.Message(), f.says) || st.Message() == "" {
		t.Errorf("the message %q does not say %q", st.Message(), f.says)
	}
	if strings.Contains(st.Message(), "127.0.0.1") || strings.Contains(st.Message(), "/no/such") {
		t.Errorf("the message tells of the configuration: %s", st.Message())
	}
	fields := detail[*errdetails.BadRequest](st).GetFieldViolations()
	if f.field != "" && (len(fields) != 1 || fields[0].GetField() != f.field || fields[0].GetDescription() == "") {
		t.Errorf("BadRequest has %v, want the field %s", fields, f.field)
	}
	if retry := detail[*errdetails.RetryInfo](st); (retry.GetRetryDelay().AsDuration() > 0) != f.retry {
		t.Errorf("RetryInfo is {%v}, want one: %t", retry, f.retry)
	}
	upstream := detail[*mcpbridgev1.UpstreamError](st)
	if strings.HasPrefix(f.reason, "UPSTREAM_INVALID") && (upstream.GetCode() != -32602 || upstream.GetMessage() == "") {
		t.Errorf("UpstreamError is {%v}", upstream)
	}
}

// TestImplemented checks that there is something behind each RPC.
func TestImplemented(t *testing.T) {
	t.Parallel()
	conn := start(t, setup{}).dial(t)
	methods := mcpService().Methods()
	for i := range methods.Len() {
		method := methods.Get(i)
		t.Run(string(method.Name()), func(t *testing.T) {
			t.Parallel()
			name := "/" + string(mcpService().FullName()) + "/" + string(method.Name())
			stream, err := conn.NewStream(bounded(t), &grpc.StreamDesc{ServerStreams: true}, name)
			if err == nil {
				err = stream.SendMsg(dynamicpb.NewMessage(method.Input()))
			}
			if err == nil {
				err = stream.CloseSend()
			}
			if err == nil {
				err = stream.RecvMsg(dynamicpb.NewMessage(method.Output()))
			}
			if code := status.Code(err); code != codes.OK && code != codes.InvalidArgument {
				t.Errorf("%s answers an empty request with %v", method.Name(), err)
			}
		})
	}
}
