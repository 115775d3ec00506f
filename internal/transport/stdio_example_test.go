//go:build unix

package transport_test

import (
	"context"
	"fmt"
	"log"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

func ExampleStdio() {
	ctx := context.Background()
	dialer := transport.NewStdio(transport.StdioConfig{
		Command: "sh",
		Args:    []string{"-c", `read request; echo '{"jsonrpc":"2.0","id":1,"result":{"pong":true}}'`},
	})
	server, err := dialer.Dial(ctx, func(m jsonrpc.Message, _ int64) { fmt.Println("unasked:", m.Method) })
	if err != nil {
		log.Print(err)
		return
	}
	resp, err := server.RoundTrip(ctx, &transport.Request{ID: 1, Method: "ping"})
	if err == nil {
		fmt.Printf("%s\n", resp.Result)
	}
	if err := server.Close(ctx); err != nil {
		log.Print(err)
	}
	// Output: {"pong":true}
}
