package pool_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fakeDialer opens transports whose answers are function fields, so that time
// can be the test's own.
type fakeDialer struct {
	// dial, if set, may refuse, or take its time.
	dial func(ctx context.Context) error
	// call answers the requests after the handshake.
	call func(ctx context.Context, f *fakeTransport, req *transport.Request) (*transport.Response, error)
	// modern makes it a server of the modern era.
	modern bool
	// stubborn makes a transport close only when its time for that is over.
	stubborn bool

	dials atomic.Int64
	open  atomic.Int64
}

func (d *fakeDialer) Peer() transport.Peer {
	return transport.Peer{Transport: "http", Network: "tcp", Protocol: "http"}
}

func (d *fakeDialer) Dial(ctx context.Context, _ transport.Receiver) (transport.Transport, error) {
	d.dials.Add(1)
	if d.dial != nil {
		if err := d.dial(ctx); err != nil {
			return nil, err
		}
	}
	d.open.Add(1)
	return &fakeTransport{dialer: d, done: make(chan struct{}), closed: make(chan struct{})}, nil
}

type fakeTransport struct {
	dialer *fakeDialer
	done   chan struct{}
	closed chan struct{}
	once   sync.Once
	err    error
}

// die ends the transport as a crash does.
func (f *fakeTransport) die(err error) {
	f.once.Do(func() { f.err = err; close(f.done) })
}

func (f *fakeTransport) RoundTrip(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	switch req.Method {
	case "server/discover":
		if f.dialer.modern {
			return &transport.Response{Result: []byte(`{"supportedVersions":["2026-07-28"]}`)}, nil
		}
		return &transport.Response{Result: []byte(`{}`)}, nil
	case "initialize":
		return &transport.Response{Result: []byte(`{"protocolVersion":"2025-11-25","capabilities":{}}`)}, nil
	}
	if f.dialer.call == nil {
		return &transport.Response{Result: []byte(`{}`)}, nil
	}
	return f.dialer.call(ctx, f, req)
}

func (f *fakeTransport) Send(context.Context, *transport.Message) error { return nil }
func (f *fakeTransport) Done() <-chan struct{}                          { return f.done }
func (f *fakeTransport) Err() error                                     { return f.err }

func (f *fakeTransport) Listen(ctx context.Context, opened func(resumed bool)) error {
	opened(false)
	select {
	case <-ctx.Done():
		return &transport.Error{Kind: transport.KindCanceled, Err: context.Cause(ctx)}
	case <-f.done:
		return &transport.Error{Kind: transport.KindClosed}
	}
}

func (f *fakeTransport) Close(ctx context.Context) error {
	if f.dialer.stubborn {
		<-ctx.Done()
	}
	f.dialer.open.Add(-1)
	close(f.closed)
	f.die(nil)
	return nil
}

// newPool returns a pool of one server "s", closed by the end of the test.
func newPool(t *testing.T, d transport.Dialer, s *pool.Server, o pool.Options) *pool.Pool {
	t.Helper()
	s.Name, s.Client = "s", mcp.NewClient(d, mcp.Options{})
	p := pool.New([]*pool.Server{s}, o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return p
}

func shared(t *testing.T, p *pool.Pool) *pool.Upstream {
	t.Helper()
	u, err := p.Shared("s", "")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// ping makes one call.
func ping(ctx context.Context, target pool.Target) (pool.Outcome, error) {
	return target.Do(ctx, true, func(ctx context.Context, s *pool.Live) error {
		_, err := s.Ping(ctx, nil)
		return err
	})
}

// callTool makes one call that must not be repeated.
func callTool(ctx context.Context, target pool.Target) (pool.Outcome, error) {
	return target.Do(ctx, false, func(ctx context.Context, s *pool.Live) error {
		_, err := s.Call(ctx, mcp.CallTool("x", nil))
		return err
	})
}

var errRefused = &transport.Error{Kind: transport.KindUnreachable, Err: errors.New("refused")}
