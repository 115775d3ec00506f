package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"
)

const (
	modern = "2026-07-28"
	legacy = "2025-11-25"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// connect serves the demo over a pair of pipes and returns a session with it at
// the given protocol version. Cleanup ends the session and checks that Serve
// took that for a normal end.
func connect(t *testing.T, version string, options *mcpsdk.ClientOptions) *mcpsdk.ClientSession {
	t.Helper()
	serverIn, clientOut := io.Pipe()
	clientIn, serverOut := io.Pipe()
	served := make(chan error, 1)
	go func() { served <- Serve(context.WithoutCancel(t.Context()), serverIn, serverOut, "1.2.3") }()

	client := mcpsdk.NewClient(&mcpsdk.Implementation{Name: "test", Version: "1"}, options)
	transport := &mcpsdk.IOTransport{Reader: clientIn, Writer: clientOut}
	session, err := client.Connect(t.Context(), transport, &mcpsdk.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() {
		if err := session.Close(); err != nil {
			t.Errorf("close the client: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve returned %v after the end of its input", err)
		}
	})
	return session
}

// call calls a tool and fails the test on a protocol error.
func call(t *testing.T, session *mcpsdk.ClientSession, tool string, arguments any) *mcpsdk.CallToolResult {
	t.Helper()
	result, err := session.CallTool(t.Context(), &mcpsdk.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		t.Fatalf("call %s: %v", tool, err)
	}
	return result
}

// structured decodes the structured content of a successful result.
func structured[T any](t *testing.T, result *mcpsdk.CallToolResult) T {
	t.Helper()
	if result.IsError {
		t.Fatalf("tool error: %v", result.GetError())
	}
	text, err := json.Marshal(result.StructuredContent)
	if err != nil {
		t.Fatal(err)
	}
	var value T
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	return value
}

func textOf(t *testing.T, content mcpsdk.Content) string {
	t.Helper()
	text, ok := content.(*mcpsdk.TextContent)
	if !ok {
		t.Fatalf("content is a %T, want text", content)
	}
	return text.Text
}

func TestServerIdentifiesItself(t *testing.T) {
	t.Parallel()
	for _, version := range []string{modern, legacy} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			result := connect(t, version, nil).InitializeResult()
			if result.ProtocolVersion != version {
				t.Errorf("protocol version is %s, want %s", result.ProtocolVersion, version)
			}
			if got := result.ServerInfo; got.Name != "mcpbridge-demo" || got.Version != "1.2.3" {
				t.Errorf("server is %s %s, want mcpbridge-demo 1.2.3", got.Name, got.Version)
			}
			if result.Instructions == "" {
				t.Error("no instructions")
			}
		})
	}
}

func TestToolsAreDescribed(t *testing.T) {
	t.Parallel()
	result, err := connect(t, modern, nil).ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range result.Tools {
		names = append(names, tool.Name)
		if tool.Title == "" || tool.Description == "" || tool.Annotations == nil {
			t.Errorf("tool %s lacks a title, a description or annotations", tool.Name)
		}
	}
	want := []string{"calculate", "confirm", "count_down", "echo", "hash", "now", "swatch", "text_stats"}
	if slices.Sort(names); !slices.Equal(names, want) {
		t.Errorf("tools are %q, want %q", names, want)
	}
}

func TestServeEndCancelsRunningCalls(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		end  func(cancel context.CancelFunc, input io.Closer)
		want error
	}{
		{
			name: "end of input",
			end:  func(_ context.CancelFunc, input io.Closer) { _ = input.Close() },
		},
		{
			name: "context done",
			end:  func(cancel context.CancelFunc, _ io.Closer) { cancel() },
			want: context.Canceled,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				input, served := serveLongCall(ctx, t)
				start := time.Now()
				test.end(cancel, input)
				if err := <-served; !errors.Is(err, test.want) {
					t.Errorf("Serve returned %v, want %v", err, test.want)
				}
				if elapsed := time.Since(start); elapsed > time.Second {
					t.Errorf("Serve ended %v late", elapsed)
				}
			})
		})
	}
}

// serveLongCall starts Serve and a countdown of 1000 minutes in it, and returns
// once the countdown has reported its first step.
func serveLongCall(ctx context.Context, t *testing.T) (input io.Closer, served <-chan error) {
	t.Helper()
	serverIn, clientOut := io.Pipe()
	clientIn, serverOut := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, serverIn, serverOut, "1") }()

	const request = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"count_down",` +
		`"arguments":{"steps":1000,"interval_ms":60000},"_meta":{"progressToken":7,` +
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}` + "\n"
	if _, err := io.WriteString(clientOut, request); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(clientIn)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "notifications/progress") {
		t.Fatalf("first line is %q (%v), want progress", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, answers) }()
	return clientOut, done
}
