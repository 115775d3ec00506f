package e2e

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/hostile"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// A pollster is a server that asks for everything that there is.
type pollster struct {
	entry func(t *testing.T) entry
	// sample and roots are tools that ask for that.
	sample, sampleArgs, roots string
	legacy                    bool
}

func pollsters() map[string]pollster {
	return map[string]pollster{
		"everything/http": {
			entry:  func(t *testing.T) entry { return overHTTP(peers.EverythingHTTP(t)) },
			sample: "trigger-sampling-request", sampleArgs: `{"prompt":"p"}`, roots: "get-roots-list", legacy: true,
		},
		"go-sdk/http-stateful": {
			entry:  func(t *testing.T) entry { return overHTTP(peers.GoSDK(t, peers.GoSDKOptions{Stateful: true})) },
			sample: "sample", sampleArgs: `{}`, roots: "roots", legacy: true,
		},
		"go-sdk/http": {
			entry:  func(t *testing.T) entry { return overHTTP(peers.GoSDK(t, peers.GoSDKOptions{})) },
			sample: "sample", sampleArgs: `{}`, roots: "roots",
		},
	}
}

// TestAskingKinds answers questions of the other kinds.
func TestAskingKinds(t *testing.T) {
	t.Parallel()
	for name, p := range pollsters() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t, setup{servers: servers{"real": p.entry(t)}})
			client := b.client(t)
			t.Run("sampling", func(t *testing.T) { p.testSampling(t, client) })
			t.Run("roots", func(t *testing.T) { p.testRoots(t, client) })
			t.Run("progress of the caller", func(t *testing.T) { p.testSendProgress(t, client) })
		})
	}
}

func (p pollster) testSampling(t *testing.T, client mcpbridgev1.McpServiceClient) {
	ctx := bounded(t)
	session := connect(t, client, &mcpbridgev1.ConnectRequest{Answers: &mcpbridgev1.Answers{Sampling: true}})
	stream, err := client.CallToolStream(ctx, &mcpbridgev1.CallToolStreamRequest{
		Target: session, Name: p.sample, Arguments: arguments(t, p.sampleArgs),
	})
	if err != nil {
		t.Fatal(err)
	}
	for {
		e, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if question := e.GetRequest(); question != nil {
			asked := question.GetRequest().GetSampling()
			if asked.GetMaxTokens() != 100 || len(asked.GetMessages()) != 1 || asked.GetMessages()[0].GetRole() != mcpbridgev1.Role_ROLE_USER {
				t.Errorf("the question is %v", asked)
			}
			_, err := client.Respond(ctx, &mcpbridgev1.RespondRequest{Target: session, Id: question.GetId(), Response: sampled()})
			if err != nil {
				t.Fatal(err)
			}
		}
		if result := e.GetResult(); result != nil {
			got := textsOf(result)
			for _, want := range []string{"a completion", "a-model", "endTurn", "assistant"} {
				if !strings.Contains(got, want) {
					t.Errorf("the result is %s, want %q in it", got, want)
				}
			}
			return
		}
	}
}

func sampled() *mcpbridgev1.InputResponse {
	return &mcpbridgev1.InputResponse{Response: &mcpbridgev1.InputResponse_Sampling{Sampling: &mcpbridgev1.SamplingResponse{
		Content: []*mcpbridgev1.ContentBlock{{Block: &mcpbridgev1.ContentBlock_Text{Text: &mcpbridgev1.TextContent{Text: "a completion"}}}},
		Model:   "a-model", StopReason: new("endTurn"),
	}}}
}

// testRoots: the bridge answers by itself.
func (p pollster) testRoots(t *testing.T, client mcpbridgev1.McpServiceClient) {
	session := connect(t, client, &mcpbridgev1.ConnectRequest{Roots: []*mcpbridgev1.Root{{Uri: "file:///one", Name: new("One")}}})
	p.wantRoot(t, client, session, "file:///one")
	_, err := client.SetRoots(bounded(t), &mcpbridgev1.SetRootsRequest{Target: session, Roots: []*mcpbridgev1.Root{{Uri: "file:///two"}}})
	if err != nil {
		t.Fatal(err)
	}
	// The server asks again when it is told, which takes its time.
	eventually(t, settleBound, func() error { return p.hasRoot(t, client, session, "file:///two") })
}

func (p pollster) wantRoot(t *testing.T, client mcpbridgev1.McpServiceClient, session, want string) {
	t.Helper()
	eventually(t, settleBound, func() error { return p.hasRoot(t, client, session, want) })
}

type missingError string

func (e missingError) Error() string { return string(e) }

func (p pollster) hasRoot(t *testing.T, client mcpbridgev1.McpServiceClient, session, want string) error {
	t.Helper()
	result, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{Target: session, Name: p.roots})
	if err != nil {
		return err
	}
	if got := textsOf(result); !strings.Contains(got, want) {
		return missingError("the roots are " + got + ", want " + want)
	}
	return nil
}

// testSendProgress: only legacy servers make requests that have progress.
func (p pollster) testSendProgress(t *testing.T, client mcpbridgev1.McpServiceClient) {
	session := connect(t, client, &mcpbridgev1.ConnectRequest{Answers: &mcpbridgev1.Answers{Sampling: true}})
	_, err := client.SendProgress(bounded(t), &mcpbridgev1.SendProgressRequest{Target: session, ProgressTokenJson: new("7"), Progress: 0.5})
	want := codes.Unimplemented
	if p.legacy {
		want = codes.OK
	}
	if status.Code(err) != want {
		t.Errorf("got %v, want %v", err, want)
	}
}

