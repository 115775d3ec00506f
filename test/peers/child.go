package peers

import (
	"context"
	"testing"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpbridge/mcpbridge/test/peers/child"
)

// childVariable marks a process as a stdio server of the Go SDK.
const childVariable = "MCPBRIDGE_TEST_PEER"

// GoSDKCommand returns the command that serves the Go SDK's server over stdio:
// this test binary once more. The package under test must call ServeIfChild in
// its TestMain.
func GoSDKCommand(t testing.TB, options GoSDKOptions) Command {
	t.Helper()
	return child.Self(t, childVariable, options)
}

// ServeIfChild makes a process that was started from a GoSDKCommand serve MCP on
// its stdin and stdout, and exits when stdin ends. In any other process it
// returns at once. TestMain calls it before it runs any test.
func ServeIfChild() {
	child.Run(childVariable, func(options GoSDKOptions) error {
		return NewGoSDKServer(options).Run(context.Background(), &mcpsdk.StdioTransport{})
	})
}
