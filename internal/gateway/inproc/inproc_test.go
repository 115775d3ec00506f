package inproc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/gateway/inproc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stub is a service of function fields.
type stub struct {
	mcpbridgev1.UnimplementedMcpServiceServer
	callTool func(context.Context, *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error)
	stream   func(*mcpbridgev1.CallToolStreamRequest, grpc.ServerStreamingServer[mcpbridgev1.CallToolStreamResponse]) error
}

func (s *stub) CallTool(ctx context.Context, in *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error) {
	return s.callTool(ctx, in)
}

func (s *stub) CallToolStream(
	in *mcpbridgev1.CallToolStreamRequest, out grpc.ServerStreamingServer[mcpbridgev1.CallToolStreamResponse],
) error {
	return s.stream(in, out)
}

// journal writes down what interceptors see.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) notef(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

func (j *journal) read() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.lines)
}

func (j *journal) unary(name string) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		j.notef("%s in %s %T", name, info.FullMethod, req)
		resp, err := handler(ctx, req)
		j.notef("%s out %v", name, status.Code(err))
		return resp, err
	}
}

func (j *journal) streaming(name string) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		j.notef("%s in %s %v %v", name, info.FullMethod, info.IsClientStream, info.IsServerStream)
		err := handler(srv, stream)
		j.notef("%s out %v", name, status.Code(err))
		return err
	}
}

// A directClient calls tools without copies.
type directClient struct {
	mcpbridgev1.McpServiceClient
	channel *inproc.Channel
}

func (c *directClient) CallTool(
	ctx context.Context, in *mcpbridgev1.CallToolRequest, opts ...grpc.CallOption,
) (*mcpbridgev1.CallToolResponse, error) {
	md, _ := metadata.FromOutgoingContext(ctx)
	ctx = metadata.NewOutgoingContext(ctx, nil)
	response, err := c.channel.Call(ctx, mcpbridgev1.McpService_CallTool_FullMethodName, md, in, opts...)
	out, _ := response.(*mcpbridgev1.CallToolResponse)
	return out, err
}

// inProcess returns a channel to service with the interceptors of j.
func inProcess(service *stub, j *journal) *inproc.Channel {
	return inproc.New(&mcpbridgev1.McpService_ServiceDesc, service, inproc.Options{
		UnaryInterceptors:  []grpc.UnaryServerInterceptor{j.unary("a"), j.unary("b"), j.unary("c")},
		StreamInterceptors: []grpc.StreamServerInterceptor{j.streaming("a"), j.streaming("b")},
	})
}

// channels are the ways to the same service, which are to show no difference
// but speed.
var channels = map[string]func(*testing.T, *stub, *journal) mcpbridgev1.McpServiceClient{
	"in process": func(_ *testing.T, service *stub, j *journal) mcpbridgev1.McpServiceClient {
		return mcpbridgev1.NewMcpServiceClient(inProcess(service, j))
	},
	"without copies": func(_ *testing.T, service *stub, j *journal) mcpbridgev1.McpServiceClient {
		c := inProcess(service, j)
		return &directClient{McpServiceClient: mcpbridgev1.NewMcpServiceClient(c), channel: c}
	},
	"over HTTP/2": func(t *testing.T, service *stub, j *journal) mcpbridgev1.McpServiceClient {
		t.Helper()
		listener := bufconn.Listen(1 << 16)
		server := grpc.NewServer(
			grpc.ChainUnaryInterceptor(j.unary("a"), j.unary("b"), j.unary("c")),
			grpc.ChainStreamInterceptor(j.streaming("a"), j.streaming("b")),
		)
		mcpbridgev1.RegisterMcpServiceServer(server, service)
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		conn, err := grpc.NewClient("passthrough:///bufconn", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = conn.Close()
			server.Stop()
			<-served
		})
		return mcpbridgev1.NewMcpServiceClient(conn)
	},
}

// each runs a test over each channel and compares what was seen.
func each(t *testing.T, service func() *stub, run func(*testing.T, mcpbridgev1.McpServiceClient) string) {
	t.Helper()
	seen := make(map[string]string)
	for name, dial := range channels {
		j := &journal{}
		result := run(t, dial(t, service(), j))
		waitFor(t, func() bool { return strings.Contains(strings.Join(j.read(), "\n"), "a out") })
		seen[name] = result + "\n" + strings.Join(j.read(), "\n")
	}
	for name := range channels {
		if seen[name] != seen["over HTTP/2"] {
			t.Errorf("%s:\n%s\n\nover HTTP/2:\n%s", name, seen[name], seen["over HTTP/2"])
		}
	}
}

func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited for 10 s")
		}
	}
}