// TestAskingForURLs opens what a server wants to be opened, first before it is
// called again and then while it waits.
func TestAskingForURLs(t *testing.T) {
	t.Parallel()
	b := start(t, setup{servers: servers{"real": overHTTP(peers.EverythingHTTP(t))}})
	client, ctx := b.client(t), bounded(t)
	req := &mcpbridgev1.CallToolRequest{
		Target: target, Name: "trigger-url-elicitation", Arguments: arguments(t, `{"url":"https://example.com/a","errorPath":true}`),
		Answers: &mcpbridgev1.Answers{ElicitationUrl: true}, AcceptInputRequired: true,
	}
	for _, url := range []string{"https://modelcontextprotocol.io", "https://example.com/a"} {
		asked, err := client.CallTool(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		required := asked.GetInputRequired()
		req.RequestState, req.InputResponses = new(required.GetRequestState()), make(map[string]*mcpbridgev1.InputResponse)
		for key, request := range required.GetRequests() {
			if got := request.GetElicitation().GetUrl(); got.GetUrl() != url || got.GetElicitationId() == "" {
				t.Errorf("the question is %v, want the URL %s", request, url)
			}
			req.InputResponses[key] = &mcpbridgev1.InputResponse{Response: &mcpbridgev1.InputResponse_Elicitation{
				Elicitation: &mcpbridgev1.ElicitationResponse{Action: mcpbridgev1.ElicitationAction_ELICITATION_ACTION_ACCEPT},
			}}
		}
	}
	result, err := client.CallTool(ctx, req)
	if err != nil || !strings.Contains(textsOf(result), "User completed the URL elicitation flow") {
		t.Errorf("the result is %v, %v", result, err)
	}
}

// TestElicitationComplete: who watches is told that a page was visited.
func TestElicitationComplete(t *testing.T) {
	t.Parallel()
	for _, era := range []hostile.Era{hostile.Legacy, hostile.Modern} {
		options := hostile.Options{Mode: "page-visited", Era: era}
		for way, server := range map[string]entry{
			"stdio": stdio(hostile.Command(t, options)), "http": overHTTP(hostile.HTTP(t, options).URL),
		} {
			t.Run(string(era)+"/"+way, func(t *testing.T) {
				t.Parallel()
				client := start(t, setup{servers: servers{"real": server}}).client(t)
				session := connect(t, client, &mcpbridgev1.ConnectRequest{})
				stream, _ := watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: session})
				run(t, client, session, "run", `{"nonce":"x"}`)
				await(t, stream, "the end of the visit", func(e *mcpbridgev1.WatchEventsResponse) bool {
					return e.GetElicitationComplete().GetElicitationId() == hostile.VisitedID
				})
			})
		}
	}
}

// TestSessionLogs sets the level of a session and waits for a log message.
func TestSessionLogs(t *testing.T) {
	t.Parallel()
	b := start(t, setup{servers: servers{"real": stdio(peers.EverythingCommand(t))}})
	client := b.client(t)
	session := connect(t, client, &mcpbridgev1.ConnectRequest{})
	stream, _ := watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: session})
	_, err := client.SetLoggingLevel(bounded(t), &mcpbridgev1.SetLoggingLevelRequest{
		Target: session, Level: mcpbridgev1.LoggingLevel_LOGGING_LEVEL_DEBUG,
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, client, session, "toggle-simulated-logging", `{}`)
	await(t, stream, "a log message", func(e *mcpbridgev1.WatchEventsResponse) bool {
		return strings.Contains(e.GetLog().GetData().GetStringValue(), "essage") && e.GetLog().GetLevel() != 0
	})
}

// TestConnectRefuses: a connection that others share cannot ask anybody.
func TestConnectRefuses(t *testing.T) {
	t.Parallel()
	b := start(t, setup{})
	client := b.client(t)
	for name, req := range map[string]*mcpbridgev1.ConnectRequest{
		"answers on a shared connection": {Sharing: mcpbridgev1.Sharing_SHARING_SHARED, Answers: &mcpbridgev1.Answers{Roots: true}},
		"roots on a shared connection":   {Sharing: mcpbridgev1.Sharing_SHARING_SHARED, Roots: []*mcpbridgev1.Root{{Uri: "file:///x"}}},
		"a root without a URI":           {Roots: []*mcpbridgev1.Root{{Name: new("x")}}},
	} {
		t.Run(name, func(t *testing.T) {
			req.Peer = &mcpbridgev1.ConnectRequest_Server{Server: "servers/demo"}
			if _, err := client.Connect(bounded(t), req); status.Code(err) != codes.InvalidArgument {
				t.Errorf("got %v", err)
			}
		})
	}
	for version, want := range map[string]codes.Code{"2025-06-18": codes.OK, "2026-07-28": codes.OK, "1999-01-01": codes.FailedPrecondition} {
		connected, err := client.Connect(bounded(t), &mcpbridgev1.ConnectRequest{
			Peer: &mcpbridgev1.ConnectRequest_Server{Server: "servers/demo"}, ProtocolVersion: version,
		})
		if status.Code(err) != want || err == nil && connected.GetSession().GetProtocolVersion() != version {
			t.Errorf("protocol %s: %v, %v", version, connected, err)
		}
	}
}
