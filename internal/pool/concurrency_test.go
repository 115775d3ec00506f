package pool_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// Many sessions watch, subscribe, set levels and come and go, while the server
// talks and dies. Whatever happens, what is left at the end is nothing.
func TestManyAtOnce(t *testing.T) { //nolint:paralleltest // it counts goroutines
	for name, modern := range map[string]bool{"legacy": false, "modern": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &fakeDialer{declares: everything, modern: modern}
				p := newPool(t, d, &pool.Server{}, pool.Options{Backoff: pool.Backoff{Base: time.Millisecond, Max: 10 * time.Millisecond}})
				none := inBubble()
				if _, err := ping(t.Context(), shared(t, p)); err != nil {
					t.Fatal(err)
				}
				var users, world sync.WaitGroup
				ctx, stop := context.WithCancel(t.Context())
				world.Go(func() { torment(ctx, d) })
				for i := range 20 {
					users.Go(func() {
						for range 10 {
							live(t, p, i%3 != 0, rand.New(rand.NewPCG(uint64(i), 1)))
						}
					})
				}
				users.Wait()
				stop()
				world.Wait()
				synctest.Wait()
				if n := inBubble() - none; n != 0 {
					t.Errorf("%d goroutines are left", n)
				}
				checkNothingWanted(t, p, d)
			})
		})
	}
}

// torment lets the server talk and die.
func torment(ctx context.Context, d *fakeDialer) {
	for i := 0; ctx.Err() == nil; i++ {
		d.tell("notifications/tools/list_changed", `{}`)
		d.tell("notifications/resources/updated", fmt.Sprintf(`{"uri":"x://%d"}`, i%5))
		d.tell("notifications/message", `{"level":"error"}`)
		if i%50 == 49 {
			d.transport().die(errLost)
		}
		time.Sleep(time.Millisecond)
	}
}

// live is the life of a session.
func live(t *testing.T, p *pool.Pool, lease bool, chance *rand.Rand) {
	s, err := p.Open(t.Context(), pool.OpenParams{Server: server(t, p), Lease: lease})
	if err != nil {
		return
	}
	defer func() {
		if err := p.CloseSession("", s.ID); err != nil {
			t.Error(err)
		}
	}()
	var reader sync.WaitGroup
	defer reader.Wait()
	for range 10 {
		uri := fmt.Sprintf("x://%d", chance.IntN(5))
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(chance.IntN(20))*time.Millisecond)
		switch chance.IntN(6) {
		case 0:
			_ = s.Subscribe(ctx, uri)
		case 1:
			_ = s.Unsubscribe(ctx, uri)
		case 2:
			_ = s.SetLevel(ctx, []string{"debug", "error"}[chance.IntN(2)])
		case 3:
			_, _ = ping(ctx, s)
		case 4:
			s.Publish("x", 1)
		default:
			if w, err := s.Watch(ctx, nil); err == nil {
				reader.Go(func() { readFor(t, w, 5*time.Millisecond) })
			}
		}
		cancel()
	}
}

// readFor reads for a while.
func readFor(t *testing.T, w *pool.Watcher, d time.Duration) {
	defer w.Close()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	for {
		if _, err := w.Next(ctx); err != nil {
			var lost *pool.StateLostError
			if !errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &lost) {
				t.Errorf("a watcher ended with %v", err)
			}
			return
		}
	}
}

// checkNothingWanted checks that a new watcher is the only one.
func checkNothingWanted(t *testing.T, p *pool.Pool, d *fakeDialer) {
	t.Helper()
	d.takeAsked()
	d.transport().die(errLost)
	if _, err := ping(t.Context(), shared(t, p)); err != nil {
		if _, err = ping(t.Context(), shared(t, p)); err != nil {
			t.Error(err)
		}
	}
	synctest.Wait()
	if asked := d.takeAsked(); len(asked) > 0 {
		t.Errorf("asked on a new session %q", asked)
	}
}
