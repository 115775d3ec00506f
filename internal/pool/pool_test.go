package pool_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

func TestConnectOnceForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{dial: func(context.Context) error { time.Sleep(time.Second); return nil }}
		u := shared(t, newPool(t, d, &pool.Server{}, pool.Options{}))
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, err := ping(t.Context(), u); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if got := u.Status().State; got != pool.Connecting {
			t.Errorf("state %v while dialling", got)
		}
		wg.Wait()
		if n := d.dials.Load(); n != 1 {
			t.Errorf("%d dials", n)
		}
	})
}

func TestWaiterLeavesOnItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{dial: func(context.Context) error { time.Sleep(10 * time.Second); return nil }}
		u := shared(t, newPool(t, d, &pool.Server{}, pool.Options{}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := ping(ctx, u)
		var where *pool.CallError
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &where) || where.Delivery != transport.NotSent {
			t.Errorf("got %v", err)
		}
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("left after %v", waited)
		}
		// The attempt went on without it.
		if _, err := ping(t.Context(), u); err != nil || d.dials.Load() != 1 {
			t.Errorf("%v after %d dials", err, d.dials.Load())
		}
	})
}

func TestAttemptIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{dial: func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }}
		u := shared(t, newPool(t, d, &pool.Server{}, pool.Options{ConnectTimeout: 3 * time.Second}))
		began := time.Now()
		_, err := ping(t.Context(), u)
		var failed *pool.ConnectError
		if !errors.As(err, &failed) || time.Since(began) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{dial: func(context.Context) error { return errRefused }}
		u := shared(t, newPool(t, d, &pool.Server{}, pool.Options{}))
		end := time.Now().Add(5 * time.Minute)
		for time.Now().Before(end) {
			_, err := ping(t.Context(), u)
			var failed *pool.ConnectError
			if !errors.As(err, &failed) || !errors.Is(err, errRefused) {
				t.Fatalf("got %v", err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		// The waits grow to a minute, of which half is spent on average.
		if n := d.dials.Load(); n < 5 || n > 60 {
			t.Errorf("%d dials in five minutes", n)
		}
		st := u.Status()
		if st.State != pool.TransientFailure || st.LastFailure == nil || !errors.Is(st.LastFailure.Err, errRefused) {
			t.Errorf("status %+v", st)
		}
		d.dial = nil
		time.Sleep(time.Minute)
		if _, err := ping(t.Context(), u); err != nil || u.Status().State != pool.Ready {
			t.Errorf("after recovery: %v, %+v", err, u.Status())
		}
	})
}

func TestIdleEviction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{}
		p := newPool(t, d, &pool.Server{IdleTimeout: time.Minute}, pool.Options{})
		ctx, stop := context.WithCancel(t.Context())
		go p.Run(ctx)
		first, err := ping(t.Context(), shared(t, p))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Second)
		if again, err := ping(t.Context(), shared(t, p)); err != nil || again.Generation != first.Generation {
			t.Fatalf("used within its time: %v, generation %d", err, again.Generation)
		}
		time.Sleep(62 * time.Second)
		if d.open.Load() != 0 {
			t.Error("still open")
		}
		if again, err := ping(t.Context(), shared(t, p)); err != nil || again.Generation <= first.Generation {
			t.Errorf("opened anew: %v, generation %d", err, again.Generation)
		}
		stop()
	})
}

// lostOnce fails the first call on each of the first n transports.
func lostOnce(n int, kind transport.Kind, d transport.Delivery) func(context.Context, *fakeTransport, *transport.Request) (*transport.Response, error) {
	return func(_ context.Context, f *fakeTransport, _ *transport.Request) (*transport.Response, error) {
		if n > 0 {
			n--
			err := &transport.Error{Kind: kind, Delivery: d}
			f.die(err)
			return nil, err
		}
		return &transport.Response{Result: []byte(`{}`)}, nil
	}
}

