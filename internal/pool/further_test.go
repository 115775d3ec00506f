package pool_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// busy is how long a slow tool takes.
const busy = time.Minute

// slowTools makes tools take their time, and counts how many run at a time on
// each transport, and on all.
type slowTools struct {
	mu      sync.Mutex
	running map[*fakeTransport]int
}

func (s *slowTools) call(ctx context.Context, f *fakeTransport, req *transport.Request) (*transport.Response, error) {
	if req.Method == "tools/call" {
		s.add(f, 1)
		defer s.add(f, -1)
		select {
		case <-time.After(busy):
		case <-f.closed:
			return nil, &transport.Error{Kind: transport.KindClosed, Delivery: transport.Unknown}
		case <-ctx.Done():
			return nil, &transport.Error{Kind: transport.KindCanceled, Delivery: transport.Unknown, Err: context.Cause(ctx)}
		}
	}
	return &transport.Response{Result: []byte(`{}`)}, nil
}

func (s *slowTools) add(f *fakeTransport, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		s.running = make(map[*fakeTransport]int)
	}
	s.running[f] += n
}

// spread returns how many transports have calls, and the most that one has.
func (s *slowTools) spread() (transports, most int) {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.running {
		if n > 0 {
			transports++
		}
		most = max(most, n)
	}
	return transports, most
}

// slowPool returns a pool of the one server s, whose tools are slow.
func slowPool(t *testing.T, d *fakeDialer, s *pool.Server) (*slowTools, *pool.Pool) {
	t.Helper()
	slow := new(slowTools)
	d.call = slow.call
	return slow, newPool(t, d, s, pool.Options{})
}

// begin begins a slow call, and waits until it runs.
func begin(t *testing.T, wg *sync.WaitGroup, target pool.Target) {
	t.Helper()
	wg.Go(func() {
		if _, err := callTool(t.Context(), target); err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
}

func TestFurtherUpstreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{dial: func(context.Context) error { time.Sleep(time.Second); return nil }}
		slow, p := slowPool(t, d, &pool.Server{MaxUpstreams: 3, IdleTimeout: 10 * time.Minute})
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go p.Run(ctx)
		u := shared(t, p)
		if _, err := ping(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		var calls sync.WaitGroup
		for range 2 {
			begin(t, &calls, u)
		}
		// The second call did not wait for the further one that it had opened.
		if transports, most := slow.spread(); transports != 1 || most != 2 {
			t.Errorf("%d transports, %d on one", transports, most)
		}
		time.Sleep(2 * time.Second)
		for range 7 {
			begin(t, &calls, u)
			time.Sleep(2 * time.Second)
		}
		if transports, most := slow.spread(); transports != 3 || most != 3 || d.dials.Load() != 3 {
			t.Errorf("%d transports, %d on one, %d dials", transports, most, d.dials.Load())
		}
		if _, _, open := p.ServerStatus(u.Server(), ""); open != 3 {
			t.Errorf("%d shown", open)
		}
		calls.Wait()
		for range 20 { // the first one stays in use
			time.Sleep(time.Minute)
			if _, err := ping(t.Context(), u); err != nil {
				t.Fatal(err)
			}
		}
		if n := d.open.Load(); n != 1 || d.dials.Load() != 3 {
			t.Errorf("%d are left", n)
		}
		time.Sleep(20 * time.Minute)
		if n := d.open.Load(); n != 0 {
			t.Errorf("%d are left at last", n)
		}
	})
}

func TestWarmUpstreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := new(fakeDialer)
		slow, p := slowPool(t, d, &pool.Server{MaxUpstreams: 4, WarmUpstreams: 2})
		u := shared(t, p)
		var calls sync.WaitGroup
		for _, want := range []int64{3, 4, 4, 4} {
			begin(t, &calls, u)
			if n := d.open.Load(); n != want {
				t.Errorf("%d open, want %d", n, want)
			}
		}
		if transports, most := slow.spread(); transports != 4 || most != 1 {
			t.Errorf("%d transports, %d on one", transports, most)
		}
		calls.Wait()
	})
}

// A server that cannot be started twice is used as it is.
func TestFurtherUpstreamFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := new(fakeDialer)
		_, p := slowPool(t, d, &pool.Server{MaxUpstreams: 2})
		u := shared(t, p)
		if _, err := ping(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		d.setDown(errRefused)
		var calls sync.WaitGroup
		for range 100 {
			begin(t, &calls, u)
			time.Sleep(10 * time.Millisecond)
		}
		if n := d.dials.Load(); n < 2 || n > 4 {
			t.Errorf("%d dials", n)
		}
		calls.Wait()
	})
}

