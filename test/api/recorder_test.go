package api_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// recorder is a connection to nowhere that keeps the last call made on it. It
// serves one call at a time.
type recorder struct {
	rpc     string
	request proto.Message
}

var _ grpc.ClientConnInterface = (*recorder)(nil)

// Invoke keeps a unary call and leaves its response empty.
func (r *recorder) Invoke(_ context.Context, method string, args, _ any, _ ...grpc.CallOption) error {
	r.rpc, r.request = path.Base(method), proto.Clone(args.(proto.Message))
	return nil
}

// NewStream keeps a server stream, which ends at once.
func (r *recorder) NewStream(
	ctx context.Context, _ *grpc.StreamDesc, method string, _ ...grpc.CallOption,
) (grpc.ClientStream, error) {
	r.rpc = path.Base(method)
	return &emptyStream{ctx: ctx, recorder: r}, nil
}

// emptyStream takes a request and has no response.
type emptyStream struct {
	ctx      context.Context // grpc.ClientStream has to give it back
	recorder *recorder
}

func (s *emptyStream) Context() context.Context     { return s.ctx }
func (s *emptyStream) Header() (metadata.MD, error) { return metadata.MD{}, nil }
func (s *emptyStream) Trailer() metadata.MD         { return nil }
func (s *emptyStream) CloseSend() error             { return nil }
func (s *emptyStream) RecvMsg(any) error            { return io.EOF }
func (s *emptyStream) SendMsg(m any) error {
	s.recorder.request = proto.Clone(m.(proto.Message))
	return nil
}

// send makes a REST call and returns the RPC that the generated gateway turns
// it into, with its request, and the HTTP status.
func send(t *testing.T, method, url, body string) (string, proto.Message, int) {
	t.Helper()

	calls := &recorder{}
	mux := runtime.NewServeMux(runtime.WithUnescapingMode(runtime.UnescapingModeAllExceptReserved))
	client := mcpbridgev1.NewMcpServiceClient(calls)
	if err := mcpbridgev1.RegisterMcpServiceHandlerClient(t.Context(), mux, client); err != nil {
		t.Fatal(err)
	}

	var reader io.Reader = http.NoBody
	if body != "" {
		reader = strings.NewReader(body)
	}
	response := httptest.NewRecorder()
	mux.ServeHTTP(response, httptest.NewRequestWithContext(t.Context(), method, url, reader))
	return calls.rpc, calls.request, response.Code
}
