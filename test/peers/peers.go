// Package peers starts real MCP servers for tests: the official Go SDK's, inside
// the test process or as a child of it, and others that run on Node.
//
// Everything it starts listens on 127.0.0.1 only and is stopped, and waited for,
// by the cleanup of the test that asked for it.
package peers

import "github.com/mcpbridge/mcpbridge/test/peers/child"

// Command is how to start a stdio server.
type Command = child.Command