// There may be state behind a legacy session, also behind a shared one.
func TestLeaseStaysOnOne(t *testing.T) {
	t.Parallel()
	for name, modern := range map[string]bool{"legacy": false, "modern": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				slow, p := slowPool(t, &fakeDialer{modern: modern}, &pool.Server{MaxUpstreams: 3, WarmUpstreams: 2})
				s, err := p.Open(t.Context(), pool.OpenParams{Server: server(t, p), Lease: true})
				if err != nil {
					t.Fatal(err)
				}
				var calls sync.WaitGroup
				for range 3 {
					begin(t, &calls, s)
				}
				want := 1
				if modern {
					want = 3
				}
				if transports, _ := slow.spread(); transports != want {
					t.Errorf("%d transports", transports)
				}
				calls.Wait()
			})
		})
	}
}

func TestOnGeneration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, p := slowPool(t, new(fakeDialer), &pool.Server{MaxUpstreams: 2, WarmUpstreams: 1})
		u := shared(t, p)
		first, err := ping(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		var calls sync.WaitGroup
		begin(t, &calls, u)
		other, err := ping(t.Context(), u)
		if err != nil || other.Generation == first.Generation {
			t.Fatalf("%+v, %v", other, err)
		}
		for _, want := range []int64{first.Generation, other.Generation} {
			if out, err := ping(pool.OnGeneration(t.Context(), want), u); err != nil || out.Generation != want {
				t.Errorf("%+v, %v, want generation %d", out, err, want)
			}
		}
		calls.Wait()
	})
}

// A legacy server knows a task only in the session that has begun it.
func TestOnTask(t *testing.T) {
	t.Parallel()
	for name, modern := range map[string]bool{"legacy": false, "modern": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, p := slowPool(t, &fakeDialer{modern: modern}, &pool.Server{MaxUpstreams: 2, WarmUpstreams: 1})
				u := shared(t, p)
				var calls sync.WaitGroup
				start := func(task string) int64 {
					t.Helper()
					out, err := u.Do(t.Context(), true, func(_ context.Context, live *pool.Live) error {
						live.Follow(task)
						return nil
					})
					if err != nil {
						t.Fatal(err)
					}
					return out.Generation
				}
				first := start("one")
				begin(t, &calls, u) // which keeps the first session busy
				other := start("two")
				if first == other {
					t.Fatal("both tasks are in one session")
				}
				for task, want := range map[string]int64{"one": first, "two": other, "unknown": other} {
					if modern { // it knows its tasks in any
						want = other
					}
					if out, err := ping(pool.OnTask(t.Context(), task), u); err != nil || out.Generation != want {
						t.Errorf("%s: %+v, %v, want generation %d", task, out, err, want)
					}
				}
				calls.Wait()
			})
		})
	}
}

// Of what is the same on all sessions, the first one tells; when it is lost,
// another one does.
func TestFirstIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything}
		u := shared(t, newPool(t, d, &pool.Server{MaxUpstreams: 3, WarmUpstreams: 2}, pool.Options{}))
		w := watch(t, u, "x://1")
		synctest.Wait()
		first, second := d.transports()[0], d.transports()[1]
		heard(t, w)
		for _, f := range []*fakeTransport{first, second} {
			f.tell("notifications/tools/list_changed", `{}`)
			f.tell("notifications/resources/updated", `{"uri":"x://1"}`)
			f.tell("notifications/message", `{"level":"error"}`)
		}
		if got := heard(t, w); got != "tools updated log log" {
			t.Errorf("heard %q", got)
		}
		before := u.Status()
		first.die(errLost)
		out, err := ping(t.Context(), u)
		if err != nil || out.Generation == before.Generation || out.Reinitialized || u.Status().State != pool.Ready {
			t.Errorf("%+v, %v", out, err)
		}
		if got := heard(t, w); !strings.HasPrefix(got, "READY") || strings.Contains(got, "IDLE") || !strings.Contains(got, "assumed:x://1") {
			t.Errorf("heard %q", got)
		}
		second.tell("notifications/tools/list_changed", `{}`)
		if got := heard(t, w); got != "tools" {
			t.Errorf("heard %q from the second", got)
		}
	})
}