func TestUnary(t *testing.T) {
	t.Parallel()
	each(t, func() *stub {
		return &stub{callTool: func(ctx context.Context, in *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error) {
			md, _ := metadata.FromIncomingContext(ctx)
			outgoing, _ := metadata.FromOutgoingContext(ctx)
			_, limited := ctx.Deadline()
			method, _ := grpc.Method(ctx)
			if err := errors.Join(
				grpc.SetHeader(ctx, metadata.Pairs("x-header", "1")),
				grpc.SendHeader(ctx, metadata.Pairs("x-header", "2")),
				grpc.SetTrailer(ctx, metadata.Pairs("x-trailer", "3")),
			); err != nil {
				return nil, err
			}
			if grpc.SetHeader(ctx, metadata.Pairs("x-header", "4")) == nil || grpc.SendHeader(ctx, nil) == nil {
				return nil, status.Error(codes.Internal, "the header went out twice")
			}
			return &mcpbridgev1.CallToolResponse{
				MetaJson: proto.String(fmt.Sprint(in, md["x-request"], len(outgoing), limited, method)),
				Content:  []*mcpbridgev1.ContentBlock{{Block: &mcpbridgev1.ContentBlock_UnknownJson{UnknownJson: "{}"}}},
			}, nil
		}}
	}, func(t *testing.T, client mcpbridgev1.McpServiceClient) string {
		ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "x-request", "0"), time.Minute)
		defer cancel()
		var header, trailer metadata.MD
		in := &mcpbridgev1.CallToolRequest{
			Target: "servers/x", InputResponses: map[string]*mcpbridgev1.InputResponse{"k": {}}, RequestState: proto.String("s"),
		}
		in.ProtoReflect().SetUnknown([]byte{0xf8, 0x07, 0x01})
		out, err := client.CallTool(ctx, in, grpc.Header(&header), grpc.Trailer(&trailer))
		return fmt.Sprint(compact(out), err, header["x-header"], trailer["x-trailer"])
	})
}

// compact takes out of the text form of messages the spaces that protobuf puts
// in at random.
func compact(m proto.Message) string { return strings.ReplaceAll(fmt.Sprint(m), "  ", " ") }

func TestUnaryErrors(t *testing.T) {
	t.Parallel()
	detailed, err := status.New(codes.FailedPrecondition, "no").WithDetails(&errdetails.ErrorInfo{Reason: "R"})
	if err != nil {
		t.Fatal(err)
	}
	for name, fail := range map[string]error{
		"status with details": detailed.Err(),
		"wrapped status":      fmt.Errorf("outer: %w", detailed.Err()),
		"plain error":         errors.New("oops"),
		"cancelled":           fmt.Errorf("call: %w", context.Canceled),
		"deadline":            context.DeadlineExceeded,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func() *stub {
				return &stub{callTool: func(ctx context.Context, _ *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error) {
					return nil, errors.Join(fail, grpc.SetTrailer(ctx, metadata.Pairs("x-trailer", "1")))
				}}
			}, func(t *testing.T, client mcpbridgev1.McpServiceClient) string {
				var header, trailer metadata.MD
				_, err := client.CallTool(t.Context(), &mcpbridgev1.CallToolRequest{}, grpc.Header(&header), grpc.Trailer(&trailer))
				return fmt.Sprint(status.Code(err), compact(status.Convert(err).Proto()), header["x-header"], trailer["x-trailer"])
			})
		})
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]error{"to the end": nil, "to an error": status.Error(codes.Unavailable, "gone"), "to a plain error": io.ErrNoProgress} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func() *stub {
				return &stub{stream: func(in *mcpbridgev1.CallToolStreamRequest, out grpc.ServerStreamingServer[mcpbridgev1.CallToolStreamResponse]) error {
					if err := out.SetHeader(metadata.Pairs("x-header", in.GetName())); err != nil {
						return err
					}
					for i := range 3 {
						if err := out.Send(gap(int64(i))); err != nil {
							return err
						}
					}
					out.SetTrailer(metadata.Pairs("x-trailer", "3"))
					return end
				}}
			}, func(t *testing.T, client mcpbridgev1.McpServiceClient) string {
				stream, err := client.CallToolStream(t.Context(), &mcpbridgev1.CallToolStreamRequest{Name: "n"})
				if err != nil {
					t.Fatal(err)
				}
				header, err := stream.Header()
				got := fmt.Sprint(header["x-header"], err)
				for {
					event, err := stream.Recv()
					if err != nil {
						return got + fmt.Sprint(err, stream.Trailer()["x-trailer"])
					}
					got += fmt.Sprint(event.GetGap().GetDropped())
				}
			})
		})
	}
}

func gap(n int64) *mcpbridgev1.CallToolStreamResponse {
	return &mcpbridgev1.CallToolStreamResponse{Event: &mcpbridgev1.CallToolStreamResponse_Gap{Gap: &mcpbridgev1.Gap{Dropped: n}}}
}

