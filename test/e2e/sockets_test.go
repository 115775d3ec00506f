package e2e

import (
	"fmt"
	"strings"
	"testing"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

func bySSE(url string) *mcpbridgev1.TransportConfig {
	return &mcpbridgev1.TransportConfig{Transport: &mcpbridgev1.TransportConfig_Sse{Sse: &mcpbridgev1.SseTransport{Url: url}}}
}

func byWebSocket(url string) *mcpbridgev1.TransportConfig {
	return &mcpbridgev1.TransportConfig{Transport: &mcpbridgev1.TransportConfig_Websocket{Websocket: &mcpbridgev1.WebSocketTransport{Url: url}}}
}

// TestSocketPolicy is TestPolicy for the transports that are not plain HTTP: the
// same rules hold for them, and for the scheme of a URL.
func TestSocketPolicy(t *testing.T) {
	t.Parallel()
	sse, socket := peers.GoSDKSSE(t, peers.GoSDKOptions{}), peers.GoSDKWebSocket(t, peers.GoSDKOptions{})
	closed := start(t, setup{})
	public := start(t, setup{config: fmt.Sprintf("policy: {allow_urls: [%q, %q]}\n", sse, socket)})
	private := start(t, setup{config: fmt.Sprintf("policy: {allow_urls: [%q, %q], allow_private_addresses: true}\n", sse, socket)})
	tests := map[string]struct {
		bridge    *bridge
		transport *mcpbridgev1.TransportConfig
		allowed   bool
	}{
		"SSE by default":                 {bridge: closed, transport: bySSE(sse)},
		"WebSocket by default":           {bridge: closed, transport: byWebSocket(socket)},
		"SSE on loopback":                {bridge: public, transport: bySSE(sse)},
		"WebSocket on loopback":          {bridge: public, transport: byWebSocket(socket)},
		"SSE on loopback, allowed":       {bridge: private, transport: bySSE(sse), allowed: true},
		"SSE found out, allowed":         {bridge: private, transport: byURL(sse), allowed: true},
		"WebSocket on loopback, allowed": {bridge: private, transport: byWebSocket(socket), allowed: true},
		"WebSocket to an http URL":       {bridge: private, transport: byWebSocket(sse)},
		"SSE from a ws URL":              {bridge: private, transport: bySSE(socket)},
		"HTTP to a ws URL":               {bridge: private, transport: byURL(socket)},
		"another scheme of an allowed":   {bridge: private, transport: byWebSocket("ws" + strings.TrimPrefix(sse, "http"))},
		"WebSocket with a user":          {bridge: private, transport: byWebSocket(strings.Replace(socket, "://", "://user@", 1))},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.allowed {
				testAllowed(t, tt.bridge, tt.transport)
				return
			}
			testForbidden(t, tt.bridge, tt.transport, "DESTINATION_FORBIDDEN")
		})
	}
}
