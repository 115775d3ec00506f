package pool_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// A lockTester is a log that needs the pool, as one that blocks would keep it
// from others.
type lockTester struct {
	slog.Handler
	pool  *pool.Pool
	wrote atomic.Int64
}

func (l *lockTester) Enabled(context.Context, slog.Level) bool { return true }

func (l *lockTester) Handle(context.Context, slog.Record) error {
	l.wrote.Add(1)
	l.pool.Sessions("")
	return nil
}

// Nobody has to wait for the pool while it logs.
func TestLogOutsideOfLock(t *testing.T) {
	t.Parallel()
	idle := 5 * time.Minute
	for name, do := range map[string]func(t *testing.T, p *pool.Pool, d *fakeDialer){
		"a session is closed": func(t *testing.T, p *pool.Pool, _ *fakeDialer) {
			if err := p.CloseSession("", open(t, p, pool.OpenParams{}).ID); err != nil {
				t.Error(err)
			}
		},
		"a session expires": func(t *testing.T, p *pool.Pool, _ *fakeDialer) {
			open(t, p, pool.OpenParams{IdleTimeout: idle})
			time.Sleep(idle + 2*time.Second)
		},
		"an upstream is idle": func(t *testing.T, p *pool.Pool, _ *fakeDialer) {
			if _, err := ping(t.Context(), shared(t, p)); err != nil {
				t.Error(err)
			}
			time.Sleep(2*idle + 2*time.Second)
		},
		"a loss is seen": func(t *testing.T, p *pool.Pool, d *fakeDialer) {
			if _, err := ping(t.Context(), shared(t, p)); err != nil {
				t.Error(err)
			}
			d.transport().die(errRefused)
			p.ServerStatus(server(t, p), "")
		},
		"a call gives back": func(t *testing.T, p *pool.Pool, d *fakeDialer) {
			d.setDown(errRefused)
			if _, _, err := p.CheckOut(t.Context(), "s", "", mcp.Capabilities{Roots: true}); !errors.Is(err, errRefused) {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d, log := new(fakeDialer), new(lockTester)
				p := newPool(t, d, &pool.Server{}, pool.Options{Logger: slog.New(log)})
				log.pool = p
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { defer close(ended); p.Run(ctx) }()
				do(t, p, d)
				synctest.Wait()
				cancel()
				<-ended
				if n := log.wrote.Load(); n < 3 {
					t.Errorf("wrote %d lines", n)
				}
			})
		})
	}
}
