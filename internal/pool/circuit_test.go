package pool_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// quick has the attempts follow each other closely, up to a point.
func quick() pool.Options {
	return pool.Options{Backoff: pool.Backoff{Base: 10 * time.Millisecond, Max: time.Second}}
}

// failUntilOpen makes calls until the server's circuit is open.
func failUntilOpen(t *testing.T, u *pool.Upstream) (failures int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		_, err := callTool(t.Context(), u)
		var refused *pool.ConnectError
		if !errors.As(err, &refused) {
			t.Fatalf("got %v", err)
		}
		if refused.CircuitOpen {
			return failures
		}
	}
	t.Fatal("the circuit does not open")
	return failures
}

func of(t *testing.T, p *pool.Pool, principal string) *pool.Upstream {
	t.Helper()
	u, err := p.Shared("s", principal)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// circuitOpen reports whether err says that the circuit is open, and when to come back.
func circuitOpen(err error) (time.Duration, bool) {
	var refused *pool.ConnectError
	ok := errors.As(err, &refused) && refused.CircuitOpen
	if !ok {
		return 0, false
	}
	return refused.RetryAfter, true
}

func TestCircuitOpens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := new(fakeDialer)
		d.setDown(errRefused)
		p := newPool(t, d, &pool.Server{}, quick())
		failUntilOpen(t, of(t, p, "a"))
		if n := d.dials.Load(); n != 5 {
			t.Errorf("opened after %d failures", n)
		}
		// Nobody else finds it out for himself, and all know when to come back.
		other := of(t, p, "b")
		began := time.Now()
		_, err := callTool(t.Context(), other)
		wait, isOpen := circuitOpen(err)
		if !isOpen || errors.Is(err, errRefused) || wait > time.Second || time.Since(began) != 0 || d.dials.Load() != 5 {
			t.Errorf("another's call: %v, wait %v, after %v and %d dials", err, wait, time.Since(began), d.dials.Load())
		}
		if _, _, err := p.CheckOut(t.Context(), "s", "c", forms); err == nil || d.dials.Load() != 5 {
			t.Errorf("an upstream of a call's own: %v", err)
		}
		st, _, _ := p.ServerStatus(server(t, p), "b")
		if _, told := circuitOpen(st.LastFailure.Err); st.State != pool.TransientFailure || !told {
			t.Errorf("status %+v", st)
		}
		time.Sleep(time.Second)
		d.setDown(nil)
		for _, principal := range []string{"b", "a"} {
			if _, err := callTool(t.Context(), of(t, p, principal)); err != nil {
				t.Errorf("%s after recovery: %v", principal, err)
			}
		}
	})
}

// Attempts that were under way when the circuit opened do not prolong the wait.
func TestCircuitCountsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{dial: func(context.Context) error { time.Sleep(time.Second); return errRefused }}
		o := quick()
		o.Backoff.Max = time.Hour
		p := newPool(t, d, &pool.Server{}, o)
		var calls sync.WaitGroup
		for i := range 30 {
			calls.Go(func() { _, _ = callTool(t.Context(), of(t, p, strconv.Itoa(i))) })
		}
		calls.Wait()
		time.Sleep(160 * time.Millisecond) // the longest wait after five failures
		before := d.dials.Load()
		if _, err := callTool(t.Context(), of(t, p, "another")); err == nil || d.dials.Load() != before+1 {
			t.Errorf("%v after %d dials", err, d.dials.Load()-before)
		}
	})
}