func TestRepeat(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		lost     int
		kind     transport.Kind
		delivery transport.Delivery
		call     func(context.Context, pool.Target) (pool.Outcome, error)
		ok, anew bool
	}{
		"tool, session lost":             {lost: 1, kind: transport.KindSessionLost, delivery: transport.NotSent, call: callTool, ok: true, anew: true},
		"tool, session lost twice":       {lost: 2, kind: transport.KindSessionLost, delivery: transport.NotSent, call: callTool, anew: true},
		"tool, crash before the write":   {lost: 1, kind: transport.KindExited, delivery: transport.NotSent, call: callTool, ok: true, anew: true},
		"tool, crash after the write":    {lost: 1, kind: transport.KindExited, delivery: transport.Unknown, call: callTool},
		"read, crash after the write":    {lost: 1, kind: transport.KindExited, delivery: transport.Unknown, call: ping, ok: true, anew: true},
		"read, connection lost":          {lost: 1, kind: transport.KindLost, delivery: transport.Unknown, call: ping, ok: true, anew: true},
		"tool, connection lost":          {lost: 1, kind: transport.KindLost, delivery: transport.Unknown, call: callTool},
		"read, something that is no MCP": {lost: 1, kind: transport.KindProtocol, delivery: transport.Unknown, call: ping},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &fakeDialer{}
			u := shared(t, newPool(t, d, &pool.Server{}, pool.Options{Backoff: pool.Backoff{Base: time.Nanosecond}}))
			if _, err := ping(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			d.call = lostOnce(tt.lost, tt.kind, tt.delivery)
			out, err := tt.call(t.Context(), u)
			if (err == nil) != tt.ok || out.Reinitialized != tt.anew {
				t.Errorf("got %+v, %v", out, err)
			}
			var where *pool.CallError
			if err != nil && (!errors.As(err, &where) || where.Delivery != tt.delivery) {
				t.Errorf("delivery of %v", err)
			}
		})
	}
}

// A tool that may run twice, and has run once: whatever becomes of the second
// attempt, nobody may be told that it was not sent.
func TestRepeatDoesNotForget(t *testing.T) {
	t.Parallel()
	d := &fakeDialer{}
	u := shared(t, newPool(t, d, &pool.Server{}, pool.Options{Backoff: pool.Backoff{Base: time.Nanosecond}}))
	if _, err := ping(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	lose := lostOnce(1, transport.KindExited, transport.Unknown)
	d.call = func(ctx context.Context, f *fakeTransport, req *transport.Request) (*transport.Response, error) {
		d.dial = func(context.Context) error { return errRefused }
		return lose(ctx, f, req)
	}
	_, err := ping(t.Context(), u)
	var where *pool.CallError
	if !errors.As(err, &where) || where.Delivery != transport.Unknown || where.Attempt != 2 {
		t.Errorf("got %+v", where)
	}
}

// What one call finds out must not end what another has under way.
func TestLostSessionLetsCallsFinish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := true
		d := &fakeDialer{}
		d.call = func(_ context.Context, f *fakeTransport, req *transport.Request) (*transport.Response, error) {
			switch {
			case req.Method == "tools/call":
				select {
				case <-time.After(time.Minute):
				case <-f.closed:
					return nil, &transport.Error{Kind: transport.KindClosed, Delivery: transport.Unknown}
				}
			case first:
				first = false
				err := &transport.Error{Kind: transport.KindSessionLost, Delivery: transport.NotSent}
				f.die(err)
				return nil, err
			}
			return &transport.Response{Result: []byte(`{}`)}, nil
		}
		u := shared(t, newPool(t, d, &pool.Server{}, pool.Options{}))
		ended := make(chan error, 1)
		go func() { _, err := callTool(t.Context(), u); ended <- err }()
		synctest.Wait()
		if _, err := ping(t.Context(), u); err != nil && !errors.As(err, new(*pool.CallError)) {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Errorf("the call under way: %v", err)
		}
		synctest.Wait()
		if n := d.open.Load(); n > 1 {
			t.Errorf("%d transports open", n)
		}
	})
}

// Nobody waits any more for an attempt that its only owner has given up.
func TestClosingEndsTheAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{dial: func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }}
		p := newPool(t, d, &pool.Server{}, pool.Options{})
		server, err := p.Server("s")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := p.Open(ctx, pool.OpenParams{Server: server}); err == nil {
			t.Error("opened")
		}
		if err := p.Close(t.Context()); err != nil || time.Since(began) != time.Second {
			t.Errorf("closed after %v: %v", time.Since(began), err)
		}
	})
}

func TestCrashLoopBacksOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{call: lostOnce(1<<30, transport.KindExited, transport.Unknown)}
		u := shared(t, newPool(t, d, &pool.Server{}, pool.Options{}))
		for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if _, err := callTool(t.Context(), u); err == nil {
				t.Fatal("a call on a server that always dies")
			}
		}
		if n := d.dials.Load(); n > 60 {
			t.Errorf("started %d times in five minutes", n)
		}
	})
}

