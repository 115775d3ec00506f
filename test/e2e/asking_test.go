package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// An asker is a server with a tool that asks a person for a name.
type asker struct {
	entry func(t *testing.T) entry
	tool  string
	// modern: its questions end the call, which is then made again.
	modern bool
	// checks: it refuses to be called by clients that answer nothing.
	checks bool
	// answered is in the result of the tool when the name was given.
	answered string
}

const adaForm = `{"name":"Ada"}`

func askers() map[string]asker {
	everything := asker{tool: "trigger-elicitation-request", answered: "Ada"}
	overStdio, byHTTP := everything, everything
	overStdio.entry = func(t *testing.T) entry { return stdio(peers.EverythingCommand(t)) }
	byHTTP.entry = func(t *testing.T) entry { return overHTTP(peers.EverythingHTTP(t)) }
	return map[string]asker{
		"everything/stdio": overStdio,
		"everything/http":  byHTTP,
		"go-sdk/http-stateful": {
			entry: func(t *testing.T) entry { return overHTTP(peers.GoSDK(t, peers.GoSDKOptions{Stateful: true})) },
			tool:  "ask", answered: `"loud":true`, // the default of the form
		},
		"go-sdk/stdio": {
			entry: func(t *testing.T) entry { return stdio(peers.GoSDKCommand(t, peers.GoSDKOptions{})) },
			tool:  "ask", modern: true, answered: `"loud":true`,
		},
		"typescript-v2/stdio": {
			entry: func(t *testing.T) entry { return stdio(peers.V2Command(t)) },
			tool:  "ask", modern: true, checks: true, answered: "Ada",
		},
		"typescript-v2/http": {
			entry: func(t *testing.T) entry { return overHTTP(peers.V2HTTP(t)) },
			tool:  "ask", modern: true, checks: true, answered: "Ada",
		},
	}
}

// TestAsking answers what servers ask in each of the ways that there are.
func TestAsking(t *testing.T) {
	t.Parallel()
	for name, a := range askers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t, setup{servers: servers{"real": a.entry(t)}})
			client := b.client(t)
			t.Run("inline", func(t *testing.T) { a.testInline(t, client) })
			t.Run("inline by REST", func(t *testing.T) { a.testInlineREST(t, b) })
			t.Run("stream", func(t *testing.T) { a.testStream(t, client, target) })
			t.Run("session", func(t *testing.T) { a.testSession(t, client) })
			t.Run("inline in a stream", func(t *testing.T) { a.testInlineStream(t, client) })
			t.Run("nobody", func(t *testing.T) { a.testNobody(t, client) })
		})
	}
}

// response is the answer to the question for a name.
func adaResponse(t *testing.T) *mcpbridgev1.InputResponse {
	t.Helper()
	return &mcpbridgev1.InputResponse{Response: &mcpbridgev1.InputResponse_Elicitation{
		Elicitation: &mcpbridgev1.ElicitationResponse{
			Action: mcpbridgev1.ElicitationAction_ELICITATION_ACTION_ACCEPT, Content: arguments(t, adaForm),
		},
	}}
}

// responses answers each question for a name.
func adaResponses(t *testing.T, required *mcpbridgev1.InputRequired) map[string]*mcpbridgev1.InputResponse {
	t.Helper()
	responses := make(map[string]*mcpbridgev1.InputResponse)
	for key, request := range required.GetRequests() {
		switch {
		case request.GetRoots() != nil:
			responses[key] = &mcpbridgev1.InputResponse{Response: &mcpbridgev1.InputResponse_Roots{Roots: &mcpbridgev1.RootsResponse{}}}
		case request.GetElicitation().GetForm().GetRequestedSchema() != nil:
			responses[key] = adaResponse(t)
		default:
			t.Errorf("the question %q is %v", key, request)
		}
	}
	if len(responses) == 0 || required.GetRequestState() == "" || required.GetExpireTime() == nil {
		t.Fatalf("nothing to answer in %v", required)
	}
	return responses
}

