package pool_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
	"github.com/mcpbridge/mcpbridge/internal/transport"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

func TestMain(m *testing.M) {
	peers.ServeIfChild()
	goleak.VerifyTestMain(m)
}

// A fakeDialer opens transports whose answers are function fields, so that time
// can be the test's own.
type fakeDialer struct {
	// dial, if set, may refuse, or take its time.
	dial func(ctx context.Context) error
	// call answers the requests after the handshake.
	call func(ctx context.Context, f *fakeTransport, req *transport.Request) (*transport.Response, error)
	// declares is the text of a legacy server's capabilities; empty: {}.
	declares string
	// refuses are the resources that it does not report on, and the log levels
	// that it does not know.
	refuses map[string]bool
	// modern makes it a server of the modern era.
	modern bool
	// mute makes it never answer to subscriptions; whoever gives up on one is
	// held up for that long.
	mute    bool
	parting time.Duration
	// opening is how long a way in takes to open.
	opening time.Duration
	// stubborn makes a transport close only when its time for that is over.
	stubborn bool

	dials atomic.Int64
	open  atomic.Int64
	// listening counts the ways in that are open.
	listening atomic.Int64

	// mu guards what follows.
	mu sync.Mutex
	// down is what dialling fails with; nil: it does not.
	down error
	// dialled are the transports that were opened, in that order.
	dialled []*fakeTransport
	// asked are the requests on what the server tells, as "method: detail".
	asked []string
	// sent are the other messages.
	sent []string
}

// everything is what a server declares that has all of it.
const everything = `{"logging":{},"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true}}`

// transport returns the transport that was opened last.
func (d *fakeDialer) transport() *fakeTransport {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dialled[len(d.dialled)-1]
}

// transports returns all that were opened.
func (d *fakeDialer) transports() []*fakeTransport {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.dialled)
}

// tell sends a notification on the transport that was opened last.
func (d *fakeDialer) tell(method, params string) {
	d.transport().tell(method, params)
}

// ask sends a request on the transport that was opened last.
func (d *fakeDialer) ask(id int, method, params string) {
	d.transport().receive(jsonrpc.Message{ID: fmt.Append(nil, id), Method: method, Params: []byte(params)}, 0)
}

// answers returns what was sent since it was last called, but requests. It is
// for bubbles.
func (d *fakeDialer) answers() []string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	sent := slices.DeleteFunc(d.sent, func(s string) bool { return strings.Contains(s, "notifications/initialized") })
	d.sent = nil
	return sent
}

// setDown makes dialling fail, or not.
func (d *fakeDialer) setDown(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = err
}

// takeAsked returns what was asked since it was last called.
func (d *fakeDialer) takeAsked() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	asked := d.asked
	d.asked = nil
	return asked
}

func (d *fakeDialer) note(method string, detail []byte) string {
	text, _ := rawjson.String(detail)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, method+": "+text)
	return text
}

func (d *fakeDialer) Peer() transport.Peer {
	return transport.Peer{Transport: "http", Network: "tcp", Protocol: "http"}
}

