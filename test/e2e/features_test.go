package e2e

import (
	"testing"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// A way leads to a server: a transport in an era, with a server of the Go SDK at its end.
type way struct {
	name   string
	legacy bool
	entry  func(t *testing.T, options peers.GoSDKOptions) entry
}

// pageSize makes four pages of the tools of the peer.
const pageSize = 5

func ways() []way {
	overStdio := func(t *testing.T, o peers.GoSDKOptions) entry { return stdio(peers.GoSDKCommand(t, o)) }
	streamable := func(t *testing.T, o peers.GoSDKOptions) entry { return overHTTP(peers.GoSDK(t, o)) }
	webSocket := func(t *testing.T, o peers.GoSDKOptions) entry { return entry{URL: peers.GoSDKWebSocket(t, o)} }
	return []way{
		{name: "stdio/legacy", legacy: true, entry: overStdio},
		{name: "stdio/modern", entry: overStdio},
		{name: "http/legacy", legacy: true, entry: func(t *testing.T, o peers.GoSDKOptions) entry {
			o.Stateful = true // the SDK has no other legacy server that could ask
			return streamable(t, o)
		}},
		{name: "http/modern", entry: streamable},
		{name: "sse/legacy", legacy: true, entry: func(t *testing.T, o peers.GoSDKOptions) entry {
			return entry{Type: "sse", URL: peers.GoSDKSSE(t, o)}
		}},
		{name: "websocket/legacy", legacy: true, entry: webSocket},
		{name: "websocket/modern", entry: webSocket},
	}
}

// features are what each way has to have. Each gets a client of
// a bridge whose servers/real is at the end of it.
func features() map[string]func(way, *testing.T, mcpbridgev1.McpServiceClient) {
	return map[string]func(way, *testing.T, mcpbridgev1.McpServiceClient){
		"pages":                 way.testPages,
		"progress and log":      way.testProgressAndLog,
		"cancel":                way.testCancel,
		"ask on the stream":     way.testAskOnStream,
		"ask inline":            way.testAskInline,
		"ask where one watches": way.testAskSession,
		"ask to open a URL":     way.testAskURL,
		"sampling":              way.testSampling,
		"roots":                 way.testRoots,
		"subscription":          way.testSubscription,
		"changed list":          way.testChangedList,
		"completion":            way.testCompletion,
		"ping":                  way.testPing,
		"logging level":         way.testLoggingLevel,
		"errors":                way.testErrors,
		"contents":              way.testContents,
	}
}

// TestFeatures has every feature on every transport in both eras; there is none
// that a way lacks. After all of them, nothing is left in the bridge.
func TestFeatures(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			options := peers.GoSDKOptions{PageSize: pageSize}
			if w.legacy {
				options.Versions = []string{legacyVersion}
			}
			b := start(t, setup{servers: servers{"real": w.entry(t, options)}, config: profiled + briefly})
			client := b.client(t)
			var before level
			t.Run("before", func(t *testing.T) { before = b.idle(t, client).settled(t) })
			w.wantEra(t, client)
			for name, test := range features() {
				t.Run(name, func(t *testing.T) { test(w, t, client) })
			}
			t.Run("after", func(t *testing.T) { b.idle(t, client).backAt(t, before) })
		})
	}
}

// briefly is the configuration of a bridge that keeps no unused connection.
const briefly = "idle: {http: 1s, stdio: 1s}\n"

// idle closes all sessions, and returns the gauge of what is left.
func (b *bridge) idle(t *testing.T, client mcpbridgev1.McpServiceClient) *gauge {
	t.Helper()
	list, err := client.ListSessions(bounded(t), &mcpbridgev1.ListSessionsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, session := range list.GetSessions() {
		if _, err := client.Disconnect(bounded(t), &mcpbridgev1.DisconnectRequest{Name: session.GetName()}); err != nil {
			t.Error(err)
		}
	}
	return b.gauge(t)
}

func (w way) wantEra(t *testing.T, client mcpbridgev1.McpServiceClient) {
	t.Helper()
	session, err := client.Connect(bounded(t), &mcpbridgev1.ConnectRequest{Peer: &mcpbridgev1.ConnectRequest_Server{Server: target}})
	if err != nil {
		t.Fatal(err)
	}
	want := mcpbridgev1.Era_ERA_MODERN
	if w.legacy {
		want = mcpbridgev1.Era_ERA_LEGACY
	}
	if got := session.GetSession().GetEra(); got != want {
		t.Fatalf("the era is %v, want %v", got, want)
	}
}

// asker is the peer as one that asks for a name.
func (w way) asker() asker {
	return asker{tool: "ask", modern: !w.legacy, answered: `"loud":true`}
}

// pollster is the peer as one that asks for everything else.
func (w way) pollster() pollster {
	return pollster{sample: "sample", sampleArgs: `{}`, roots: "roots", legacy: w.legacy}
}

func (w way) testAskOnStream(t *testing.T, client mcpbridgev1.McpServiceClient) {
	w.asker().testStream(t, client, target)
}

func (w way) testAskInline(t *testing.T, client mcpbridgev1.McpServiceClient) {
	w.asker().testInline(t, client)
}

func (w way) testAskSession(t *testing.T, client mcpbridgev1.McpServiceClient) {
	w.asker().testSession(t, client)
}

func (w way) testSampling(t *testing.T, client mcpbridgev1.McpServiceClient) {
	w.pollster().testSampling(t, client)
}

func (w way) testRoots(t *testing.T, client mcpbridgev1.McpServiceClient) {
	w.pollster().testRoots(t, client)
}
