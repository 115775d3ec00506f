package pool_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// A pinged server counts the pings it gets.
type pinged struct {
	pings atomic.Int64
	// mute makes it answer nothing, rude answer to pings with an error.
	mute, rude atomic.Bool
}

func (s *pinged) call(ctx context.Context, _ *fakeTransport, req *transport.Request) (*transport.Response, error) {
	if req.Method == "ping" {
		s.pings.Add(1)
	}
	switch {
	case s.mute.Load():
		<-ctx.Done()
		return nil, &transport.Error{Kind: transport.KindCanceled, Delivery: transport.Unknown, Err: context.Cause(ctx)}
	case s.rude.Load() && req.Method == "ping":
		return &transport.Response{Error: &jsonrpc.Error{Code: -32601, Message: "no such method"}}, nil
	}
	return &transport.Response{Result: []byte(`{}`)}, nil
}

// probed returns a pool of one server that is probed, and what it is pinged on.
func probed(t *testing.T, s *pool.Server) (*pool.Pool, *fakeDialer, *pinged) {
	t.Helper()
	server := new(pinged)
	d := &fakeDialer{call: server.call, declares: everything}
	s.HealthInterval = 30 * time.Second
	p := newPool(t, d, s, pool.Options{Backoff: pool.Backoff{Base: time.Millisecond, Max: time.Millisecond}})
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	go p.Run(ctx)
	return p, d, server
}

func TestProbes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, d, server := probed(t, &pool.Server{IdleTimeout: time.Hour})
		u := shared(t, p)
		for range 10 { // with calls there is no need
			time.Sleep(20 * time.Second)
			if _, err := callTool(t.Context(), u); err != nil {
				t.Fatal(err)
			}
		}
		if n := server.pings.Load(); n != 0 {
			t.Errorf("%d pings beside calls", n)
		}
		time.Sleep(30 * time.Minute) // one tells how the last call has left it
		if n := server.pings.Load(); n != 1 {
			t.Errorf("%d pings of what nobody uses", n)
		}
		w := watch(t, u, "x://1")
		time.Sleep(30 * time.Minute)
		if n := server.pings.Load(); n < 50 || n > 62 {
			t.Errorf("%d pings in half an hour of watching", n)
		}
		w.Close()
		if n := d.dials.Load(); n != 1 {
			t.Errorf("%d dials", n)
		}
	})
}

func TestSilentSessionIsReplaced(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		prepare func(*pinged)
		// unanswered: the last call before got no answer.
		unanswered bool
		replaced   bool
	}{
		"answers":                       {prepare: func(*pinged) {}},
		"answers with an error":         {prepare: func(s *pinged) { s.rude.Store(true) }},
		"silent":                        {prepare: func(s *pinged) { s.mute.Store(true) }, replaced: true},
		"silent after an open call":     {prepare: func(s *pinged) { s.mute.Store(true) }, unanswered: true, replaced: true},
		"an open call, and answers now": {prepare: func(*pinged) {}, unanswered: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p, d, server := probed(t, &pool.Server{})
				u := shared(t, p)
				first, err := callTool(t.Context(), u)
				if err != nil {
					t.Fatal(err)
				}
				if !tt.unanswered {
					time.Sleep(time.Minute) // it has answered a probe
				}
				server.mute.Store(tt.unanswered)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := callTool(ctx, u); (err == nil) == tt.unanswered {
					t.Fatal(err)
				}
				server.mute.Store(false)
				tt.prepare(server)
				wait := 50 * time.Second
				if tt.unanswered { // it is asked at once
					wait = 20 * time.Second
				}
				time.Sleep(wait)
				server.mute.Store(false)
				if n := d.open.Load(); n != 1 {
					t.Errorf("%d open", n)
				}
				again, err := callTool(t.Context(), u)
				if err != nil || (again.Generation != first.Generation) != tt.replaced {
					t.Errorf("%+v after %+v, %v", again, first, err)
				}
				if failure := u.Status().LastFailure; (failure != nil) != tt.replaced {
					t.Errorf("last failure %+v", failure)
				}
			})
		})
	}
}

// There are servers that do not answer pings: they are not restarted for it.
func TestNeverAnsweredPings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, d, server := probed(t, &pool.Server{})
		u := shared(t, p)
		w := watch(t, u)
		defer w.Close()
		server.mute.Store(true)
		time.Sleep(5 * time.Minute)
		server.mute.Store(false)
		if _, err := callTool(t.Context(), u); err != nil || d.dials.Load() != 1 || server.pings.Load() < 2 {
			t.Errorf("%d dials after %d pings: %v", d.dials.Load(), server.pings.Load(), err)
		}
	})
}

// A server that has a call to work on may be late with pings.
func TestNoProbeBesideCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, d, server := probed(t, &pool.Server{})
		slow := new(slowTools)
		d.call = func(ctx context.Context, f *fakeTransport, req *transport.Request) (*transport.Response, error) {
			if req.Method == "ping" {
				return server.call(ctx, f, req)
			}
			return slow.call(ctx, f, req)
		}
		u := shared(t, p)
		w := watch(t, u)
		defer w.Close()
		var calls sync.WaitGroup
		begin(t, &calls, u)
		calls.Wait()
		if n := server.pings.Load(); n != 0 {
			t.Errorf("%d pings beside a call", n)
		}
		time.Sleep(32 * time.Second) // it does answer, when it is asked
		server.mute.Store(true)
		time.Sleep(30 * time.Second)
		if n := server.pings.Load(); n != 2 {
			t.Errorf("%d pings", n)
		}
		begin(t, &calls, u) // while a probe is under way
		calls.Wait()
		time.Sleep(10 * time.Second)
		server.mute.Store(false)
		time.Sleep(time.Minute)
		if n := d.dials.Load(); n != 1 {
			t.Errorf("%d dials", n)
		}
	})
}

// Where there can be no successor, a silent session is given up all the same, so
// that calls fail at once and do not wait for it.
func TestSilentSessionWithoutSuccessor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, d, server := probed(t, &pool.Server{})
		u := shared(t, p)
		if _, err := callTool(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		server.mute.Store(true)
		d.setDown(errRefused)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := callTool(ctx, u); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if n := d.open.Load(); n != 0 {
			t.Errorf("%d open", n)
		}
		if _, err := callTool(t.Context(), u); !errors.Is(err, errRefused) {
			t.Errorf("got %v", err)
		}
	})
}

// Nor does it wait for a successor while nobody may connect.
func TestSilentSessionBehindOpenCircuit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := new(pinged)
		d := &fakeDialer{call: server.call}
		p := newPool(t, d, &pool.Server{HealthInterval: 30 * time.Second}, pool.Options{Backoff: pool.Backoff{Base: time.Hour, Max: time.Hour}})
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go p.Run(ctx)
		u := of(t, p, "a")
		if _, err := callTool(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		d.setDown(errRefused)
		for _, principal := range []string{"b", "c", "d", "e", "f"} {
			if _, err := callTool(t.Context(), of(t, p, principal)); !errors.Is(err, errRefused) {
				t.Fatal(err)
			}
		}
		server.mute.Store(true)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = callTool(short, u)
		time.Sleep(20 * time.Second)
		if n := d.open.Load(); n != 0 {
			t.Errorf("%d open", n)
		}
		if _, err := callTool(t.Context(), u); err == nil {
			t.Error("called")
		}
	})
}