// The trial is a handshake and a ping, made once, whoever waits; no call of
// anybody's is sent before it has succeeded.
func TestCircuitTrial(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tools, pings atomic.Int64
		var mute atomic.Bool
		d := new(fakeDialer)
		d.setDown(errRefused)
		d.call = func(ctx context.Context, _ *fakeTransport, req *transport.Request) (*transport.Response, error) {
			if req.Method == "tools/call" {
				tools.Add(1)
			} else if pings.Add(1); mute.Load() {
				<-ctx.Done()
				return nil, &transport.Error{Kind: transport.KindCanceled, Delivery: transport.Unknown, Err: context.Cause(ctx)}
			}
			return &transport.Response{Result: []byte(`{}`)}, nil
		}
		p := newPool(t, d, &pool.Server{}, quick())
		failUntilOpen(t, of(t, p, "a"))
		time.Sleep(time.Second)
		d.setDown(nil)
		mute.Store(true)
		tried := make(chan error, 1)
		go func() { _, err := callTool(t.Context(), of(t, p, "b")); tried <- err }()
		synctest.Wait()
		before := d.dials.Load()
		for range 10 {
			if _, isOpen := circuitOpen(second(callTool(t.Context(), of(t, p, "c")))); !isOpen {
				t.Error("another call while it is on trial")
			}
		}
		if err := <-tried; err == nil || tools.Load() != 0 || pings.Load() != 1 || d.dials.Load() != before {
			t.Errorf("%v after %d calls, %d pings, %d dials", err, tools.Load(), pings.Load(), d.dials.Load()-before)
		}
		if _, isOpen := circuitOpen(second(callTool(t.Context(), of(t, p, "c")))); !isOpen {
			t.Error("closed by a trial that failed")
		}
		mute.Store(false)
		time.Sleep(time.Second)
		if _, err := callTool(t.Context(), of(t, p, "c")); err != nil || pings.Load() != 2 || tools.Load() != 1 {
			t.Errorf("%v after %d pings, %d calls", err, pings.Load(), tools.Load())
		}
		synctest.Wait()
		if n := d.open.Load(); n != 1 {
			t.Errorf("%d open", n)
		}
	})
}

func second(_ pool.Outcome, err error) error { return err }

// What a server answers, and what befalls sessions that are in use, says nothing
// against the server.
func TestCircuitStaysClosed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		down error
		call func(context.Context, *fakeTransport, *transport.Request) (*transport.Response, error)
	}{
		"credentials":       {down: &transport.Error{Kind: transport.KindStatus, Status: 401, Delivery: transport.Answered}},
		"an answer":         {down: &jsonrpc.Error{Code: -32603, Message: "no"}},
		"no common version": {down: &mcp.IncompatibleError{Problem: "p"}},
		"a guarded address": {down: &transport.Error{Kind: transport.KindForbidden}},
		"consent":           {down: consentError{}},
		"deadly calls":      {call: lostOnce(1<<30, transport.KindExited, transport.Unknown)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &fakeDialer{call: tt.call}
				d.setDown(tt.down)
				u := shared(t, newPool(t, d, &pool.Server{}, quick()))
				for range 1000 {
					_, err := callTool(t.Context(), u)
					if _, isOpen := circuitOpen(err); err == nil || isOpen {
						t.Fatalf("got %v", err)
					}
					time.Sleep(10 * time.Millisecond)
				}
			})
		})
	}
}

// Sessions that are lost one after the other, without anybody's doing, are
// failures of the server, unless it answers in between.
func TestCircuitCountsLostSessions(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string]bool{"without an answer": false, "with answers": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := new(fakeDialer)
				p := newPool(t, d, &pool.Server{}, quick())
				opened := false
				for range 10 {
					s, err := p.Open(t.Context(), pool.OpenParams{Server: server(t, p)})
					if _, opened = circuitOpen(err); opened {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
					if answers {
						if _, err := callTool(t.Context(), s); err != nil {
							t.Fatal(err)
						}
					}
					d.transport().die(errLost)
					if st := s.Status(); st.State != pool.Shutdown {
						t.Errorf("state %v", st.State)
					}
				}
				if opened == answers {
					t.Errorf("open: %v", opened)
				}
			})
		})
	}
}

// What was long ago is forgotten, so that who seldom calls is not refused.
func TestCircuitForgets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := new(fakeDialer)
		d.setDown(errRefused)
		u := shared(t, newPool(t, d, &pool.Server{}, quick()))
		twice := func() {
			t.Helper()
			for range 2 { // the first of which fails
				if _, isOpen := circuitOpen(second(callTool(t.Context(), u))); isOpen {
					t.Error("open")
				}
			}
		}
		for range 20 {
			twice()
			time.Sleep(62 * time.Second)
		}
		failUntilOpen(t, u)
		time.Sleep(62 * time.Second)
		twice()
	})
}
