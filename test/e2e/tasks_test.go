package e2e

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// A worker is a server with tools that are tasks.
type worker struct {
	entry func(t *testing.T) entry
	// tool takes some time, asking asks for something first, with that answer.
	tool, asking       string
	work, ask, content string
	// done is in the result of tool, answered in that of asking.
	done, answered string
	modern         bool
}

func workers() map[string]worker {
	everything := worker{
		tool: "simulate-research-query", work: `{"topic":"go"}`, done: "# Research Report: go",
		asking: "simulate-research-query", ask: `{"topic":"python","ambiguous":true}`,
		content: `{"interpretation":"snake"}`, answered: "# Research Report: python (snake)",
	}
	overStdio, byHTTP := everything, everything
	overStdio.entry = func(t *testing.T) entry { return stdio(peers.EverythingCommand(t)) }
	byHTTP.entry = func(t *testing.T) entry { return overHTTP(peers.EverythingHTTP(t)) }
	return map[string]worker{
		"everything/stdio": overStdio,
		"everything/http":  byHTTP,
		"extension/http": {
			entry: func(t *testing.T) entry { return overHTTP(peers.TasksHTTP(t)) }, modern: true,
			tool: "work", work: `{}`, done: "done ", asking: "ask", ask: `{}`, content: adaForm, answered: "done Ada",
		},
	}
}

// TestTasks calls tools that are tasks, with the caller waiting and without.
func TestTasks(t *testing.T) {
	t.Parallel()
	for name, w := range workers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t, setup{servers: servers{"real": w.entry(t)}})
			client := b.client(t)
			// All at once, however few cores there are: they do nothing but wait.
			var tests sync.WaitGroup
			for name, test := range map[string]func(*testing.T){
				"call":     func(t *testing.T) { w.testCall(t, client) },
				"stream":   func(t *testing.T) { w.testStream(t, client) },
				"inline":   func(t *testing.T) { w.testInline(t, client) },
				"detached": func(t *testing.T) { w.testDetached(t, client) },
				"REST":     func(t *testing.T) { w.testREST(t, b) },
				"session":  func(t *testing.T) { w.testSession(t, client) },
				"watch":    func(t *testing.T) { w.testWatch(t, client) },
				"list":     func(t *testing.T) { w.testList(t, client) },
				"mistakes": func(t *testing.T) { w.testMistakes(t, client) },
			} {
				tests.Go(func() { t.Run(name, test) })
			}
			tests.Wait()
		})
	}
}

func (w worker) testCall(t *testing.T, client mcpbridgev1.McpServiceClient) {
	result, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{Target: target, Name: w.tool, Arguments: arguments(t, w.work)})
	if err != nil || !strings.Contains(textsOf(result), w.done) || result.GetTask() != nil {
		t.Errorf("got %v, %v", result, err)
	}
}

