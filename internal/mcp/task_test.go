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
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

const (
	legacyTasks = `{"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}}`
	modernTasks = `{"extensions":{"io.modelcontextprotocol/tasks":{}}}`
	doneResult  = `{"content":[{"type":"text","text":"done"}]}`
)

// A tasker is the answers of a server with tasks. Its tools are "must", "may" and
// "never", by their task support, and it makes one task at a time, "t".
type tasker struct {
	modern bool
	// states are how the task stands at each look, the last for good. A state may
	// have more members behind it, as in `completed,"result":{}`.
	states []string
	// result answers tasks/result. Nil: doneResult.
	result func(ctx context.Context, s *puppet, req *transport.Request) (*transport.Response, error)
	// refuse are the errors of requests by their method, one for each.
	refuse map[string][]error

	mu sync.Mutex
}

func (s *tasker) puppet() *puppet {
	p := &puppet{modern: s.modern, stream: true, capabilities: legacyTasks, call: s.call}
	if s.modern {
		p.capabilities = modernTasks
	}
	return p
}

// orPlain is s, or a server with nothing special to it.
func orPlain(s *tasker) *tasker {
	if s == nil {
		return &tasker{}
	}
	return s
}

// task is the text of the members of the task, and what is behind the state.
func (s *tasker) task(state string) string {
	status, more, _ := strings.Cut(state, ",")
	if more != "" {
		more = "," + more
	}
	return fmt.Sprintf(`"taskId":"t","status":%q%s`, status, more)
}

func (s *tasker) look() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.states[0]
	if len(s.states) > 1 {
		s.states = s.states[1:]
	}
	return s.task(state)
}

func (s *tasker) refusal(method string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.refuse[method]
	if len(next) == 0 {
		return nil
	}
	s.refuse[method] = next[1:]
	return next[0]
}

func (s *tasker) call(ctx context.Context, p *puppet, req *transport.Request) (*transport.Response, error) {
	if req.OnSend != nil {
		req.OnSend()
	}
	var je *jsonrpc.Error
	if err := s.refusal(req.Method); errors.As(err, &je) {
		return &transport.Response{Error: je}, nil
	} else if err != nil {
		return nil, err
	}
	switch req.Method {
	case "tools/list":
		return result(`{"tools":[{"name":"must","execution":{"taskSupport":"required"}},{"name":"may","execution":{"taskSupport":"optional"}},{"name":"never"}]}`), nil
	case "tools/call":
		switch {
		case s.modern:
			return result(`{"resultType":"task",` + s.task("working") + `}`), nil
		case rawjson.Get(req.Params, "task") != nil:
			return result(`{"task":{` + s.task("working") + `},"_meta":{"k":1}}`), nil
		}
		return result(doneResult), nil
	case "tasks/get":
		return result(`{` + s.look() + `}`), nil
	case "tasks/result":
		if s.result != nil {
			return s.result(ctx, p, req)
		}
		return result(doneResult), nil
	case "tasks/cancel":
		if s.modern {
			return result(`{}`), nil
		}
		return result(`{` + s.task("cancelled") + `}`), nil
	case "tasks/update":
		return result(`{}`), nil
	}
	return &transport.Response{Error: &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound}}, nil
}

