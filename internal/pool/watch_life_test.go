package pool_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// A session that is not watched holds no goroutine; one that is, one: that of its
// way in. The keeper's leaves.
func TestIdleGoroutines(t *testing.T) { //nolint:paralleltest // it counts goroutines
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything}
		p := newPool(t, d, &pool.Server{}, pool.Options{})
		none := inBubble()
		s := open(t, p, pool.OpenParams{})
		if n := inBubble() - none; n != 0 {
			t.Errorf("%d goroutines of an idle session", n)
		}
		w := watch(t, s)
		if n := inBubble() - none; n > 1 {
			t.Errorf("%d goroutines of a session that is watched", n)
		}
		if err := s.Subscribe(t.Context(), "x://a"); err != nil {
			t.Error(err)
		}
		w.Close()
		if n := inBubble() - none; n > 1 {
			t.Errorf("%d goroutines of a session that subscribes", n)
		}
		if err := s.Unsubscribe(t.Context(), "x://a"); err != nil {
			t.Error(err)
		}
		if n := inBubble() - none; n != 0 {
			t.Errorf("%d goroutines are left", n)
		}
	})
}

func TestWatchingIsUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything}
		p := newPool(t, d, &pool.Server{IdleTimeout: time.Minute}, pool.Options{SessionIdle: time.Minute})
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go p.Run(ctx)
		s, u := open(t, p, pool.OpenParams{}), shared(t, p)
		a, b := watch(t, s), watch(t, u)
		time.Sleep(time.Hour)
		if got := heard(t, a) + heard(t, b); got != "" || d.open.Load() != 2 {
			t.Errorf("heard %q with %d open", got, d.open.Load())
		}
		a.Close()
		a.Close()
		b.Close()
		if _, err := a.Next(t.Context()); err == nil {
			t.Error("an event after Close")
		}
		time.Sleep(2 * time.Minute)
		if len(p.Sessions("")) != 0 || d.open.Load() != 0 {
			t.Errorf("%d sessions, %d open", len(p.Sessions("")), d.open.Load())
		}
	})
}

func TestWatchersEnd(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		end  func(p *pool.Pool, s *pool.Session)
		want string
	}{
		"drain":      {func(p *pool.Pool, _ *pool.Session) { p.Drain() }, "own *errors.errorString"},
		"close":      {func(p *pool.Pool, _ *pool.Session) { _ = p.Close(context.Background()) }, "own SHUTDOWN *errors.errorString"},
		"disconnect": {func(p *pool.Pool, s *pool.Session) { _ = p.CloseSession("", s.ID) }, "own SHUTDOWN *pool.NotFoundError"},
	}
	for name, tt := range tests {
		for lease, own := range map[bool]string{true: "lease", false: "own"} {
			t.Run(name+" "+own, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					d := &fakeDialer{declares: everything}
					p := newPool(t, d, &pool.Server{}, pool.Options{})
					s := open(t, p, pool.OpenParams{Lease: lease})
					w := watch(t, s)
					s.Publish("own", 1)
					tt.end(p, s)
					want := tt.want
					if name == "disconnect" && lease {
						want = "own *pool.NotFoundError"
					}
					if got := heard(t, w); got != want {
						t.Errorf("heard %q", got)
					}
					if _, err := s.Watch(t.Context(), nil); err == nil {
						t.Error("watched anew")
					}
				})
			})
		}
	}
}

// A session that ends while it is being connected for a watcher has none.
func TestDisconnectWhileWatching(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything, dial: func(context.Context) error { time.Sleep(time.Second); return nil }}
		p := newPool(t, d, &pool.Server{}, pool.Options{Backoff: pool.Backoff{Base: time.Nanosecond}})
		s := open(t, p, pool.OpenParams{Lease: true})
		d.transport().die(errLost)
		synctest.Wait()
		ended := make(chan error, 1)
		go func() { _, err := s.Watch(t.Context(), nil); ended <- err }()
		synctest.Wait()
		if err := p.CloseSession("", s.ID); err != nil {
			t.Fatal(err)
		}
		var missing *pool.NotFoundError
		if err := <-ended; !errors.As(err, &missing) {
			t.Errorf("got %v", err)
		}
	})
}

