// Package demo serves the MCP server that mcpbridge talks to when nothing else
// is configured: a few small tools, a resource, a resource template and a prompt,
// all of them free of network, disk and secrets.
package demo

import (
	"context"
	"fmt"
	"io"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

const instructions = "A small server to try MCP with: text, arithmetic, clock, countdown, colour and confirmation tools. " +
	"It reads nothing from this machine but the clock."

// Serve speaks MCP over in and out, one JSON message per line, until in ends,
// which is a normal end and returns nil, or ctx is done, which returns its error.
// Calls still running at the end are cancelled. version is what the server
// reports as its own. Serve closes both in and out.
func Serve(ctx context.Context, in io.ReadCloser, out io.WriteCloser, version string) error {
	transport := &mcpsdk.IOTransport{Reader: in, Writer: out}
	connection, err := transport.Connect(ctx)
	if err != nil {
		return fmt.Errorf("open the demo server's connection: %w", err)
	}
	// The SDK's own answer to a done context is to wait for the running calls.
	// A closed connection makes it cancel them instead.
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	defer stop()

	err = newServer(version).Run(context.WithoutCancel(ctx), connected{connection})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("serve the demo server: %w", err)
	}
	return nil
}

// connected is the transport of a connection that is already open.
type connected struct {
	connection mcpsdk.Connection
}

func (c connected) Connect(context.Context) (mcpsdk.Connection, error) {
	return c.connection, nil
}

func newServer(version string) *mcpsdk.Server {
	implementation := &mcpsdk.Implementation{
		Name:        "mcpbridge-demo",
		Title:       "mcpbridge demo",
		Description: "The server that mcpbridge runs when it has no configuration.",
		Version:     version,
	}
	server := mcpsdk.NewServer(implementation, &mcpsdk.ServerOptions{
		Instructions:      instructions,
		CompletionHandler: complete,
	})
	addTextTools(server)
	addCalculate(server)
	addNow(server)
	addCountDown(server)
	addSwatch(server)
	addConfirm(server)
	addResources(server)
	addSummarize(server)
	return server
}

// pureAnnotations describes a tool that changes nothing and reaches nothing
// outside the server.
func pureAnnotations() *mcpsdk.ToolAnnotations {
	return &mcpsdk.ToolAnnotations{
		ReadOnlyHint:   true,
		IdempotentHint: true,
		OpenWorldHint:  new(false),
	}
}

func textResult(text string) *mcpsdk.CallToolResult {
	return &mcpsdk.CallToolResult{Content: []mcpsdk.Content{&mcpsdk.TextContent{Text: text}}}
}
