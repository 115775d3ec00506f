package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// callBound is far above what any call takes that does not hang.
const callBound = 30 * time.Second

// bounded returns a context for calls that are to succeed.
func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), callBound)
	t.Cleanup(cancel)
	return ctx
}

// dial returns a connection to the bridge, closed when the test ends.
func (b *bridge) dial(t *testing.T, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(b.grpcAddr, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// client returns a client of the bridge on a connection of its own.
func (b *bridge) client(t *testing.T, options ...grpc.DialOption) mcpbridgev1.McpServiceClient {
	t.Helper()
	return mcpbridgev1.NewMcpServiceClient(b.dial(t, options...))
}

// connect opens a session, with the server called target unless req says another,
// and returns its name.
func connect(t *testing.T, client mcpbridgev1.McpServiceClient, req *mcpbridgev1.ConnectRequest) string {
	t.Helper()
	if req.GetPeer() == nil {
		req.Peer = &mcpbridgev1.ConnectRequest_Server{Server: target}
	}
	connected, err := client.Connect(bounded(t), req)
	if err != nil {
		t.Fatal(err)
	}
	return connected.GetSession().GetName()
}

// disconnect closes a session.
func disconnect(t *testing.T, client mcpbridgev1.McpServiceClient, session string) {
	t.Helper()
	if _, err := client.Disconnect(bounded(t), &mcpbridgev1.DisconnectRequest{Name: session}); err != nil {
		t.Fatalf("disconnect %s: %v", session, err)
	}
}

// arguments makes the arguments of a tool from JSON text.
func arguments(t *testing.T, text string) *structpb.Struct {
	t.Helper()
	s := new(structpb.Struct)
	if err := protojson.Unmarshal([]byte(text), s); err != nil {
		t.Fatalf("arguments %s: %v", text, err)
	}
	return s
}

// A web is an HTTP client with connections of its own, closed when the test
// ends.
type web struct{ client *http.Client }

func newWeb(t *testing.T) *web {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &web{client: &http.Client{Transport: transport}}
}

// A reply is the answer to an HTTP request.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// open sends a request, whose headers are given as "Name: value", and returns
// the response, whose body the caller closes.
func (w *web) open(ctx context.Context, method, url, body string, headers ...string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Add(name, value)
		if name == "Host" {
			request.Host = value
		}
	}
	return w.client.Do(request)
}

// send sends a request and reads the whole answer.
func (w *web) send(ctx context.Context, method, url, body string, headers ...string) (reply, error) {
	response, err := w.open(ctx, method, url, body, headers...)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return reply{status: response.StatusCode, header: response.Header, body: content}, err
}

// do sends a request that must be answered.
func (w *web) do(t *testing.T, method, url, body string, headers ...string) reply {
	t.Helper()
	r, err := w.send(bounded(t), method, url, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return r
}

// into reads a successful answer as the message that gRPC has for it. A member
// that the message does not have fails the test.
func (r reply) into(t *testing.T, m proto.Message) {
	t.Helper()
	if r.status != http.StatusOK {
		t.Fatalf("HTTP status %d: %s", r.status, r.body)
	}
	if err := protojson.Unmarshal(r.body, m); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
}

// sameAs fails the test unless the answer says the same as the message.
func (r reply) sameAs(t *testing.T, want proto.Message) {
	t.Helper()
	got := want.ProtoReflect().New().Interface()
	r.into(t, got)
	wantSame(t, got, want)
}

// wantSame compares what came by REST with what came by gRPC, where the exact
// JSON texts stand beside the values.
func wantSame(t *testing.T, rest, grpc proto.Message) {
	t.Helper()
	grpc = proto.Clone(grpc)
	dropTexts(grpc.ProtoReflect())
	if !proto.Equal(rest, grpc) {
		t.Errorf("REST says\n%s\ngRPC says\n%s", protojson.Format(rest), protojson.Format(grpc))
	}
}

// dropTexts clears every exact text whose twin is set.
func dropTexts(m protoreflect.Message) {
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		name, text := strings.CutSuffix(string(field.Name()), "_json")
		twin := m.Descriptor().Fields().ByName(protoreflect.Name(name))
		switch {
		case text && twin != nil && m.Has(twin):
			m.Clear(field)
		case field.Message() == nil || field.IsMap():
		case field.IsList():
			for i := range value.List().Len() {
				dropTexts(value.List().Get(i).Message())
			}
		default:
			dropTexts(value.Message())
		}
		return true
	})
}

// wantJSON compares JSON text byte by byte, but for white space.
func wantJSON(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if got := compact(t, got); got != want {
		t.Errorf("%s is %s, want %s", what, got, want)
	}
}

// compact returns JSON text without white space.
func compact(t *testing.T, text []byte) string {
	t.Helper()
	var buffer bytes.Buffer
	if err := json.Compact(&buffer, text); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return buffer.String()
}
