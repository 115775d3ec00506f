package pool_test

import (
	"context"
	"testing"

	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// What the pool adds to a call whose session is open already.
func BenchmarkDo(b *testing.B) {
	p := newPool(b, &fakeDialer{}, &pool.Server{}, pool.Options{})
	u := shared(b, p)
	nothing := func(context.Context, *pool.Live) error { return nil }
	do := func(b *testing.B) {
		b.Helper()
		if _, err := u.Do(b.Context(), true, nothing); err != nil {
			b.Fatal(err)
		}
	}
	do(b)
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			do(b)
		}
	})
	b.Run("contended", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				do(b)
			}
		})
	})
}
