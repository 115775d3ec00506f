package inproc

import (
	"context"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// A call is the server's side of one RPC: what grpc.SetHeader and its like act
// on, and who tells the stats handlers. Its methods may be called concurrently.
type call struct {
	ctx    context.Context //nolint:containedctx // the handler's; SendHeader has none, and the stats handlers want it
	method string
	start  time.Time
	stats  []stats.Handler

	mu        sync.Mutex // guards what follows
	header    metadata.MD
	trailer   metadata.MD
	committed bool // the header has been sent
}

var _ grpc.ServerTransportStream = (*call)(nil)

// begin starts a call and says so to the stats handlers, in the order of a
// grpc.Server.
func (c *Channel) begin(ctx context.Context, method string, begin *stats.Begin) *call {
	call := &call{method: method, stats: c.stats}
	md, _ := metadata.FromOutgoingContext(ctx)
	ctx = metadata.NewIncomingContext(metadata.NewOutgoingContext(ctx, nil), md)
	for _, h := range c.stats {
		ctx = h.TagRPC(ctx, &stats.RPCTagInfo{FullMethodName: method}) //nolint:fatcontext // each handler adds its tag
	}
	call.ctx = grpc.NewContextWithServerTransportStream(ctx, call)
	if len(c.stats) == 0 {
		return call
	}
	call.start = time.Now()
	begin.BeginTime = call.start
	remote, local := addresses(ctx)
	call.tell(&stats.InHeader{FullMethod: method, Header: md, RemoteAddr: remote, LocalAddr: local})
	call.tell(begin)
	return call
}

func addresses(ctx context.Context) (remote, local net.Addr) {
	if p, ok := peer.FromContext(ctx); ok {
		return p.Addr, p.LocalAddr
	}
	return nil, nil
}

func (c *call) tell(event stats.RPCStats) {
	for _, h := range c.stats {
		h.HandleRPC(c.ctx, event)
	}
}

// received tells that the handler gets message.
func (c *call) received(message any) {
	if len(c.stats) > 0 {
		c.tell(&stats.InPayload{Payload: message, RecvTime: time.Now()})
	}
}

// sent tells that the handler has sent message, which commits the header.
func (c *call) sent(message any) {
	c.mu.Lock()
	first := !c.committed
	c.committed = true
	c.mu.Unlock()
	if len(c.stats) == 0 {
		return
	}
	if first {
		c.tell(&stats.OutHeader{Header: c.headers()})
	}
	c.tell(&stats.OutPayload{Payload: message, SentTime: time.Now()})
}

// end tells that the handler has returned.
func (c *call) end(err error) {
	if len(c.stats) > 0 {
		c.tell(&stats.OutTrailer{Trailer: c.trailers()})
		c.tell(&stats.End{BeginTime: c.start, EndTime: time.Now(), Trailer: c.trailers(), Error: err})
	}
}

// report fills in what the options of the caller ask for.
func (c *call) report(opts []grpc.CallOption) {
	for _, opt := range opts {
		switch opt := opt.(type) {
		case grpc.HeaderCallOption:
			*opt.HeaderAddr = c.headers()
		case grpc.TrailerCallOption:
			*opt.TrailerAddr = c.trailers()
		}
	}
}

// Method returns the full name of the method.
func (c *call) Method() string { return c.method }

// SetHeader adds to the header that goes out with the first message.
func (c *call) SetHeader(md metadata.MD) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.committed {
		return status.Error(codes.Internal, "the header has been sent already")
	}
	c.header = metadata.Join(c.header, md)
	return nil
}

// SendHeader sends the header, with md added to it.
func (c *call) SendHeader(md metadata.MD) error {
	if err := c.SetHeader(md); err != nil {
		return err
	}
	c.mu.Lock()
	c.committed = true
	c.mu.Unlock()
	if len(c.stats) > 0 {
		c.tell(&stats.OutHeader{Header: c.headers()})
	}
	return nil
}

// SetTrailer adds to the trailer that goes out when the handler returns.
func (c *call) SetTrailer(md metadata.MD) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trailer = metadata.Join(c.trailer, md)
	return nil
}

func (c *call) headers() metadata.MD {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.header
}

func (c *call) trailers() metadata.MD {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trailer
}