// What is sent for a call, and what it ends with.
func TestTaskCalls(t *testing.T) {
	t.Parallel()
	const question = `input_required,"inputRequests":{"q":{"method":"elicitation/create","params":` + formParams + `}}`
	lost := &transport.Error{Kind: transport.KindLost, Delivery: transport.Unknown}
	notSent := &transport.Error{Kind: transport.KindUnreachable, Delivery: transport.NotSent}
	missing := &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "no such task"}
	get, fetch, list := `tasks/get taskId="t"`, `tasks/result taskId="t"`, "tools/list"
	made := func(name, ttl string) string { return `tools/call name="` + name + `" task={` + ttl + `}` }
	plain := func(name string) string { return `tools/call name="` + name + `"` }
	for name, tt := range map[string]struct {
		server  *tasker
		tool    string
		options *mcp.TaskOptions
		ask     mcp.Ask
		want    []string
		// ends is the text of the result, or the kind of the error.
		ends     string
		delivery transport.Delivery
	}{
		"required":      {tool: "must", server: &tasker{states: []string{"working", "completed"}}, want: []string{list, made("must", `"ttl":3600000`), get, get, fetch}, ends: "done"},
		"optional":      {tool: "may", want: []string{list, plain("may")}, ends: "done"},
		"without tasks": {tool: "never", want: []string{list, plain("never")}, ends: "done"},
		"detached":      {tool: "may", options: &mcp.TaskOptions{TTL: time.Second}, want: []string{list, made("may", `"ttl":1000`)}, ends: "task"},
		"detached, as long as the server likes": {
			tool: "must", options: &mcp.TaskOptions{}, want: []string{list, made("must", "")}, ends: "task",
		},
		"detached without tasks": {tool: "never", options: &mcp.TaskOptions{}, want: []string{list}, ends: "unsupported", delivery: transport.NotSent},
		"failed with a result":   {tool: "must", server: &tasker{states: []string{"failed"}}, want: []string{list, made("must", `"ttl":3600000`), get, fetch}, ends: "done"},
		"failed with an error": {
			tool: "must", server: &tasker{states: []string{"failed"}, result: func(context.Context, *puppet, *transport.Request) (*transport.Response, error) {
				return refusal(-5, ""), nil
			}}, want: []string{list, made("must", `"ttl":3600000`), get, fetch}, ends: "server's", delivery: transport.Answered,
		},
		"cancelled by others": {
			tool: "must", server: &tasker{states: []string{"cancelled"}}, want: []string{list, made("must", `"ttl":3600000`), get}, ends: "ended", delivery: transport.Answered,
		},
		"needs input": {
			tool: "must", server: &tasker{states: []string{"input_required"}}, want: []string{list, made("must", `"ttl":3600000`), get, fetch}, ends: "done",
		},
		"looks that fail": {
			tool: "must", server: &tasker{states: []string{"completed"}, refuse: map[string][]error{"tasks/get": {lost, notSent, lost}, "tasks/result": {lost}}},
			want: []string{list, made("must", `"ttl":3600000`), get, get, get, get, fetch, get, fetch}, ends: "done",
		},
		"too many looks that fail": {
			tool: "must", server: &tasker{refuse: map[string][]error{"tasks/get": {lost, lost, lost, notSent}}},
			want: []string{list, made("must", `"ttl":3600000`), get, get, get, get}, ends: "lost", delivery: transport.Unknown,
		},
		"forgotten": {
			tool: "must", server: &tasker{refuse: map[string][]error{"tasks/get": {missing}}},
			want: []string{list, made("must", `"ttl":3600000`), get}, ends: "lost", delivery: transport.Unknown,
		},
		"no task": {
			tool: "must", server: &tasker{refuse: map[string][]error{"tools/call": {missing}}},
			want: []string{list, made("must", `"ttl":3600000`)}, ends: "server's", delivery: transport.Answered,
		},

		"modern": {
			tool: "x", server: &tasker{modern: true, states: []string{"working", `completed,"result":` + doneResult}}, want: []string{plain("x"), get, get}, ends: "done",
		},
		"modern, failed": {
			tool: "x", server: &tasker{modern: true, states: []string{`failed,"error":{"code":-5,"message":"no"}`}}, want: []string{plain("x"), get}, ends: "server's", delivery: transport.Answered,
		},
		"modern, failed for no reason": {
			tool: "x", server: &tasker{modern: true, states: []string{"failed"}}, want: []string{plain("x"), get}, ends: "ended", delivery: transport.Answered,
		},
		"modern, cancelled by others": {
			tool: "x", server: &tasker{modern: true, states: []string{"cancelled"}}, want: []string{plain("x"), get}, ends: "ended", delivery: transport.Answered,
		},
		"modern, detached": {tool: "x", options: &mcp.TaskOptions{TTL: time.Second}, server: &tasker{modern: true}, want: []string{plain("x")}, ends: "task"},
		"modern, asks": {
			tool: "x", ask: answers(`{"action":"accept"}`),
			server: &tasker{modern: true, states: []string{question, question, `completed,"result":` + doneResult}, refuse: map[string][]error{"tasks/update": {lost}}},
			want: []string{
				plain("x"), get, `tasks/update taskId="t" inputResponses={"q":{"action":"accept"}}`,
				`tasks/update taskId="t" inputResponses={"q":{"action":"accept"}}`, get, get,
			}, ends: "done",
		},
		"modern, asks nobody": {
			tool: "x", ask: nobody, server: &tasker{modern: true, states: []string{question}},
			want: []string{plain("x"), get, `tasks/cancel taskId="t"`}, ends: "input", delivery: transport.Answered,
		},
		"modern, lost": {
			tool: "x", server: &tasker{modern: true, refuse: map[string][]error{"tasks/get": {missing}}}, want: []string{plain("x"), get}, ends: "lost", delivery: transport.Unknown,
		},
		"modern, questions that make no sense": {
			tool: "x", ask: nobody, server: &tasker{modern: true, states: []string{`input_required,"inputRequests":{"q":1}`}}, want: []string{plain("x"), get}, ends: "lost", delivery: transport.Unknown,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := orPlain(tt.server).puppet()
				session, _ := server.open(t, mcp.Options{})
				c := mcp.CallTool(tt.tool, nil)
				c.Task, c.Ask, c.Capabilities = tt.options, tt.ask, &mcp.Capabilities{ElicitationForm: true}
				ctx := context.Background() // without a deadline
				r, err := session.Call(ctx, c)
				synctest.Wait()
				if got := server.heard(); !slices.Equal(got, tt.want) {
					t.Errorf("sent %q\nwant %q", got, tt.want)
				}
				if got := outcomeOf(t, r, err); got != tt.ends {
					t.Errorf("ended as %q: %v", got, err)
				}
				if err != nil && mcp.DeliveryOf(err) != tt.delivery {
					t.Errorf("delivery %v", mcp.DeliveryOf(err))
				}
			})
		})
	}
}

