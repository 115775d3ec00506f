package pool_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/pool"
)

func TestMaxSessionAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := new(slowTools)
		d := &fakeDialer{declares: everything, call: slow.call}
		p := newPool(t, d, &pool.Server{MaxSessionAge: 10 * time.Minute}, quick())
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go p.Run(ctx)
		u := shared(t, p)
		w := watch(t, u, "x://1")
		first, err := ping(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(8 * time.Minute)
		if again, err := ping(t.Context(), u); err != nil || again.Generation != first.Generation {
			t.Errorf("replaced early: %v", err)
		}
		d.setDown(errRefused)
		time.Sleep(5 * time.Minute)
		if again, err := ping(t.Context(), u); err != nil || again.Generation != first.Generation {
			t.Errorf("not kept until there is another: %+v, %v", again, err)
		}
		heard(t, w)
		d.takeAsked()
		var calls sync.WaitGroup
		begin(t, &calls, u)
		d.setDown(nil)
		time.Sleep(busy / 2)
		again, err := ping(t.Context(), u)
		if err != nil || again.Generation == first.Generation || again.Reinitialized {
			t.Errorf("not replaced: %+v, %v", again, err)
		}
		if got := heard(t, w); !strings.HasPrefix(got, "READY") || !strings.Contains(got, "assumed:x://1") {
			t.Errorf("heard %q", got)
		}
		if n := d.open.Load(); n != 2 {
			t.Errorf("%d open while a call goes on", n)
		}
		calls.Wait()
		synctest.Wait()
		if n := d.open.Load(); n != 1 {
			t.Errorf("%d open", n)
		}
		d.tell("notifications/resources/updated", `{"uri":"x://1"}`)
		if got := heard(t, w); got != "updated" {
			t.Errorf("heard %q of the new one", got)
		}
	})
}

// The successor of the first session tells of changes as that did.
func TestSuccessorTells(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything}
		p := newPool(t, d, &pool.Server{MaxSessionAge: time.Minute, MaxUpstreams: 2}, quick())
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go p.Run(ctx)
		w := watch(t, shared(t, p))
		time.Sleep(65 * time.Second)
		if n := d.dials.Load(); n != 2 {
			t.Errorf("%d dials", n)
		}
		heard(t, w)
		d.tell("notifications/tools/list_changed", `{}`)
		if got := heard(t, w); got != "tools" {
			t.Errorf("heard %q", got)
		}
	})
}

// What a caller owns is not replaced, whatever its age.
func TestMaxSessionAgeSparesState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{}
		p := newPool(t, d, &pool.Server{MaxSessionAge: time.Minute, HealthInterval: time.Second}, pool.Options{SessionIdle: 2 * time.Hour})
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go p.Run(ctx)
		s, err := p.Open(t.Context(), pool.OpenParams{Server: server(t, p)})
		if err != nil {
			t.Fatal(err)
		}
		_, _, release := checkOut(t, p, "", forms)
		time.Sleep(time.Hour)
		if n := d.dials.Load(); n != 2 {
			t.Errorf("%d dials", n)
		}
		release()
		if _, err := ping(t.Context(), s); err != nil {
			t.Error(err)
		}
	})
}
