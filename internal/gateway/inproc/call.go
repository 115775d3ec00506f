package inproc

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// A call is the server's side of one RPC: what grpc.SetHeader and its like act
// on. Its methods may be called concurrently.
type call struct {
	ctx    context.Context //nolint:containedctx // the handler's
	method string

	mu        sync.Mutex // guards what follows
	header    metadata.MD
	trailer   metadata.MD
	committed bool // the header has been sent
}

var _ grpc.ServerTransportStream = (*call)(nil)

// newCall starts a call whose metadata is that of the caller's context.
func newCall(ctx context.Context, method string) *call {
	md, _ := metadata.FromOutgoingContext(ctx)
	return startCall(metadata.NewOutgoingContext(ctx, nil), md, method)
}

// startCall starts a call. There is no metadata in ctx but what is given.
func startCall(ctx context.Context, md metadata.MD, method string) *call {
	c := &call{method: method}
	c.ctx = grpc.NewContextWithServerTransportStream(metadata.NewIncomingContext(ctx, md), c)
	return c
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
	c.commit()
	return nil
}

// commit notes that the header has been sent.
func (c *call) commit() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.committed = true
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
