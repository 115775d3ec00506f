package mcp_test

import (
	"context"
	"testing"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// wireless is a script that keeps no books.
type wireless struct{ script }

func (w *wireless) Dial(ctx context.Context, r transport.Receiver) (transport.Transport, error) {
	_, err := w.script.Dial(ctx, r)
	return w, err
}

func (w *wireless) RoundTrip(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	if req.Method == "tools/call" {
		return result(complete), nil
	}
	return w.script.RoundTrip(ctx, req)
}

// What a call costs that is neither watched nor asked anything.
func BenchmarkCall(b *testing.B) {
	for name, modern := range map[string]bool{"legacy": false, "modern": true} {
		b.Run(name, func(b *testing.B) {
			s, err := mcp.NewClient(&wireless{script{modern: modern}}, mcp.Options{}).Connect(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close(b.Context())
			c := mcp.CallTool("echo", []byte(`{"message":"x"}`))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Call(b.Context(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