func (a asker) want(t *testing.T, result *mcpbridgev1.CallToolResponse) {
	t.Helper()
	if got := textsOf(result); !strings.Contains(got, a.answered) || result.GetIsError() {
		t.Errorf("the result is %v, want %q in it", result, a.answered)
	}
}

// textsOf returns all text of a result.
func textsOf(result *mcpbridgev1.CallToolResponse) string {
	var all strings.Builder
	for _, block := range result.GetContent() {
		all.WriteString(block.GetText().GetText())
	}
	return all.String()
}

func (a asker) request() *mcpbridgev1.CallToolRequest {
	return &mcpbridgev1.CallToolRequest{
		Target: target, Name: a.tool, AcceptInputRequired: true, Answers: &mcpbridgev1.Answers{ElicitationForm: true},
	}
}

func (a asker) testInline(t *testing.T, client mcpbridgev1.McpServiceClient) {
	ctx := bounded(t)
	req := a.request()
	asked, err := client.CallTool(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	state := asked.GetInputRequired().GetRequestState()
	responses := adaResponses(t, asked.GetInputRequired())

	lost := a.request()
	lost.RequestState, lost.InputResponses = new(state+"A"), responses
	wantLost(t, client, lost)
	other := a.request()
	other.RequestState, other.InputResponses, other.Arguments = &state, responses, arguments(t, `{"other":1}`)
	wantLost(t, client, other)

	unfit := a.request()
	unfit.RequestState, unfit.InputResponses = &state, map[string]*mcpbridgev1.InputResponse{}
	for key := range responses {
		unfit.InputResponses[key] = &mcpbridgev1.InputResponse{Response: &mcpbridgev1.InputResponse_UnknownJson{UnknownJson: "{}"}}
	}
	if _, err := client.CallTool(ctx, unfit); status.Code(err) != codes.InvalidArgument {
		t.Errorf("an answer that does not fit is %v", err)
	}

	req.RequestState, req.InputResponses = &state, responses
	result, err := client.CallTool(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	a.want(t, result)
}

func wantLost(t *testing.T, client mcpbridgev1.McpServiceClient, req *mcpbridgev1.CallToolRequest) {
	t.Helper()
	var trailer metadata.MD
	_, err := client.CallTool(bounded(t), req, grpc.Trailer(&trailer))
	wantStatus(t, err, trailer, codes.FailedPrecondition, "INPUT_STATE_LOST", "unknown")
}

func (a asker) testInlineREST(t *testing.T, b *bridge) {
	web, url := newWeb(t), b.restURL+"/v1/"+target+"/tools:call"
	asked := new(mcpbridgev1.CallToolResponse)
	call := `"name":"` + a.tool + `","acceptInputRequired":true,"answers":{"elicitationForm":true}`
	web.do(t, http.MethodPost, url, `{`+call+`}`).into(t, asked)
	required := asked.GetInputRequired()
	key := slices.Sorted(maps.Keys(adaResponses(t, required)))[0]
	result := new(mcpbridgev1.CallToolResponse)
	web.do(t, http.MethodPost, url, `{`+call+`,"requestState":"`+required.GetRequestState()+`","inputResponses":{"`+key+`":`+
		`{"elicitation":{"action":"ELICITATION_ACTION_ACCEPT","content":`+adaForm+`}}}}`).into(t, result)
	a.want(t, result)
}

// testStream answers on the stream of the call.
func (a asker) testStream(t *testing.T, client mcpbridgev1.McpServiceClient, target string) {
	ctx := bounded(t)
	stream, err := client.CallToolStream(ctx, &mcpbridgev1.CallToolStreamRequest{
		Target: target, Name: a.tool, Answers: &mcpbridgev1.Answers{ElicitationForm: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for {
		e, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if question := e.GetRequest(); question != nil {
			asked++
			a.respond(t, client, target, question)
		}
		if e.GetResult() != nil {
			a.want(t, e.GetResult())
			break
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) || asked != 1 {
		t.Errorf("%d questions, and at the end %v", asked, err)
	}
}

// respond answers a question, in every wrong way before the right one.
func (a asker) respond(t *testing.T, client mcpbridgev1.McpServiceClient, target string, question *mcpbridgev1.ServerRequest) {
	t.Helper()
	ctx := bounded(t)
	right := &mcpbridgev1.RespondRequest{Target: target, Id: question.GetId(), Response: adaResponse(t)}
	for want, wrong := range map[codes.Code][]*mcpbridgev1.RespondRequest{
		codes.NotFound: {{Target: target, Id: "nothing", Response: right.GetResponse()}},
		codes.InvalidArgument: {
			{Target: target, Id: right.GetId()},
			{Target: target, Id: right.GetId(), Response: &mcpbridgev1.InputResponse{
				Response: &mcpbridgev1.InputResponse_Roots{Roots: &mcpbridgev1.RootsResponse{}},
			}},
			{Target: target, Id: right.GetId(), Response: &mcpbridgev1.InputResponse{Response: &mcpbridgev1.InputResponse_Elicitation{
				Elicitation: &mcpbridgev1.ElicitationResponse{
					Action: mcpbridgev1.ElicitationAction_ELICITATION_ACTION_ACCEPT, Content: arguments(t, `{"name":7}`),
				},
			}}},
		},
	} {
		for _, request := range wrong {
			if _, err := client.Respond(ctx, request); status.Code(err) != want {
				t.Errorf("the answer %v is %v, want %v", request, err, want)
			}
		}
	}
	if _, err := client.Respond(ctx, right); err != nil {
		t.Errorf("the answer is refused: %v", err)
	}
	if _, err := client.Respond(ctx, right); status.Code(err) != codes.NotFound {
		t.Errorf("a second answer is %v", err)
	}
}

// testSession answers a session's questions where its owner watches.
func (a asker) testSession(t *testing.T, client mcpbridgev1.McpServiceClient) {
	ctx := bounded(t)
	session := connect(t, client, &mcpbridgev1.ConnectRequest{Answers: &mcpbridgev1.Answers{ElicitationForm: true}})
	events, ready := watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: session})
	if ready.GetGeneration() == 0 {
		t.Fatalf("the first event is %v", ready)
	}
	type outcome struct {
		result *mcpbridgev1.CallToolResponse
		err    error
	}
	called := make(chan outcome, 1)
	go func() {
		result, err := client.CallTool(ctx, &mcpbridgev1.CallToolRequest{Target: session, Name: a.tool})
		called <- outcome{result, err}
	}()
	question := await(t, events, "the question", func(e *mcpbridgev1.WatchEventsResponse) bool { return e.GetRequest() != nil })
	a.respond(t, client, session, question.GetRequest())
	o := <-called
	if o.err != nil {
		t.Fatal(o.err)
	}
	a.want(t, o.result)
	t.Run("stream", func(t *testing.T) { a.testStream(t, client, session) })
	disconnect(t, client, session)
	var err error
	for err == nil {
		_, err = events.Recv()
	}
	if status.Code(err) != codes.NotFound {
		t.Errorf("after Disconnect the events end with %v", err)
	}
}

// testInlineStream follows a call over two streams.
func (a asker) testInlineStream(t *testing.T, client mcpbridgev1.McpServiceClient) {
	ctx := bounded(t)
	req := &mcpbridgev1.CallToolStreamRequest{
		Target: target, Name: a.tool, AcceptInputRequired: true, Answers: &mcpbridgev1.Answers{ElicitationForm: true},
	}
	last := func() *mcpbridgev1.CallToolResponse {
		t.Helper()
		stream, err := client.CallToolStream(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		events := receiveAll(t, stream.Recv)
		return events[len(events)-1].GetResult()
	}
	required := last().GetInputRequired()
	req.RequestState, req.InputResponses = new(required.GetRequestState()), adaResponses(t, required)
	a.want(t, last())
}

// testNobody: the caller answers nothing, and is told what was asked.
func (a asker) testNobody(t *testing.T, client mcpbridgev1.McpServiceClient) {
	if !a.modern {
		t.Skip("a legacy server does not ask a client that answers nothing")
	}
	var trailer metadata.MD
	_, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{Target: target, Name: a.tool}, grpc.Trailer(&trailer))
	if a.checks {
		wantStatus(t, err, trailer, codes.FailedPrecondition, "CAPABILITY_REQUIRED", "answered")
		return
	}
	wantStatus(t, err, trailer, codes.FailedPrecondition, "INPUT_REQUIRED", "answered")
	asked := detail[*mcpbridgev1.InputRequired](status.Convert(err))
	if len(asked.GetRequests()) != 1 || asked.GetRequestState() != "" {
		t.Errorf("the detail is %s", protojson.Format(asked))
	}
}

// TestAskingIsPrivate: what one caller is asked is no other's to answer.
func TestAskingIsPrivate(t *testing.T) {
	t.Parallel()
	a := askers()["go-sdk/http-stateful"]
	b := start(t, setup{
		servers: servers{"real": a.entry(t)},
		env:     []string{"MCPBRIDGE_AUTH_PRESHARED_TOKENS=ann " + tokenAnn + " ; bob " + tokenBob},
		config:  "auth: {methods: preshared}\n",
	})
	ann, bob := b.client(t, as(tokenAnn)), b.client(t, as(tokenBob))
	req := a.request()
	asked, err := ann.CallTool(bounded(t), req)
	if err != nil {
		t.Fatal(err)
	}
	req.RequestState, req.InputResponses = new(asked.GetInputRequired().GetRequestState()), adaResponses(t, asked.GetInputRequired())
	wantLost(t, bob, req)

	stream, err := ann.CallToolStream(bounded(t), &mcpbridgev1.CallToolStreamRequest{
		Target: target, Name: a.tool, Answers: &mcpbridgev1.Answers{ElicitationForm: true},
	})
	e := new(event)
	for err == nil && e.GetRequest() == nil {
		e, err = stream.Recv()
	}
	if err != nil {
		t.Fatal(err)
	}
	respond := &mcpbridgev1.RespondRequest{Target: target, Id: e.GetRequest().GetId(), Response: adaResponse(t)}
	var trailer metadata.MD
	_, err = bob.Respond(bounded(t), respond, grpc.Trailer(&trailer))
	wantStatus(t, err, trailer, codes.NotFound, "REQUEST_NOT_FOUND", "not_sent")

	if _, err := ann.Respond(bounded(t), respond); err != nil {
		t.Error(err)
	}
	result, err := ann.CallTool(bounded(t), req)
	if err != nil {
		t.Fatal(err)
	}
	a.want(t, result)
}

// TestAskingAtOnce: many callers are asked at the same time, and each gets what
// came of its own answer.
func TestAskingAtOnce(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"go-sdk/http-stateful", "go-sdk/stdio"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := askers()[name]
			b := start(t, setup{servers: servers{"real": a.entry(t)}})
			client := b.client(t)
			var wg sync.WaitGroup
			for caller := range 24 { // below what one caller may have waiting
				wg.Go(func() {
					name := fmt.Sprintf("caller %d", caller)
					if got, err := a.named(t.Context(), client, name); err != nil || !strings.Contains(got, name) {
						t.Errorf("%s got %q, %v", name, got, err)
					}
				})
			}
			wg.Wait()
		})
	}
}

// named calls the tool and gives a name.
func (a asker) named(ctx context.Context, client mcpbridgev1.McpServiceClient, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callBound)
	defer cancel()
	req := a.request()
	asked, err := client.CallTool(ctx, req)
	if err != nil {
		return "", err
	}
	form, err := structpb.NewStruct(map[string]any{"name": name})
	if err != nil {
		return "", err
	}
	req.RequestState, req.InputResponses = new(asked.GetInputRequired().GetRequestState()), make(map[string]*mcpbridgev1.InputResponse)
	for key := range asked.GetInputRequired().GetRequests() {
		req.InputResponses[key] = &mcpbridgev1.InputResponse{Response: &mcpbridgev1.InputResponse_Elicitation{
			Elicitation: &mcpbridgev1.ElicitationResponse{Action: mcpbridgev1.ElicitationAction_ELICITATION_ACTION_ACCEPT, Content: form},
		}}
	}
	result, err := client.CallTool(ctx, req)
	return textsOf(result), err
}