func (w worker) testStream(t *testing.T, client mcpbridgev1.McpServiceClient) {
	ctx := bounded(t)
	stream, err := client.CallToolStream(ctx, &mcpbridgev1.CallToolStreamRequest{
		Target: target, Name: w.asking, Arguments: arguments(t, w.ask), Answers: &mcpbridgev1.Answers{ElicitationForm: true},
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
			if _, err := client.Respond(ctx, &mcpbridgev1.RespondRequest{Target: target, Id: question.GetId(), Response: w.response(t)}); err != nil {
				t.Fatal(err)
			}
		}
		if result := e.GetResult(); result != nil {
			if !strings.Contains(textsOf(result), w.answered) {
				t.Errorf("got %v", result)
			}
			break
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func (w worker) response(t *testing.T) *mcpbridgev1.InputResponse {
	t.Helper()
	return &mcpbridgev1.InputResponse{Response: &mcpbridgev1.InputResponse_Elicitation{Elicitation: &mcpbridgev1.ElicitationResponse{
		Action: mcpbridgev1.ElicitationAction_ELICITATION_ACTION_ACCEPT, Content: arguments(t, w.content),
	}}}
}

func (w worker) responses(t *testing.T, required *mcpbridgev1.InputRequired) map[string]*mcpbridgev1.InputResponse {
	t.Helper()
	responses := make(map[string]*mcpbridgev1.InputResponse)
	for key := range required.GetRequests() {
		responses[key] = w.response(t)
	}
	if len(responses) != 1 || required.GetRequestState() == "" {
		t.Fatalf("nothing to answer in %v", required)
	}
	return responses
}

// testInline answers by calling again, while the task goes on.
func (w worker) testInline(t *testing.T, client mcpbridgev1.McpServiceClient) {
	ctx := bounded(t)
	req := &mcpbridgev1.CallToolRequest{
		Target: target, Name: w.asking, Arguments: arguments(t, w.ask), AcceptInputRequired: true, Answers: &mcpbridgev1.Answers{ElicitationForm: true},
	}
	asked, err := client.CallTool(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	req.InputResponses, req.RequestState = w.responses(t, asked.GetInputRequired()), new(asked.GetInputRequired().GetRequestState())
	result, err := client.CallTool(ctx, req)
	if err != nil || !strings.Contains(textsOf(result), w.answered) {
		t.Errorf("got %v, %v", result, err)
	}
}

func (w worker) begin(t *testing.T, client mcpbridgev1.McpServiceClient, target, tool, text string) *mcpbridgev1.Task {
	t.Helper()
	resp, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{
		Target: target, Name: tool, Arguments: arguments(t, text), Task: &mcpbridgev1.TaskOptions{Ttl: durationpb.New(time.Minute)},
	})
	if err != nil {
		t.Fatal(err)
	}
	task := resp.GetTask()
	if task.GetTaskId() == "" || task.GetStatus() != mcpbridgev1.TaskStatus_TASK_STATUS_WORKING || task.GetCreateTime() == nil ||
		task.GetTtl().AsDuration() < time.Second || task.GetPollInterval() == nil || len(resp.GetContent()) > 0 {
		t.Fatalf("got %v", resp)
	}
	return task
}

func (w worker) testDetached(t *testing.T, client mcpbridgev1.McpServiceClient) {
	ctx := bounded(t)
	task := w.begin(t, client, target, w.tool, w.work)
	now, err := client.GetTask(ctx, &mcpbridgev1.GetTaskRequest{Target: target, TaskId: task.GetTaskId()})
	if err != nil || now.GetTask().GetStatus() != mcpbridgev1.TaskStatus_TASK_STATUS_WORKING || now.GetOutcome() != nil {
		t.Errorf("it stands %v, %v", now, err)
	}
	now, err = client.GetTask(ctx, &mcpbridgev1.GetTaskRequest{Target: target, TaskId: task.GetTaskId(), Wait: durationpb.New(time.Minute)})
	if err != nil || now.GetTask().GetStatus() != mcpbridgev1.TaskStatus_TASK_STATUS_COMPLETED || !strings.Contains(textsOf(now.GetResult()), w.done) {
		t.Errorf("it ended %v, %v", now, err)
	}
	if now.GetTask().GetExtra() != nil {
		t.Errorf("left over: %v", now.GetTask().GetExtra())
	}
	late, err := client.CancelTask(ctx, &mcpbridgev1.CancelTaskRequest{Target: target, TaskId: task.GetTaskId()})
	if w.modern { // whose server does as it is told
		return
	}
	if err != nil || late.GetTask().GetStatus() != mcpbridgev1.TaskStatus_TASK_STATUS_COMPLETED {
		t.Errorf("cancelled too late: %v, %v", late, err)
	}
}

func (w worker) testREST(t *testing.T, b *bridge) {
	web, base := newWeb(t), b.restURL+"/v1/"+target
	begun := new(mcpbridgev1.CallToolResponse)
	web.do(t, http.MethodPost, base+"/tools/"+w.tool+":call", `{"arguments":`+w.work+`,"task":{"ttl":"60s"}}`).into(t, begun)
	task := base + "/tasks/" + url.PathEscape(begun.GetTask().GetTaskId())
	got := new(mcpbridgev1.GetTaskResponse)
	web.do(t, http.MethodGet, task+"?wait=0.1s", "").into(t, got)
	if got.GetTask().GetStatus() != mcpbridgev1.TaskStatus_TASK_STATUS_WORKING {
		t.Errorf("it stands %v", got)
	}
	cancelled := new(mcpbridgev1.CancelTaskResponse)
	web.do(t, http.MethodPost, task+":cancel", "").into(t, cancelled)
	if cancelled.GetTask().GetStatus() != mcpbridgev1.TaskStatus_TASK_STATUS_CANCELLED {
		t.Errorf("it ended %v", cancelled)
	}
}

// testSession: a task of a session asks whoever looks at it.
func (w worker) testSession(t *testing.T, client mcpbridgev1.McpServiceClient) {
	ctx := bounded(t)
	session := connect(t, client, &mcpbridgev1.ConnectRequest{Answers: &mcpbridgev1.Answers{ElicitationForm: true}})
	task := w.begin(t, client, session, w.asking, w.ask)
	look := &mcpbridgev1.GetTaskRequest{Target: session, TaskId: task.GetTaskId(), Wait: durationpb.New(time.Minute)}
	for range 2 { // the second finds the same question
		now, err := client.GetTask(ctx, look)
		if err != nil || now.GetTask().GetStatus() != mcpbridgev1.TaskStatus_TASK_STATUS_INPUT_REQUIRED || now.GetInputRequired() == nil {
			t.Fatalf("it stands %v, %v", now, err)
		}
		w.responses(t, now.GetInputRequired())
	}
	now, err := client.GetTask(ctx, look)
	if err != nil {
		t.Fatal(err)
	}
	update := &mcpbridgev1.UpdateTaskRequest{
		Target: session, TaskId: "another", InputResponses: w.responses(t, now.GetInputRequired()), RequestState: now.GetInputRequired().GetRequestState(),
	}
	var trailer metadata.MD
	_, err = client.UpdateTask(ctx, update, grpc.Trailer(&trailer))
	wantStatus(t, err, trailer, codes.FailedPrecondition, "INPUT_STATE_LOST", "not_sent")
	update.TaskId = task.GetTaskId()
	if _, err := client.UpdateTask(ctx, update); err != nil {
		t.Fatal(err)
	}
	for again := true; again; again = w.modern && now.GetInputRequired() != nil { // which may take its time to act on answers
		if now, err = client.GetTask(ctx, look); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(textsOf(now.GetResult()), w.answered) {
		t.Errorf("it ended %v", now)
	}
	disconnect(t, client, session)
}

// testWatch: who watches is told how a task stands.
func (w worker) testWatch(t *testing.T, client mcpbridgev1.McpServiceClient) {
	events, _ := watch(t, client, &mcpbridgev1.WatchEventsRequest{Target: target})
	task := w.begin(t, client, target, w.tool, w.work)
	e := await(t, events, "the end of the task", func(e *mcpbridgev1.WatchEventsResponse) bool {
		now := e.GetTaskStatus()
		return now.GetTaskId() == task.GetTaskId() && now.GetStatus() == mcpbridgev1.TaskStatus_TASK_STATUS_COMPLETED
	})
	if e.GetTaskStatus().GetCreateTime() == nil || e.GetTaskStatus().GetTtl() == nil {
		t.Errorf("got %v", e)
	}
}

func (w worker) testList(t *testing.T, client mcpbridgev1.McpServiceClient) {
	ctx := bounded(t)
	task := w.begin(t, client, target, w.tool, w.work)
	var trailer metadata.MD
	all, err := client.ListTasks(ctx, &mcpbridgev1.ListTasksRequest{Target: target, All: true}, grpc.Trailer(&trailer))
	if w.modern {
		wantStatus(t, err, trailer, codes.Unimplemented, "NOT_SUPPORTED", "not_sent")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all.GetTasks() {
		if one.GetTaskId() == task.GetTaskId() {
			return
		}
	}
	t.Errorf("it is not among %v", all)
}

func (w worker) testMistakes(t *testing.T, client mcpbridgev1.McpServiceClient) {
	ctx := bounded(t)
	notFound := func(_ any, err error) {
		t.Helper()
		if status.Code(err) != codes.NotFound || detail[*errdetails.ErrorInfo](status.Convert(err)).GetReason() != "TASK_NOT_FOUND" {
			t.Errorf("got %v", err)
		}
	}
	notFound(client.GetTask(ctx, &mcpbridgev1.GetTaskRequest{Target: target, TaskId: "nonsense"}))
	notFound(client.CancelTask(ctx, &mcpbridgev1.CancelTaskRequest{Target: target, TaskId: "nonsense"}))
	for field, call := range map[string]func() error{
		"task_id": func() error {
			_, err := client.GetTask(ctx, &mcpbridgev1.GetTaskRequest{Target: target})
			return err
		},
		"wait": func() error {
			_, err := client.GetTask(ctx, &mcpbridgev1.GetTaskRequest{Target: target, TaskId: "x", Wait: durationpb.New(-1)})
			return err
		},
		"task.ttl": func() error {
			_, err := client.CallTool(ctx, &mcpbridgev1.CallToolRequest{Target: target, Name: w.tool, Task: &mcpbridgev1.TaskOptions{Ttl: new(durationpb.Duration)}})
			return err
		},
		"input_responses": func() error {
			_, err := client.UpdateTask(ctx, &mcpbridgev1.UpdateTaskRequest{Target: target, TaskId: "x"})
			return err
		},
	} {
		if err := call(); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if w.modern {
		_, err := client.CallTool(ctx, &mcpbridgev1.CallToolRequest{Target: target, Name: "break"})
		if said := detail[*mcpbridgev1.UpstreamError](status.Convert(err)); said.GetCode() != -32050 {
			t.Errorf("a task that fails ends the call with %v", err)
		}
		return
	}
	var trailer metadata.MD
	_, err := client.CallTool(ctx, &mcpbridgev1.CallToolRequest{Target: target, Name: "echo", Task: &mcpbridgev1.TaskOptions{}}, grpc.Trailer(&trailer))
	wantStatus(t, err, trailer, codes.Unimplemented, "NOT_SUPPORTED", "not_sent")
	_, err = client.CallTool(ctx, &mcpbridgev1.CallToolRequest{
		Target: target, Name: w.asking, Task: &mcpbridgev1.TaskOptions{}, AcceptInputRequired: true,
	}, grpc.Trailer(&trailer))
	wantStatus(t, err, trailer, codes.FailedPrecondition, "CONNECT_FIRST", "not_sent")
	_, err = client.UpdateTask(ctx, &mcpbridgev1.UpdateTaskRequest{
		Target: target, TaskId: "x", InputResponses: map[string]*mcpbridgev1.InputResponse{"x": w.response(t)}, RequestState: "x",
	}, grpc.Trailer(&trailer))
	wantStatus(t, err, trailer, codes.FailedPrecondition, "CONNECT_FIRST", "not_sent")
}

// TestTaskGivenUp: whoever cancels a call takes its task along.
func TestTaskGivenUp(t *testing.T) {
	t.Parallel()
	b := start(t, setup{servers: servers{"real": stdio(peers.EverythingCommand(t))}})
	client := b.client(t)
	ctx, cancel := context.WithTimeout(bounded(t), 2*time.Second)
	defer cancel()
	_, err := client.CallTool(ctx, &mcpbridgev1.CallToolRequest{Target: target, Name: "simulate-research-query", Arguments: arguments(t, `{"topic":"x"}`)})
	if status.Code(err) != codes.DeadlineExceeded {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		all, err := client.ListTasks(bounded(t), &mcpbridgev1.ListTasksRequest{Target: target})
		if err != nil {
			t.Fatal(err)
		}
		if tasks := all.GetTasks(); len(tasks) == 1 && tasks[0].GetStatus() == mcpbridgev1.TaskStatus_TASK_STATUS_CANCELLED {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("the tasks are %v", tasks)
		}
	}
}
