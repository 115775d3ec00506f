//go:build unix

package transport

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
)

// BenchmarkSocketRoundTrip measures a round trip to a server in this process
// that answers with the params, over the transports that BenchmarkStdioRoundTrip
// has a table of pending requests in common with.
func BenchmarkSocketRoundTrip(b *testing.B) {
	ways := map[string]func() Transport{
		"websocket": func() Transport {
			return dialWebSocket(b, WebSocketConfig{URL: serveWebSocket(b, answerWebSocket)}, ignore)
		},
		"sse": func() Transport { return dialSSE(b, new(sseServer).start(b), ignore) },
	}
	for way, open := range ways {
		for _, size := range []int{100, 10_000} {
			for _, callers := range []int{1, 64} {
				b.Run(fmt.Sprintf("%s/bytes=%d/callers=%d", way, size, callers), func(b *testing.B) {
					tr := open()
					params := fmt.Appendf(nil, "%q", strings.Repeat("x", size-2))
					var id atomic.Int64
					b.ReportAllocs()
					b.SetParallelism(callers)
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							_, err := tr.RoundTrip(b.Context(), &Request{ID: id.Add(1), Method: "echo", Params: params})
							if err != nil {
								b.Error(err)
							}
						}
					})
				})
			}
		}
	}
}
