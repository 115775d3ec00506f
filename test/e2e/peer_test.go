package e2e

import (
	"fmt"
	"testing"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

const (
	legacyVersion = "2025-11-25"
	modernVersion = "2026-07-28"
)

// A peer is a real MCP server behind the bridge, and what to expect of it.
type peer struct {
	name string
	// entry starts it, or skips the test where that is not possible.
	entry     func(t *testing.T) entry
	transport mcpbridgev1.Transport
	version   string
	// mute: it answers in a form that has no room for progress.
	mute bool
	program
}

// A program is what a server offers, however it is reached.
type program struct {
	serverName string
	// echoed is what the tool echo returns for a message.
	echoed func(message string) string
	// long is a tool that takes its time, with progress, in so many steps.
	long        string
	longArgs    string
	longSteps   int
	longResult  string
	longMessage string // of the first step; empty: it has none
	// image is a tool that returns a PNG. Empty: it has none.
	image string
	// prompt is filled in with arguments to promptText.
	prompt     string
	promptArgs map[string]string
	promptText string
	// completion asks for completed, values of an argument of a prompt.
	completion *mcpbridgev1.CompleteRequest
	completed  []string
	// text and bytes are resources; bytes begin with bytesPrefix.
	text, textPrefix   string
	bytes, bytesPrefix string
}

const pngMagic = "\x89PNG\r\n\x1a\n"

func everything() program {
	return program{
		serverName:  "mcp-servers/everything",
		echoed:      func(message string) string { return "Echo: " + message },
		long:        "trigger-long-running-operation",
		longArgs:    `{"duration":0.4,"steps":4}`,
		longSteps:   4,
		longResult:  "Long running operation completed. Duration: 0.4 seconds, Steps: 4.",
		image:       "get-tiny-image",
		prompt:      "args-prompt",
		promptArgs:  map[string]string{"city": "Paris", "state": "Texas"},
		promptText:  "What's weather in Paris, Texas?",
		completion:  completion("completable-prompt", "department", "Eng"),
		completed:   []string{"Engineering"},
		text:        "demo://resource/static/document/features.md",
		textPrefix:  "# Everything Server",
		bytes:       "demo://resource/dynamic/blob/7",
		bytesPrefix: "Resource 7: This is a base64 blob",
	}
}

// ours is what test/npm/v2-demo.mjs and the Go SDK's peer have in common.
func ours() program {
	return program{
		echoed:      func(message string) string { return message },
		long:        "slow",
		longArgs:    `{"steps":4,"interval_ms":50}`,
		longSteps:   4,
		longResult:  "did 4 steps",
		longMessage: "step 1",
		prompt:      "greet",
		promptArgs:  map[string]string{"name": "Ada", "tone": "warmly"},
		promptText:  "Greet Ada warmly",
		completion:  completion("greet", "tone", "w"),
		completed:   []string{"warmly", "wearily"},
		text:        "test://text",
		textPrefix:  "some text",
		bytes:       "test://bytes",
	}
}

func completion(prompt, argument, value string) *mcpbridgev1.CompleteRequest {
	return &mcpbridgev1.CompleteRequest{
		Ref:      &mcpbridgev1.CompleteRequest_Prompt{Prompt: prompt},
		Argument: &mcpbridgev1.CompletionArgument{Name: argument, Value: value},
	}
}

func v2Demo() program {
	p := ours()
	p.serverName, p.image, p.bytesPrefix = "v2-demo", "image", pngMagic
	return p
}

func goSDK() program {
	p := ours()
	p.serverName, p.bytesPrefix = "gosdk-peer", "\x00\x01\x02\x03"
	return p
}

// realServers are the servers that everything has to work with.
func realServers() []peer {
	const child, http = mcpbridgev1.Transport_TRANSPORT_STDIO, mcpbridgev1.Transport_TRANSPORT_HTTP
	const sse, socket = mcpbridgev1.Transport_TRANSPORT_SSE, mcpbridgev1.Transport_TRANSPORT_WEBSOCKET
	return []peer{
		{
			name: "everything/stdio", transport: child, version: legacyVersion, program: everything(),
			entry: func(t *testing.T) entry { return stdio(peers.EverythingCommand(t)) },
		},
		{
			name: "everything/http", transport: http, version: legacyVersion, program: everything(),
			entry: func(t *testing.T) entry { return overHTTP(peers.EverythingHTTP(t)) },
		},
		{
			name: "typescript-v2/stdio", transport: child, version: modernVersion, program: v2Demo(),
			entry: func(t *testing.T) entry { return stdio(peers.V2Command(t)) },
		},
		{
			name: "typescript-v2/http", transport: http, version: modernVersion, program: v2Demo(),
			entry: func(t *testing.T) entry { return overHTTP(peers.V2HTTP(t)) },
		},
		{
			name: "go-sdk/stdio", transport: child, version: modernVersion, program: goSDK(),
			entry: func(t *testing.T) entry { return stdio(peers.GoSDKCommand(t, peers.GoSDKOptions{})) },
		},
		{
			name: "go-sdk/http", transport: http, version: modernVersion, program: goSDK(),
			entry: func(t *testing.T) entry { return overHTTP(peers.GoSDK(t, peers.GoSDKOptions{})) },
		},
		{
			name: "go-sdk/http-json", transport: http, version: modernVersion, program: goSDK(), mute: true,
			entry: func(t *testing.T) entry { return overHTTP(peers.GoSDK(t, peers.GoSDKOptions{JSON: true})) },
		},
		{
			name: "go-sdk/http-stateful", transport: http, version: legacyVersion, program: goSDK(),
			entry: func(t *testing.T) entry { return overHTTP(peers.GoSDK(t, peers.GoSDKOptions{Stateful: true})) },
		},
		{
			name: "everything/sse", transport: sse, version: legacyVersion, program: everything(),
			entry: func(t *testing.T) entry { return entry{Type: "sse", URL: peers.EverythingSSE(t)} },
		},
		{
			name: "everything/sse-found-out", transport: sse, version: legacyVersion, program: everything(),
			entry: func(t *testing.T) entry { return entry{URL: peers.EverythingSSE(t)} },
		},
		{
			name: "go-sdk/sse", transport: sse, version: legacyVersion, program: goSDK(),
			entry: func(t *testing.T) entry { return entry{Type: "sse", URL: peers.GoSDKSSE(t, peers.GoSDKOptions{})} },
		},
		{
			name: "go-sdk/websocket", transport: socket, version: modernVersion, program: goSDK(),
			entry: func(t *testing.T) entry { return entry{URL: peers.GoSDKWebSocket(t, peers.GoSDKOptions{})} },
		},
		{
			name: "everything/websocket", transport: socket, version: legacyVersion, program: everything(),
			entry: func(t *testing.T) entry { return entry{URL: peers.WebSocket(t, peers.EverythingCommand(t))} },
		},
	}
}

func (p peer) era() mcpbridgev1.Era {
	if p.version == modernVersion {
		return mcpbridgev1.Era_ERA_MODERN
	}
	return mcpbridgev1.Era_ERA_LEGACY
}

// echoArgs are the arguments of echo.
func echoArgs(message string) string { return fmt.Sprintf(`{"message":%q}`, message) }
