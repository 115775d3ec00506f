package mcp_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// What the task has to say reaches the call: progress with the token of its
// first request, what names the task, and how it stands, which shortens the wait.
func TestTaskMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &tasker{states: []string{`working,"pollInterval":60000`, "completed"}}
		server := s.puppet()
		session, others := server.open(t, mcp.Options{})
		c := mcp.CallTool("must", nil)
		own := new(told)
		c.Notify = func(m jsonrpc.Message) { own.notify(m) }
		began := time.Now()
		var calls sync.WaitGroup
		calls.Go(func() {
			if _, err := session.Call(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(1500 * time.Millisecond) // one look is over
		const related = `"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t"}}`
		server.say(0, "notifications/progress", `{"progressToken":4,"progress":1}`)
		server.say(0, "notifications/message", `{"level":"info","data":1,`+related+`}`)
		server.say(0, "notifications/message", `{"level":"info","data":2,"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"other"}}}`)
		server.say(0, "notifications/tasks/status", `{"taskId":"other","status":"completed"}`)
		server.say(0, "notifications/tasks/status", `{"taskId":"t","status":"working"}`)
		synctest.Wait()
		if time.Since(began) > 2*time.Second {
			t.Error("a task that works is not over")
		}
		server.say(0, "notifications/tasks/status", `{"taskId":"t","status":"completed"}`)
		calls.Wait()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
		want := []string{
			"progress progressToken=4 progress=1", `message level="info" data=1`,
			`tasks/status taskId="t" status="working"`, `tasks/status taskId="t" status="completed"`,
		}
		if got := own.news(); !slices.Equal(got, want) {
			t.Errorf("the call was told %q", got)
		}
		if got, want := others.news(), []string{`message level="info" data=2`, `tasks/status taskId="other" status="completed"`}; !slices.Equal(got, want) {
			t.Errorf("the session was told %q", got)
		}
		server.say(0, "notifications/tasks/status", `{"taskId":"t","status":"completed"}`)
		if got := others.news(); len(got) != 1 || len(own.news()) != 0 {
			t.Errorf("after the call: %q", got)
		}
	})
}

// A legacy server asks while the result is waited for; the answer is the call's.
func TestTaskQuestions(t *testing.T) {
	t.Parallel()
	const related = `{"message":"Name?","requestedSchema":{"type":"object","properties":{}},"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t"}}}`
	for name, tt := range map[string]struct {
		ask  mcp.Ask
		ends string
	}{
		"answered": {answers(`{"action":"accept"}`), "done"},
		"nobody":   {nobody, "input"},
	} {
		for _, stream := range []bool{true, false} {
			t.Run(fmt.Sprint(name, ", one stream: ", stream), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					answered := make(chan struct{}, 1)
					s := &tasker{states: []string{"input_required"}}
					s.result = func(ctx context.Context, p *puppet, req *transport.Request) (*transport.Response, error) {
						call, params := req.ID, formParams // on its own stream it need not name the task
						if p.stream {
							call, params = 0, related
						}
						m, _ := jsonrpc.Parse([]byte(`{"jsonrpc":"2.0","id":9,"method":"elicitation/create","params":`+params+`}`), 64)
						p.receive(m, call)
						select {
						case <-answered:
							return result(doneResult), nil
						case <-ctx.Done():
							return nil, &transport.Error{Kind: transport.KindCanceled, Delivery: transport.Unknown, Err: ctx.Err()}
						}
					}
					server := s.puppet()
					server.stream = stream
					server.answered = func(body []byte) {
						if strings.Contains(string(body), `"accept"`) {
							answered <- struct{}{}
						}
					}
					session, err := mcp.NewClient(server, mcp.Options{}).ConnectAs(t.Context(), &mcp.Profile{
						Capabilities: everything(), Ask: func(context.Context, mcp.Question) (mcp.Answer, error) { panic("the session was asked") },
					})
					if err != nil {
						t.Fatal(err)
					}
					defer closeSession(t, session)
					c := mcp.CallTool("must", nil)
					c.Ask = tt.ask
					r, err := session.Call(t.Context(), c)
					if got := outcomeOf(t, r, err); got != tt.ends {
						t.Errorf("ended as %q: %v", got, err)
					}
					synctest.Wait()
					heard := server.heard()
					if cancelled := slices.Contains(heard, `tasks/cancel taskId="t"`); cancelled != (tt.ends != "done") {
						t.Errorf("sent %q", heard)
					}
				})
			})
		}
	}
}