func (d *fakeDialer) Dial(ctx context.Context, receive transport.Receiver) (transport.Transport, error) {
	d.dials.Add(1)
	if d.dial != nil {
		if err := d.dial(ctx); err != nil {
			return nil, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down != nil {
		return nil, d.down
	}
	d.open.Add(1)
	f := &fakeTransport{dialer: d, receive: receive, done: make(chan struct{}), closed: make(chan struct{})}
	d.dialled = append(d.dialled, f)
	return f, nil
}

type fakeTransport struct {
	dialer  *fakeDialer
	receive transport.Receiver
	done    chan struct{}
	closed  chan struct{}
	once    sync.Once
	err     error
}

// tell sends a notification.
func (f *fakeTransport) tell(method, params string) {
	f.receive(jsonrpc.Message{Method: method, Params: []byte(params)}, 0)
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
		declares := cmp.Or(f.dialer.declares, `{}`)
		return &transport.Response{Result: []byte(`{"protocolVersion":"2025-11-25","capabilities":` + declares + `}`)}, nil
	case "logging/setLevel":
		if level := f.dialer.note(req.Method, rawjson.Get(req.Params, "level")); f.dialer.refuses[level] {
			return &transport.Response{Error: &jsonrpc.Error{Code: -32602, Message: "no such level"}}, nil
		}
		return &transport.Response{Result: []byte(`{}`)}, nil
	case "resources/subscribe", "resources/unsubscribe":
		if uri := f.dialer.note(req.Method, rawjson.Get(req.Params, "uri")); f.dialer.refuses[uri] {
			return &transport.Response{Error: &jsonrpc.Error{Code: -32002, Message: "no such resource"}}, nil
		}
		if f.dialer.mute {
			<-ctx.Done()
			time.Sleep(f.dialer.parting)
			return nil, &transport.Error{Kind: transport.KindCanceled, Delivery: transport.Unknown, Err: context.Cause(ctx)}
		}
		return &transport.Response{Result: []byte(`{}`)}, nil
	case "subscriptions/listen":
		return f.listen(ctx, req)
	}
	if f.dialer.call == nil {
		return &transport.Response{Result: []byte(`{}`)}, nil
	}
	return f.dialer.call(ctx, f, req)
}

// listen grants a modern subscription and keeps it open.
func (f *fakeTransport) listen(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	want := rawjson.Get(req.Params, "notifications")
	f.dialer.mu.Lock()
	f.dialer.asked = append(f.dialer.asked, "listen: "+string(want))
	f.dialer.mu.Unlock()
	f.receive(jsonrpc.Message{
		Method: "notifications/subscriptions/acknowledged",
		Params: fmt.Appendf(nil, `{"_meta":{"io.modelcontextprotocol/subscriptionId":%d},"notifications":%s}`, req.ID, want),
	}, req.ID)
	select {
	case <-ctx.Done():
		return nil, &transport.Error{Kind: transport.KindCanceled, Delivery: transport.Unknown, Err: context.Cause(ctx)}
	case <-f.done:
		return nil, &transport.Error{Kind: transport.KindLost, Delivery: transport.Unknown}
	}
}

func (f *fakeTransport) Send(_ context.Context, m *transport.Message) error {
	f.dialer.mu.Lock()
	defer f.dialer.mu.Unlock()
	f.dialer.sent = append(f.dialer.sent, string(m.Body))
	return nil
}

func (f *fakeTransport) Listen(ctx context.Context, opened func(resumed bool)) error {
	f.dialer.listening.Add(1)
	defer f.dialer.listening.Add(-1)
	select {
	case <-time.After(f.dialer.opening):
		opened(false)
	case <-ctx.Done():
	case <-f.done:
	}
	select {
	case <-ctx.Done():
		return &transport.Error{Kind: transport.KindCanceled, Err: context.Cause(ctx)}
	case <-f.done:
		return &transport.Error{Kind: transport.KindClosed}
	}
}
func (f *fakeTransport) Done() <-chan struct{} { return f.done }
func (f *fakeTransport) Err() error            { return f.err }

func (f *fakeTransport) Close(ctx context.Context) error {
	if f.dialer.stubborn {
		<-ctx.Done()
	}
	f.dialer.open.Add(-1)
	close(f.closed)
	f.die(nil)
	return nil
}

// inBubble counts the goroutines of the bubble, which must be the only one.
func inBubble() int {
	synctest.Wait()
	stacks := make([]byte, 1<<20)
	return bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("synctest bubble"))
}

// newPool returns a pool of one server "s", closed by the end of the test. The
// server may have its own client.
func newPool(t testing.TB, d transport.Dialer, s *pool.Server, o pool.Options) *pool.Pool {
	t.Helper()
	if s.Name = "s"; s.Client == nil {
		s.Client = mcp.NewClient(d, mcp.Options{})
	}
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

func shared(t testing.TB, p *pool.Pool) *pool.Upstream {
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
		_, err := s.Call(ctx, toolX())
		return err
	})
}

func toolX() *mcp.Call { return mcp.CallTool("x", nil) }

var errRefused = &transport.Error{Kind: transport.KindUnreachable, Err: errors.New("refused")}
