package gateway

import (
	"context"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/gateway/inproc"
)

// NewGenerated returns a gateway that leaves CallTool to the generated code. Of opts,
// Desc is required.
func NewGenerated(opts Options) (*Gateway, error) {
	g, err := New(opts)
	if err != nil {
		return nil, err
	}
	g.calls, g.mux = &toolCalls{}, g.newMux()
	channel := inproc.New(opts.Desc, opts.Service, inproc.Options{UnaryInterceptors: opts.UnaryInterceptors})
	client := mcpbridgev1.NewMcpServiceClient(&conn{channel: channel, codec: g.codec})
	return g, mcpbridgev1.RegisterMcpServiceHandlerClient(context.Background(), g.mux, client)
}