// open starts a stream in process.
func open(ctx context.Context, t *testing.T, handler func(context.Context, func(int64) error) error) *inproc.Stream {
	t.Helper()
	channel := inproc.New(&mcpbridgev1.McpService_ServiceDesc, &stub{
		stream: func(_ *mcpbridgev1.CallToolStreamRequest, out grpc.ServerStreamingServer[mcpbridgev1.CallToolStreamResponse]) error {
			return handler(out.Context(), func(n int64) error { return out.Send(gap(n)) })
		},
	}, inproc.Options{})
	stream, err := channel.Open(ctx, mcpbridgev1.McpService_CallToolStream_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(stream.SendMsg(&mcpbridgev1.CallToolStreamRequest{}), stream.CloseSend()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stream.Wait)
	return stream
}

func TestStreamHeaderReportsEarlyError(t *testing.T) {
	t.Parallel()
	want := status.Error(codes.NotFound, "no such thing")
	stream := open(t.Context(), t, func(context.Context, func(int64) error) error { return want })
	if _, err := stream.Header(); !errors.Is(err, want) {
		t.Errorf("Header: %v", err)
	}
	if err := stream.RecvMsg(&mcpbridgev1.CallToolStreamResponse{}); !errors.Is(err, want) {
		t.Errorf("RecvMsg: %v", err)
	}
	if err := stream.SendMsg(&mcpbridgev1.CallToolStreamRequest{}); status.Code(err) != codes.Internal {
		t.Errorf("second request: %v", err)
	}
}

func TestStreamWaitsForReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sent := int64(0)
		stream := open(t.Context(), t, func(_ context.Context, send func(int64) error) error {
			for sent < 3 {
				if err := send(sent); err != nil {
					return err
				}
				sent++
			}
			return nil
		})
		if _, err := stream.Header(); err != nil {
			t.Fatal(err)
		}
		for i := range int64(3) {
			synctest.Wait()
			if taken := max(1, i); sent != taken { // the first by Header
				t.Errorf("%d messages were sent, %d were taken", sent, taken)
			}
			var m mcpbridgev1.CallToolStreamResponse
			if err := stream.RecvMsg(&m); err != nil || m.GetGap().GetDropped() != i {
				t.Fatalf("got %v, %v, want %d", &m, err, i)
			}
		}
		if err := stream.RecvMsg(&mcpbridgev1.CallToolStreamResponse{}); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}
	})
}

func TestStreamCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	sending := make(chan error, 1)
	stream := open(ctx, t, func(_ context.Context, send func(int64) error) error {
		err := send(1)
		sending <- err
		return err
	})
	cancel()
	stream.Wait()
	if err := <-sending; status.Code(err) != codes.Canceled {
		t.Errorf("the handler's Send: %v", err)
	}
	if err := stream.RecvMsg(&mcpbridgev1.CallToolStreamResponse{}); status.Code(err) != codes.Canceled {
		t.Errorf("RecvMsg: %v", err)
	}
}

func TestPeerOfTheContext(t *testing.T) {
	t.Parallel()
	want := &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 7}}
	channel := inproc.New(&mcpbridgev1.McpService_ServiceDesc, &stub{
		callTool: func(ctx context.Context, _ *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error) {
			if got, _ := peer.FromContext(ctx); got != want {
				return nil, status.Errorf(codes.Internal, "peer is %v", got)
			}
			return nil, nil
		},
	}, inproc.Options{})
	_, err := mcpbridgev1.NewMcpServiceClient(channel).CallTool(peer.NewContext(t.Context(), want), &mcpbridgev1.CallToolRequest{})
	if err != nil {
		t.Error(err)
	}
}

func TestUnknownMethods(t *testing.T) {
	t.Parallel()
	channel := inproc.New(&mcpbridgev1.McpService_ServiceDesc, &stub{}, inproc.Options{})
	if err := channel.Invoke(t.Context(), "/mcpbridge.v1.McpService/Nope", nil, nil); status.Code(err) != codes.Unimplemented {
		t.Errorf("unary: %v", err)
	}
	if _, err := channel.NewStream(t.Context(), nil, "/mcpbridge.v1.McpService/Nope"); status.Code(err) != codes.Unimplemented {
		t.Errorf("stream: %v", err)
	}
	err := channel.Invoke(t.Context(), mcpbridgev1.McpService_Ping_FullMethodName, &mcpbridgev1.CompleteRequest{}, &mcpbridgev1.PingResponse{})
	if status.Code(err) != codes.Internal {
		t.Errorf("wrong type of request: %v", err)
	}
	_, err = channel.Call(t.Context(), mcpbridgev1.McpService_Ping_FullMethodName, nil, &mcpbridgev1.CompleteRequest{})
	if status.Code(err) != codes.Internal {
		t.Errorf("wrong type of request, without copies: %v", err)
	}
	_, err = channel.Call(t.Context(), "/x.Y/Z", nil, &mcpbridgev1.CompleteRequest{})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("unknown method, without copies: %v", err)
	}
}

func BenchmarkInvoke(b *testing.B) {
	client := mcpbridgev1.NewMcpServiceClient(inproc.New(&mcpbridgev1.McpService_ServiceDesc, &stub{
		callTool: func(context.Context, *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error) {
			return &mcpbridgev1.CallToolResponse{}, nil
		},
	}, inproc.Options{}))
	in := &mcpbridgev1.CallToolRequest{Target: "servers/x", Name: "n", ArgumentsJson: proto.String("{}")}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.CallTool(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}