// Calls go on while the bridge drains.
func TestDrain(t *testing.T) {
	t.Parallel()
	d := &fakeDialer{declares: everything}
	p := newPool(t, d, &pool.Server{}, pool.Options{})
	p.Drain()
	if _, err := ping(t.Context(), shared(t, p)); err != nil {
		t.Error(err)
	}
	if _, err := shared(t, p).Watch(t.Context(), nil); !errors.Is(err, pool.ErrClosed) {
		t.Errorf("watched: %v", err)
	}
}

type consentError struct{}

func (consentError) Error() string            { return "consent is needed" }
func (consentError) NeedsAuthorization() bool { return true }

// What only a person can mend is neither retried by itself nor held back.
func TestNeedsAuthorization(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything}
		p := newPool(t, d, &pool.Server{}, pool.Options{})
		u := shared(t, p)
		w := watch(t, u)
		if _, err := ping(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		d.setDown(consentError{})
		d.transport().die(errLost)
		time.Sleep(time.Hour)
		if got := heard(t, w); got != "IDLE CONNECTING NEEDS_AUTHORIZATION consent" {
			t.Errorf("heard %q", got)
		}
		if _, err := ping(t.Context(), u); !errors.As(err, new(consentError)) || d.dials.Load() != 3 {
			t.Errorf("a call: %v after %d dials", err, d.dials.Load())
		}
		d.setDown(nil)
		if _, err := ping(t.Context(), u); err != nil {
			t.Error(err)
		}
		got := heard(t, w)
		if !strings.HasPrefix(got, "CONNECTING NEEDS_AUTHORIZATION consent CONNECTING READY assumed:") {
			t.Errorf("heard %q", got)
		}
	})
}

// A server that dies whenever it is listened to is not started in a loop.
func TestListeningKills(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything}
		p := newPool(t, d, &pool.Server{}, pool.Options{Backoff: pool.Backoff{Base: time.Second}})
		w := watch(t, shared(t, p))
		ctx, spare := context.WithTimeout(t.Context(), time.Minute)
		defer spare()
		for ctx.Err() == nil {
			if d.listening.Load() > 0 {
				d.transport().die(errLost)
			}
			time.Sleep(time.Millisecond)
		}
		if n := d.dials.Load(); n < 3 || n > 60 {
			t.Errorf("%d dials in a minute", n)
		}
		time.Sleep(time.Hour)
		before := d.dials.Load()
		d.transport().die(errLost)
		if synctest.Wait(); d.dials.Load() != before+1 {
			t.Error("one that has lasted was not opened again at once")
		}
		w.Close()
	})
}

// Who watches is told when consent is wanted, unless principals share.
func TestConsentIsTold(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		shared bool
		want   string
	}{
		"one principal's": {want: "consent consent"},
		"shared":          {shared: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &fakeDialer{declares: everything}
				p := newPool(t, d, &pool.Server{Shared: tt.shared}, pool.Options{})
				u := shared(t, p)
				w := watch(t, u)
				for range 2 {
					_, err := u.Do(t.Context(), true, func(context.Context, *pool.Live) error { return consentError{} })
					if !errors.As(err, new(consentError)) {
						t.Error(err)
					}
				}
				if got := heard(t, w); got != tt.want {
					t.Errorf("heard %q, want %q", got, tt.want)
				}
				d.setDown(consentError{})
				d.transport().die(errors.New("gone"))
				_, _ = u.Do(t.Context(), true, func(context.Context, *pool.Live) error { return nil })
				if got := heard(t, w); strings.Contains(got, "consent") == tt.shared || !strings.Contains(got, "NEEDS_AUTHORIZATION") {
					t.Errorf("after the loss heard %q", got)
				}
			})
		})
	}
}
