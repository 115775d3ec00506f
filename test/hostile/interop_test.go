package hostile

import (
	"context"
	"net/http"
	"os/exec"
	"testing"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// TestHonestServerSatisfiesTheSDK proves that what the modes spoil is sound
// before they do: the official client gets along with it in every era.
func TestHonestServerSatisfiesTheSDK(t *testing.T) {
	t.Parallel()
	versions := map[Era]string{Dual: modernVersion, Modern: modernVersion, Legacy: latestLegacy}
	transports := map[string]func(*testing.T, Options) mcpsdk.Transport{"stdio": sdkStdio, "HTTP": sdkHTTP}
	for name, transport := range transports {
		for era, version := range versions {
			t.Run(name+"/"+string(era), func(t *testing.T) {
				t.Parallel()
				client := mcpsdk.NewClient(&mcpsdk.Implementation{Name: "test", Version: "1"}, nil)
				session, err := client.Connect(t.Context(), transport(t, Options{Era: era}), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = session.Close() }()
				if got := session.InitializeResult().ProtocolVersion; got != version {
					t.Errorf("protocol version is %s, want %s", got, version)
				}
				checkTool(t, session)
			})
		}
	}
}

func checkTool(t *testing.T, session *mcpsdk.ClientSession) {
	t.Helper()
	tools, err := session.ListTools(t.Context(), nil)
	if err != nil || len(tools.Tools) != 1 {
		t.Fatalf("tools are %v (%v)", tools, err)
	}
	result, err := session.CallTool(t.Context(), &mcpsdk.CallToolParams{
		Name: tools.Tools[0].Name, Arguments: map[string]any{"nonce": "n"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if text, ok := result.Content[0].(*mcpsdk.TextContent); !ok || text.Text != "n" {
		t.Errorf("content is %v", result.Content)
	}
}

func sdkStdio(t *testing.T, options Options) mcpsdk.Transport {
	t.Helper()
	command := Command(t, options)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), command.Path)
	cmd.Env = command.Env
	return &mcpsdk.CommandTransport{Command: cmd}
}

func sdkHTTP(t *testing.T, options Options) mcpsdk.Transport {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &mcpsdk.StreamableClientTransport{
		Endpoint: HTTP(t, options).URL, HTTPClient: &http.Client{Transport: transport},
	}
}