// The methods for a task that no call follows.
func TestTaskRequests(t *testing.T) {
	t.Parallel()
	missing := &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "no"}
	get := func(wait time.Duration) func(context.Context, *mcp.Session) (*mcp.Task, error) {
		return func(ctx context.Context, s *mcp.Session) (*mcp.Task, error) { return s.GetTask(ctx, "t", nil, wait) }
	}
	cancel := func(ctx context.Context, s *mcp.Session) (*mcp.Task, error) { return s.CancelTask(ctx, "t", nil) }
	update := func(ctx context.Context, s *mcp.Session) (*mcp.Task, error) {
		return s.UpdateTask(ctx, "t", []byte(`{"q":{}}`), nil)
	}
	const looked = `tasks/get taskId="t"`
	for name, tt := range map[string]struct {
		server *tasker
		do     func(context.Context, *mcp.Session) (*mcp.Task, error)
		want   []string
		ends   string
	}{
		"look":           {do: get(0), server: &tasker{states: []string{"working"}}, want: []string{looked}, ends: "working"},
		"wait":           {do: get(time.Minute), server: &tasker{states: []string{"working", "working", "completed"}}, want: []string{looked, looked, looked, `tasks/result taskId="t"`}, ends: "completed done"},
		"wait in vain":   {do: get(1500 * time.Millisecond), server: &tasker{states: []string{"working"}}, want: []string{looked, looked, looked}, ends: "working"},
		"wait for input": {do: get(time.Minute), server: &tasker{states: []string{"input_required"}}, want: []string{looked}, ends: "input_required"},
		"failed": {do: get(0), server: &tasker{states: []string{"failed"}, refuse: map[string][]error{"tasks/result": {&jsonrpc.Error{Code: -5}}}}, want: []string{
			looked, `tasks/result taskId="t"`,
		}, ends: "failed -5"},
		"missing":             {do: get(time.Minute), server: &tasker{refuse: map[string][]error{"tasks/get": {missing}}}, want: []string{looked}, ends: "not found"},
		"cancel":              {do: cancel, want: []string{`tasks/cancel taskId="t"`}, ends: "cancelled"},
		"cancel, ended":       {do: cancel, server: &tasker{states: []string{"completed"}, refuse: map[string][]error{"tasks/cancel": {missing}}}, want: []string{`tasks/cancel taskId="t"`, looked}, ends: "completed"},
		"cancel, missing":     {do: cancel, server: &tasker{refuse: map[string][]error{"tasks/cancel": {missing}, "tasks/get": {missing, missing}}}, want: []string{`tasks/cancel taskId="t"`, looked, looked}, ends: "not found"},
		"update":              {do: update, ends: "unsupported"},
		"modern, look":        {do: get(0), server: &tasker{modern: true, states: []string{`completed,"result":` + doneResult}}, want: []string{looked}, ends: "completed done"},
		"modern, cancel":      {do: cancel, server: &tasker{modern: true, states: []string{"working"}}, want: []string{`tasks/cancel taskId="t"`, looked}, ends: "working"},
		"modern, update":      {do: update, server: &tasker{modern: true, states: []string{"working"}}, want: []string{`tasks/update taskId="t" inputResponses={"q":{}}`, looked}, ends: "working"},
		"modern, not updated": {do: update, server: &tasker{modern: true, states: []string{"working"}, refuse: map[string][]error{"tasks/update": {missing}}}, want: []string{`tasks/update taskId="t" inputResponses={"q":{}}`, looked}, ends: "server's"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := orPlain(tt.server).puppet()
				session, _ := server.open(t, mcp.Options{})
				task, err := tt.do(t.Context(), session)
				var missing *mcp.TaskNotFoundError
				var got string
				switch {
				case errors.As(err, &missing):
					got = "not found"
				case err != nil:
					got = outcomeOf(t, nil, err)
				case task.Error != nil:
					got = fmt.Sprint(task.Status, " ", task.Error.Code)
				case task.Result != nil:
					got = task.Status + " " + text(t, &mcp.Result{JSON: task.Result})
				default:
					got = task.Status
				}
				if got != tt.ends {
					t.Errorf("got %q, %v", got, err)
				}
				if heard := server.heard(); !slices.Equal(heard, tt.want) {
					t.Errorf("sent %q", heard)
				}
			})
		})
	}
}
