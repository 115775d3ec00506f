package pool_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// TestSessionsOfOnePrincipal: a session counts until it is closed, by whatever,
// and not twice if it is closed twice.
func TestSessionsOfOnePrincipal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{}
		p := newPool(t, d, &pool.Server{}, pool.Options{MaxPrincipalSessions: 2, SessionIdle: time.Minute})
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go p.Run(ctx)
		server, err := p.Server("s")
		if err != nil {
			t.Fatal(err)
		}
		open := func(principal string) (*pool.Session, error) {
			return p.Open(t.Context(), pool.OpenParams{Server: server, Principal: principal})
		}
		fill := func(what string) (last *pool.Session) {
			t.Helper()
			for {
				s, err := open("a")
				var quota *pool.QuotaError
				if errors.As(err, &quota) && quota.Limit == "principal.sessions" {
					break
				}
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				last = s
			}
			if n := len(p.Sessions("a")); n != 2 {
				t.Fatalf("%s: %d sessions, want 2", what, n)
			}
			return last
		}
		last := fill("at first")
		if _, err := open("b"); err != nil {
			t.Errorf("another principal: %v", err)
		}
		var closing sync.WaitGroup
		for range 8 {
			closing.Go(func() { _ = p.CloseSession("a", last.ID) })
		}
		closing.Wait()
		fill("after it was closed")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := len(p.Sessions("a")); n != 0 {
			t.Fatalf("%d sessions have not expired", n)
		}
		fill("after they have expired")
	})
}
