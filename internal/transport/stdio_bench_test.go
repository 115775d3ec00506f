//go:build unix

package transport

import (
	"bytes"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
)

// BenchmarkStdioRoundTrip echoes through a child that does next to nothing.
func BenchmarkStdioRoundTrip(b *testing.B) {
	for _, size := range []int{100, 10_000} {
		params := []byte(`{"text":"` + strings.Repeat("t", size) + `"}`)
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("bytes=%d/callers=%d", size, callers), func(b *testing.B) {
				c := dialStdio(b, childConfig(b, "mirror"), ignore)
				var id atomic.Int64
				b.ReportAllocs()
				b.SetParallelism(callers)
				round := func() {
					resp, err := c.RoundTrip(b.Context(), &Request{ID: id.Add(1), Method: "echo", Params: params})
					if err != nil || !bytes.Equal(resp.Result, params) {
						b.Error(resp, err)
					}
				}
				if callers == 1 {
					for b.Loop() {
						round()
					}
					return
				}
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						round()
					}
				})
			})
		}
	}
}
