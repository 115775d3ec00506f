package pool_test

import (
	"context"
	"errors"
	"testing"

	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// BenchmarkDo measures what the pool adds to a call: finding the upstream and
// using it, with calls at the same time that use it too.
func BenchmarkDo(b *testing.B) {
	p := newPool(b, new(fakeDialer), new(pool.Server), pool.Options{})
	if _, err := ping(b.Context(), shared(b, p)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			u, err := p.Shared("s", "")
			ran := false
			if err == nil {
				_, err = u.Do(b.Context(), false, func(context.Context, *pool.Live) error { ran = true; return nil })
			}
			if err != nil || !ran {
				b.Error(errors.Join(err, errors.New("the call did not run")))
				return
			}
		}
	})
}
