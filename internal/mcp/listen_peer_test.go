package mcp_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
	"github.com/mcpbridge/mcpbridge/test/hostile"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// peerTime bounds how long a real server's notification may take; the reference
// server's come every five seconds.
const peerTime = 20 * time.Second

// watch connects and listens; what is told is noted.
func watch(t *testing.T, d transport.Dialer) (*mcp.Session, *mcp.Listener, *told) {
	t.Helper()
	told := new(told)
	s, err := mcp.NewClient(d, mcp.Options{}).ConnectAs(t.Context(), &mcp.Profile{Notify: told.notify})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeSession(t, s) })
	return s, listen(t, s, told), told
}

// waitTold waits until all of that was told, or for a few seconds, and returns
// all that was.
func waitTold(t *testing.T, told *told, want ...string) []string {
	t.Helper()
	var all []string
	for deadline := time.Now().Add(peerTime); ; time.Sleep(5 * time.Millisecond) {
		all = append(all, told.news()...)
		if !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(all, w) }) {
			return all
		}
		if time.Now().After(deadline) {
			t.Fatalf("told %q, want %q", all, want)
		}
	}
}

func callTool(t *testing.T, s *mcp.Session, name string, arguments map[string]any) {
	t.Helper()
	text := []byte(`{}`)
	if arguments != nil {
		text, _ = json.Marshal(arguments)
	}
	if _, err := s.Call(t.Context(), mcp.CallTool(name, text)); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// The servers of the SDKs tell of changes, before and after what is wanted
// changes, and of what is wanted only.
func TestListenPeers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		dial func(t *testing.T) transport.Dialer
	}{
		"Go SDK, stdio, modern": {func(t *testing.T) transport.Dialer { return stdio(peers.GoSDKCommand(t, peers.GoSDKOptions{})) }},
		"Go SDK, stdio, legacy": {func(t *testing.T) transport.Dialer {
			return stdio(peers.GoSDKCommand(t, peers.GoSDKOptions{Versions: []string{mcp.Version20250618}}))
		}},
		"Go SDK, HTTP, modern": {func(t *testing.T) transport.Dialer { return http(t, peers.GoSDK(t, peers.GoSDKOptions{})) }},
		"Go SDK, HTTP, legacy": {func(t *testing.T) transport.Dialer {
			return http(t, peers.GoSDK(t, peers.GoSDKOptions{Stateful: true}))
		}},
		"Go SDK, HTTP, legacy, resumable": {func(t *testing.T) transport.Dialer {
			return http(t, peers.GoSDK(t, peers.GoSDKOptions{Stateful: true, Resumable: true}))
		}},
		"Go SDK, HTTP+SSE": {func(t *testing.T) transport.Dialer { return sse(t, peers.GoSDKSSE(t, peers.GoSDKOptions{})) }},
		"Go SDK, WebSocket, modern": {func(t *testing.T) transport.Dialer {
			return socket(t, peers.GoSDKWebSocket(t, peers.GoSDKOptions{}))
		}},
		"TypeScript SDK, stdio": {func(t *testing.T) transport.Dialer { return stdio(peers.V2Command(t)) }},
		"TypeScript SDK, HTTP":  {func(t *testing.T) transport.Dialer { return http(t, peers.V2HTTP(t)) }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, l, told := watch(t, tt.dial(t))
			want := mcp.Filter{Tools: true, URIs: []string{peers.TextURI}}
			if granted := set(t, l, want); !granted.Equal(want) {
				t.Errorf("granted %+v", granted)
			}
			callTool(t, s, "grow", nil)
			callTool(t, s, "touch", map[string]any{"uri": peers.TextURI})
			waitTold(t, told, "tools/list_changed", `resources/updated uri="`+peers.TextURI+`"`)

			want = mcp.Filter{Tools: true, URIs: []string{peers.BytesURI}}
			if granted := set(t, l, want); !granted.Equal(want) {
				t.Errorf("granted %+v", granted)
			}
			told.news()
			callTool(t, s, "touch", map[string]any{"uri": peers.TextURI})
			callTool(t, s, "touch", map[string]any{"uri": peers.BytesURI})
			callTool(t, s, "grow", nil)
			news := waitTold(t, told, "tools/list_changed", `resources/updated uri="`+peers.BytesURI+`"`)
			if slices.Contains(news, `resources/updated uri="`+peers.TextURI+`"`) {
				t.Errorf("told %q", news)
			}
		})
	}
}

// The reference server reports on resources and logs, each on its own.
func TestListenEverything(t *testing.T) {
	t.Parallel()
	for name, dial := range map[string]func(t *testing.T) transport.Dialer{
		"stdio": func(t *testing.T) transport.Dialer { return stdio(peers.EverythingCommand(t)) },
		"HTTP":  func(t *testing.T) transport.Dialer { return http(t, peers.EverythingHTTP(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const uri = "demo://resource/dynamic/text/1"
			s, l, told := watch(t, dial(t))
			want := mcp.Filter{Tools: true, Prompts: true, Resources: true, URIs: []string{uri}}
			if granted := set(t, l, want); !granted.Equal(want) {
				t.Errorf("granted %+v", granted)
			}
			callTool(t, s, "toggle-subscriber-updates", nil)
			waitTold(t, told, `resources/updated uri="`+uri+`"`)
			if err := s.SetLevel(t.Context(), "debug"); err != nil {
				t.Fatal(err)
			}
			callTool(t, s, "toggle-simulated-logging", nil)
			waitLogged(t, told)
			set(t, l, mcp.Filter{})
		})
	}
}

// waitLogged waits until a log message was told, or for a few seconds.
func waitLogged(t *testing.T, told *told) {
	t.Helper()
	for deadline := time.Now().Add(peerTime); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if slices.ContainsFunc(told.news(), func(n string) bool { return strings.HasPrefix(n, "message ") && strings.Contains(n, "-level") }) {
			return
		}
	}
	t.Fatal("nothing was logged")
}

// A server that closes each subscription at once is not stormed, and is listened
// to in between.
func TestListenClosedAtOnce(t *testing.T) {
	t.Parallel()
	_, l, told := watch(t, hostileDialer(t, "HTTP", hostile.Options{Mode: "listen-closed", Era: hostile.Modern}))
	began := time.Now()
	if granted := set(t, l, mcp.Filter{Tools: true}); !granted.Tools {
		t.Errorf("granted %+v", granted)
	}
	waitTold(t, told, "gap")
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("opened again after %v", took)
	}
}