// outcomeOf says how a call ended, in a word.
func outcomeOf(t *testing.T, r *mcp.Result, err error) string {
	t.Helper()
	var lost *mcp.TaskLostError
	var ended *mcp.TaskEndedError
	var unsupported *mcp.UnsupportedError
	var input *mcp.InputRequiredError
	var te *transport.Error
	var je *jsonrpc.Error
	switch {
	case err == nil && r.Task != nil:
		return "task"
	case err == nil:
		return text(t, r)
	case errors.As(err, &lost):
		if errors.As(err, &te) && te.Delivery == transport.NotSent {
			t.Errorf("the error of a call that was sent says that nothing was")
		}
		return "lost"
	case errors.As(err, &ended):
		return "ended"
	case errors.As(err, &unsupported):
		return "unsupported"
	case errors.As(err, &input):
		return "input"
	case errors.As(err, &te) && te.Kind == transport.KindCanceled:
		return "canceled"
	case errors.As(err, &je):
		return "server's"
	}
	return err.Error()
}

// A server that has tasks, but not for tools, is called as any other.
func TestTaskUndeclared(t *testing.T) {
	t.Parallel()
	for name, capabilities := range map[string]string{"none": `{}`, "other requests": `{"tasks":{"requests":{"x":{}}}}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &tasker{}
				server := s.puppet()
				server.capabilities = capabilities
				session, _ := server.open(t, mcp.Options{})
				if _, err := session.Call(t.Context(), mcp.CallTool("must", nil)); err != nil {
					t.Error(err)
				}
				c := mcp.CallTool("must", nil)
				c.Task = new(mcp.TaskOptions)
				_, err := session.Call(t.Context(), c)
				if outcomeOf(t, nil, err) != "unsupported" {
					t.Errorf("got %v", err)
				}
				if got := server.heard(); !slices.Equal(got, []string{`tools/call name="must"`}) {
					t.Errorf("sent %q", got)
				}
			})
		})
	}
}

// A caller that goes away takes its task along, within a moment.
func TestTaskGivenUp(t *testing.T) {
	t.Parallel()
	for name, modern := range map[string]bool{"legacy": false, "modern": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &tasker{modern: modern, states: []string{"working"}}
				server := s.puppet()
				session, _ := server.open(t, mcp.Options{})
				ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
				defer cancel()
				began := time.Now()
				_, err := session.Call(ctx, mcp.CallTool("must", nil))
				if took := time.Since(began); took > 2600*time.Millisecond {
					t.Errorf("it took %v", took)
				}
				if got := outcomeOf(t, nil, err); got != "canceled" || !errors.Is(err, context.DeadlineExceeded) || mcp.DeliveryOf(err) != transport.Unknown {
					t.Errorf("ended as %s: %v", got, err)
				}
				synctest.Wait()
				heard := server.heard()
				if last := heard[len(heard)-1]; last != `tasks/cancel taskId="t"` {
					t.Errorf("sent %q", heard)
				}
			})
		})
	}
}
