package peers

import (
	"bytes"
	"context"
	"net/http"
	"testing"

	"github.com/gorilla/websocket"
	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

func TestNodeServers(t *testing.T) {
	t.Parallel()
	const modern, legacy = "2026-07-28", "2025-11-25"
	tests := []struct {
		name      string
		transport func(t *testing.T) mcpsdk.Transport
		version   string
		tool      string
		arguments map[string]any
		want      string
	}{
		{
			name:      "everything over stdio",
			transport: func(t *testing.T) mcpsdk.Transport { return overCommand(t, EverythingCommand(t)) },
			version:   legacy, tool: "echo", arguments: map[string]any{"message": "hi"}, want: "Echo: hi",
		},
		{
			name: "everything over HTTP",
			transport: func(t *testing.T) mcpsdk.Transport {
				return &mcpsdk.StreamableClientTransport{Endpoint: EverythingHTTP(t), HTTPClient: newHTTPClient(t)}
			},
			version: legacy, tool: "echo", arguments: map[string]any{"message": "hi"}, want: "Echo: hi",
		},
		{
			name: "everything over SSE",
			transport: func(t *testing.T) mcpsdk.Transport {
				return &mcpsdk.SSEClientTransport{Endpoint: EverythingSSE(t), HTTPClient: newHTTPClient(t)}
			},
			version: legacy, tool: "echo", arguments: map[string]any{"message": "hi"}, want: "Echo: hi",
		},
		{
			name:      "v2 over stdio",
			transport: func(t *testing.T) mcpsdk.Transport { return overCommand(t, V2Command(t)) },
			version:   modern, tool: "add", arguments: map[string]any{"a": 1, "b": 2}, want: "3",
		},
		{
			name: "v2 over HTTP",
			transport: func(t *testing.T) mcpsdk.Transport {
				return &mcpsdk.StreamableClientTransport{Endpoint: V2HTTP(t), HTTPClient: newHTTPClient(t)}
			},
			version: modern, tool: "nonce", arguments: map[string]any{"nonce": "n"}, want: "1",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			session := connect(t, test.transport(t), nil)
			if got := session.InitializeResult().ProtocolVersion; got != test.version {
				t.Errorf("protocol version is %s, want %s", got, test.version)
			}
			got := callText(t, session, &mcpsdk.CallToolParams{Name: test.tool, Arguments: test.arguments})
			if got != test.want {
				t.Errorf("%s returned %q, want %q", test.tool, got, test.want)
			}
		})
	}
}

// TestV2DemoTools and TestV2DemoReads test what the demo server has to itself.
func TestV2DemoTools(t *testing.T) {
	t.Parallel()
	progress := make(chan float64, 2)
	options := answeringClient()
	options.ProgressNotificationHandler = func(_ context.Context, r *mcpsdk.ProgressNotificationClientRequest) {
		progress <- r.Params.Progress
	}
	session := connect(t, overCommand(t, V2Command(t)), options)
	slow := &mcpsdk.CallToolParams{Name: "slow", Arguments: map[string]any{"steps": 2, "interval_ms": 1}}
	slow.SetProgressToken(0)
	if got := callText(t, session, slow); got != "did 2 steps" || <-progress != 1 || <-progress != 2 {
		t.Errorf("slow returned %q", got)
	}
	if got := callText(t, session, &mcpsdk.CallToolParams{Name: "ask"}); got != "Ada" {
		t.Errorf("ask returned %q", got)
	}
	if got := callText(t, session, &mcpsdk.CallToolParams{Name: "range", Arguments: map[string]any{"n": 3}}); got != "[0,1,2]" {
		t.Errorf("range returned %q", got)
	}
	picture, err := session.CallTool(t.Context(), &mcpsdk.CallToolParams{Name: "image"})
	if err != nil {
		t.Fatal(err)
	}
	if image, ok := picture.Content[0].(*mcpsdk.ImageContent); !ok || !bytes.HasPrefix(image.Data, []byte("\x89PNG")) {
		t.Errorf("image returned %v", picture.Content)
	}
}

func TestV2DemoReads(t *testing.T) {
	t.Parallel()
	transport := &mcpsdk.StreamableClientTransport{Endpoint: V2HTTP(t), HTTPClient: newHTTPClient(t)}
	session := connect(t, transport, nil)
	item, err := session.ReadResource(t.Context(), &mcpsdk.ReadResourceParams{URI: "test://item/7"})
	if err != nil || item.Contents[0].Text != "item 7" {
		t.Errorf("item 7 is %v (%v)", item, err)
	}
	prompt, err := session.GetPrompt(t.Context(), &mcpsdk.GetPromptParams{
		Name: "greet", Arguments: map[string]string{"name": "Ada", "tone": "warmly"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := textOf(t, prompt.Messages[0].Content); got != "Greet Ada warmly" {
		t.Errorf("prompt is %q", got)
	}
}

func TestWebSocket(t *testing.T) {
	t.Parallel()
	dialer := websocket.Dialer{Subprotocols: []string{"mcp"}}
	url := WebSocket(t, GoSDKCommand(t, GoSDKOptions{}))
	socket, answer, err := dialer.DialContext(t.Context(), url, http.Header{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	if got := answer.Header.Get("Sec-WebSocket-Protocol"); got != "mcp" {
		t.Errorf("subprotocol is %q, want mcp", got)
	}
	const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	if err := socket.WriteMessage(websocket.TextMessage, []byte(ping)); err != nil {
		t.Fatal(err)
	}
	_, message, err := socket.ReadMessage()
	if err != nil || string(message) != `{"jsonrpc":"2.0","id":1,"result":{}}` {
		t.Errorf("ping was answered with %s (%v)", message, err)
	}
}
