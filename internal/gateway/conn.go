package gateway

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/mcpbridge/mcpbridge/internal/gateway/inproc"
	"github.com/mcpbridge/mcpbridge/internal/gateway/restjson"
)

// A conn is the channel to the service as the generated code uses it: for the
// exchange of the context it puts the finish to the requests.
type conn struct {
	channel *inproc.Channel
	codec   *restjson.Codec
}

var _ grpc.ClientConnInterface = (*conn)(nil)

func (c *conn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	x := exchangeOf(ctx)
	x.routed(ctx)
	if err := c.finish(x, args); err != nil {
		return err
	}
	return c.channel.Invoke(ctx, method, args, reply, append(opts, grpc.Trailer(&x.trailer))...)
}

func (c *conn) NewStream(ctx context.Context, _ *grpc.StreamDesc, method string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	x := exchangeOf(ctx)
	x.routed(ctx)
	s, err := c.channel.Open(ctx, method)
	if err != nil {
		return nil, err
	}
	x.stream = s
	return &stream{Stream: s, conn: c, exchange: x}, nil
}

// finish sets the fields of a request that stand in the query, and asks for the
// only form of free-form JSON that REST has a use for.
func (c *conn) finish(x *exchange, request any) error {
	m, ok := request.(proto.Message)
	if !ok {
		return status.Errorf(codes.Internal, "a %T is no message", request)
	}
	defer c.codec.ForceText(m)
	if x.query == "" {
		return nil
	}
	query, err := url.ParseQuery(x.query)
	if err != nil {
		return invalid(&restjson.FieldError{Problem: "query: " + err.Error()})
	}
	if x.request.Method == http.MethodPost {
		for _, key := range slices.Sorted(maps.Keys(query)) {
			return invalid(&restjson.FieldError{Field: key, Problem: "is in the query; it belongs in the body"})
		}
	}
	if err := c.codec.DecodeQuery(query, m, x.bound); err != nil {
		return invalid(err)
	}
	return nil
}

// A stream is a stream of the channel on behalf of an exchange.
type stream struct {
	*inproc.Stream
	conn     *conn
	exchange *exchange
}

func (s *stream) SendMsg(request any) error {
	if err := s.conn.finish(s.exchange, request); err != nil {
		return err
	}
	return s.Stream.SendMsg(request)
}

func (s *stream) Header() (metadata.MD, error) {
	md, err := s.Stream.Header()
	if err != nil {
		s.exchange.trailer = s.Trailer()
	}
	return md, err
}
