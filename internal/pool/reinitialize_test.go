package pool_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// What a legacy server has kept for a session is lost with it.
func TestReinitialized(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		modern bool
		kind   transport.Kind
		want   bool
	}{
		"a legacy session is lost":          {kind: transport.KindSessionLost, want: true},
		"a modern server's connection lost": {modern: true, kind: transport.KindExited},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &fakeDialer{modern: tt.modern}
				u := shared(t, newPool(t, d, &pool.Server{MaxUpstreams: 3, WarmUpstreams: 2}, pool.Options{}))
				if _, err := callTool(t.Context(), u); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				failed := false
				d.call = func(_ context.Context, f *fakeTransport, _ *transport.Request) (*transport.Response, error) {
					if failed {
						return &transport.Response{Result: []byte(`{}`)}, nil
					}
					failed = true
					err := &transport.Error{Kind: tt.kind}
					f.die(err)
					return nil, err
				}
				out, err := u.Do(t.Context(), true, func(ctx context.Context, live *pool.Live) error {
					_, err := live.Call(ctx, toolX())
					return err
				})
				if err != nil || !failed || out.Reinitialized != tt.want {
					t.Errorf("%+v, %v", out, err)
				}
			})
		})
	}
}

// A call that goes on elsewhere after another failure has lost nothing.
func TestNotReinitialized(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := new(slowTools)
		d := &fakeDialer{call: slow.call}
		u := shared(t, newPool(t, d, &pool.Server{MaxUpstreams: 2, WarmUpstreams: 1}, pool.Options{}))
		var calls sync.WaitGroup
		begin(t, &calls, u)
		refused := false
		d.call = func(context.Context, *fakeTransport, *transport.Request) (*transport.Response, error) {
			if refused {
				return &transport.Response{Result: []byte(`{}`)}, nil
			}
			refused = true
			calls.Wait() // then the other session has nothing to do either
			return nil, &transport.Error{Kind: transport.KindStatus, Status: 503, Delivery: transport.Unknown}
		}
		before := u.Status().Generation
		out, err := ping(t.Context(), u)
		if err != nil || !refused || out.Generation != before || out.Reinitialized {
			t.Errorf("%+v after %d, %v", out, before, err)
		}
	})
}

// A stateful server's session is not opened anew, not even a modern one.
func TestStatefulIsNotReopened(t *testing.T) {
	t.Parallel()
	for name, modern := range map[string]bool{"legacy": false, "modern": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &fakeDialer{modern: modern}
			p := newPool(t, d, &pool.Server{Stateful: true, MaxUpstreams: 3}, pool.Options{})
			s, err := p.Open(t.Context(), pool.OpenParams{Server: server(t, p)})
			if err != nil {
				t.Fatal(err)
			}
			d.call = lostOnce(1, transport.KindSessionLost, transport.NotSent)
			for range 2 {
				out, err := callTool(t.Context(), s)
				if !errors.As(err, new(*pool.StateLostError)) || out.Reinitialized {
					t.Errorf("%+v, %v", out, err)
				}
			}
			if n := d.dials.Load(); n != 1 {
				t.Errorf("%d dials", n)
			}
		})
	}
}
