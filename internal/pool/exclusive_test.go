package pool_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

var forms = mcp.Capabilities{ElicitationForm: true}

// checkOut checks out an upstream and makes a call on it.
func checkOut(t *testing.T, p *pool.Pool, principal string, c mcp.Capabilities) (generation int64, target pool.Target, release func()) {
	t.Helper()
	target, release, err := p.CheckOut(t.Context(), "s", principal, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	out, err := callTool(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	return out.Generation, target, release
}

func TestCheckOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything}
		p := newPool(t, d, &pool.Server{Shared: true, IdleTimeout: time.Minute}, pool.Options{})
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go p.Run(ctx)
		first, _, release := checkOut(t, p, "a", forms)
		if d.dials.Load() != 1 {
			t.Errorf("%d dials", d.dials.Load())
		}
		second, _, releaseSecond := checkOut(t, p, "a", forms)
		if first == second {
			t.Error("two calls share an upstream")
		}
		release()
		release()
		if again, _, done := checkOut(t, p, "a", forms); again != first {
			t.Error("a free upstream is not used again")
		} else {
			if other, _, doneToo := checkOut(t, p, "a", forms); other == again {
				t.Error("one that is checked out is checked out again")
			} else {
				doneToo()
			}
			done()
		}
		if other, _, done := checkOut(t, p, "b", forms); other == first {
			t.Error("principals share an upstream")
		} else {
			done()
		}
		if other, _, done := checkOut(t, p, "a", mcp.Capabilities{Sampling: true}); other == first {
			t.Error("an upstream serves for other capabilities")
		} else {
			done()
		}
		time.Sleep(time.Hour)
		if n := d.open.Load(); n != 1 {
			t.Errorf("%d open while one is checked out", n)
		}
		releaseSecond()
		if again, _, _ := checkOut(t, p, "a", forms); again != second {
			t.Error("it was lost meanwhile")
		}
	})
}

func TestCheckOutKeepsFew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything}
		p := newPool(t, d, &pool.Server{}, pool.Options{})
		var releases []func()
		for range 10 {
			_, _, release := checkOut(t, p, "a", forms)
			releases = append(releases, release)
		}
		for _, release := range releases {
			release()
		}
		synctest.Wait()
		if n := d.open.Load(); n != 4 {
			t.Errorf("%d kept", n)
		}
	})
}

// A modern server is told with each call who answers.
func TestCheckOutModern(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{modern: true}
		p := newPool(t, d, &pool.Server{}, pool.Options{})
		for range 2 {
			_, target, release := checkOut(t, p, "", forms)
			if target != pool.Target(shared(t, p)) {
				t.Error("it is not the one that calls share")
			}
			release()
		}
		synctest.Wait()
		if n := d.open.Load(); n != 1 {
			t.Errorf("%d open", n)
		}
	})
}

func TestCheckOutFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{}
		d.setDown(errRefused)
		p := newPool(t, d, &pool.Server{}, pool.Options{})
		if _, _, err := p.CheckOut(t.Context(), "s", "", forms); !errors.Is(err, errRefused) {
			t.Errorf("got %v", err)
		}
		if _, _, err := p.CheckOut(t.Context(), "none", "", forms); !errors.As(err, new(*pool.NotFoundError)) {
			t.Errorf("got %v", err)
		}
		stateful := newPool(t, d, &pool.Server{Stateful: true}, pool.Options{})
		if _, _, err := stateful.CheckOut(t.Context(), "s", "", forms); !errors.As(err, new(*pool.StatefulError)) {
			t.Errorf("got %v", err)
		}
	})
}