func TestCallerSessions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{}
		p := newPool(t, d, &pool.Server{}, pool.Options{MaxSessions: 2, SessionIdle: time.Minute})
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go p.Run(ctx)
		server, err := p.Server("s")
		if err != nil {
			t.Fatal(err)
		}
		open := func(principal string) *pool.Session {
			s, err := p.Open(t.Context(), pool.OpenParams{Server: server, Principal: principal})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		a, b := open("a"), open("b")
		if d.dials.Load() != 2 {
			t.Errorf("%d dials for two sessions", d.dials.Load())
		}
		var quota *pool.QuotaError
		if _, err := p.Open(t.Context(), pool.OpenParams{Server: server}); !errors.As(err, &quota) {
			t.Errorf("a third session: %v", err)
		}
		var missing *pool.NotFoundError
		if _, err := p.Session("b", a.ID); !errors.As(err, &missing) || missing.Expired {
			t.Errorf("another's session: %v", err)
		}
		time.Sleep(50 * time.Second)
		if _, err := ping(t.Context(), a); err != nil {
			t.Error(err)
		}
		time.Sleep(20 * time.Second)
		if got := p.Sessions("a"); len(got) != 1 || got[0] != a {
			t.Errorf("sessions %v", got)
		}
		if _, err := p.Session("b", b.ID); !errors.As(err, &missing) || !missing.Expired {
			t.Errorf("an expired session: %v", err)
		}
		if _, err := p.Session("a", b.ID); !errors.As(err, &missing) || missing.Expired {
			t.Errorf("another's expired session: %v", err)
		}
		if err := p.CloseSession("a", a.ID); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if d.open.Load() != 0 {
			t.Errorf("%d still open", d.open.Load())
		}
		if _, err := ping(t.Context(), a); err == nil {
			t.Error("a call on a closed session")
		}
	})
}

// A legacy server keeps state behind a session, which its owner alone may give
// up.
func TestOwnedStateIsNotSilentlyLost(t *testing.T) {
	t.Parallel()
	for name, modern := range map[string]bool{"legacy": false, "modern": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &fakeDialer{modern: modern}
			p := newPool(t, d, &pool.Server{}, pool.Options{})
			server, err := p.Server("s")
			if err != nil {
				t.Fatal(err)
			}
			s, err := p.Open(t.Context(), pool.OpenParams{Server: server})
			if err != nil {
				t.Fatal(err)
			}
			d.call = lostOnce(1, transport.KindSessionLost, transport.NotSent)
			for range 2 {
				_, err = callTool(t.Context(), s)
				var lost *pool.StateLostError
				if errors.As(err, &lost) == modern {
					t.Errorf("got %v", err)
				}
			}
		})
	}
}

func TestStateful(t *testing.T) {
	t.Parallel()
	p := newPool(t, &fakeDialer{}, &pool.Server{Stateful: true}, pool.Options{})
	var stateful *pool.StatefulError
	if _, err := p.Shared("s", ""); !errors.As(err, &stateful) {
		t.Errorf("got %v", err)
	}
	server, err := p.Server("s")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Open(t.Context(), pool.OpenParams{Server: server, Lease: true}); !errors.As(err, &stateful) {
		t.Errorf("a lease: %v", err)
	}
}

// Calls under way when the pool is closed end, and later ones are refused.
func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{call: func(ctx context.Context, f *fakeTransport, _ *transport.Request) (*transport.Response, error) {
			select {
			case <-f.done:
				return nil, &transport.Error{Kind: transport.KindClosed, Delivery: transport.Unknown}
			case <-ctx.Done():
				return nil, &transport.Error{Kind: transport.KindCanceled, Delivery: transport.Unknown, Err: ctx.Err()}
			}
		}}
		p := newPool(t, d, &pool.Server{}, pool.Options{})
		u := shared(t, p)
		ended := make(chan error, 1)
		go func() { _, err := callTool(t.Context(), u); ended <- err }()
		synctest.Wait()
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		var where *pool.CallError
		if err := <-ended; !errors.As(err, &where) || where.Delivery != transport.Unknown {
			t.Errorf("the call under way: %v", err)
		}
		if _, err := callTool(t.Context(), u); !errors.Is(err, pool.ErrClosed) {
			t.Errorf("a later call: %v", err)
		}
		if _, err := p.Shared("s", ""); !errors.Is(err, pool.ErrClosed) {
			t.Errorf("a later target: %v", err)
		}
	})
}

// Close waits for what does not want to close, for as long as it is told to.
func TestCloseCuts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{stubborn: true}
		p := newPool(t, d, &pool.Server{}, pool.Options{CloseTimeout: time.Hour})
		if _, err := ping(t.Context(), shared(t, p)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 5*time.Second || d.open.Load() != 0 {
			t.Errorf("after %v %d transports are open", took, d.open.Load())
		}
	})
}
