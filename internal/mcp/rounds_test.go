package mcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// inTurn answers with each of the results in turn, the last again and again.
func inTurn(results ...string) func(context.Context, *transport.Request) (*transport.Response, error) {
	var mu sync.Mutex
	return func(context.Context, *transport.Request) (*transport.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		next := results[0]
		if len(results) > 1 {
			results = results[1:]
		}
		return result(next), nil
	}
}

const complete = `{"resultType":"complete","content":[]}`

// requires is a result with these members that requires input.
func requires(members string) string { return `{"resultType":"input_required",` + members + `}` }

func asks(method, params string) string {
	return requires(`"inputRequests":{"q":{"method":"` + method + `","params":` + params + `}}`)
}

// What a modern server asks is answered by making the call again, with the
// answers and the state, and otherwise unchanged.
func TestRounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const state = `"\u0061 \/ <&> 1.0"`
		s := &script{modern: true, handle: inTurn(
			requires(`"inputRequests":{"b":{"method":"roots/list"},"a \"":{"method":"elicitation/create","params":`+formParams+`}},"requestState":`+state),
			requires(`"inputRequests":{"c":{"method":"sampling/createMessage","params":`+sampleParams+`}}`),
			complete,
		)}
		session := s.open(t, mcp.Options{}, mcp.Profile{Capabilities: everything()})
		sends := 0
		c := mcp.CallTool("tool", []byte(`{"n":1.0}`))
		c.OnSend = func() { sends++ }
		c.Notify = func(jsonrpc.Message) {}
		c.Ask = func(_ context.Context, q mcp.Question) (mcp.Answer, error) {
			return mcp.Answer{Result: json.RawMessage(`{ "to": ` + string(rawjson.AppendString(nil, q.Key)) + `}`)}, nil
		}
		r, err := session.Call(t.Context(), c)
		if err != nil || string(r.JSON) != complete {
			t.Fatalf("got %v, %v", r, err)
		}
		made := s.made()
		want := []struct{ responses, state string }{
			{"", ""},
			{`{"b":{ "to": "b"},"a \"":{ "to": "a \""}}`, state},
			{`{"c":{ "to": "c"}}`, ""},
		}
		if len(made) != len(want) || sends != 1 {
			t.Fatalf("%d rounds, %d of them announced", len(made), sends)
		}
		for i, req := range made {
			get := func(key string) string { return string(rawjson.Get(req.Params, key)) }
			if get("inputResponses") != want[i].responses || get("requestState") != want[i].state {
				t.Errorf("round %d: %s", i, req.Params)
			}
			token := fmt.Sprintf(`"progressToken":%d`, req.ID)
			if get("name") != `"tool"` || get("arguments") != `{"n":1.0}` || !strings.Contains(get("_meta"), token) || req.Name != "tool" {
				t.Errorf("round %d: %s", i, req.Params)
			}
			if i > 0 && req.ID == made[i-1].ID {
				t.Errorf("round %d has the id of the one before", i)
			}
		}
	})
}

// How a call ends whose questions are not answered, and how often it was sent.
func TestRoundsEnd(t *testing.T) {
	t.Parallel()
	elicit := asks(mcp.MethodElicitation, formParams)
	unasked := func(context.Context, mcp.Question) (mcp.Answer, error) {
		panic("asked")
	}
	for name, tt := range map[string]struct {
		result  string
		declare *mcp.Capabilities
		ask     mcp.Ask
		manual  bool
		want    string // input, result, limit
		rounds  int
	}{
		"by hand":           {result: elicit, ask: unasked, manual: true, want: "input", rounds: 1},
		"by hand, deferred": {result: requires(`"requestState":"s"`), ask: unasked, manual: true, want: "input", rounds: 1},
		"no Ask":            {result: elicit, want: "input", rounds: 1},
		"nobody":            {result: elicit, ask: nobody, want: "input", rounds: 1},
		"error": {result: elicit, want: "input", rounds: 1, ask: func(context.Context, mcp.Question) (mcp.Answer, error) {
			return mcp.Answer{Error: &jsonrpc.Error{Code: -1}}, nil
		}},
		"unknown method": {result: asks("unknown/method", `{}`), ask: unasked, want: "input", rounds: 1},
		"undeclared":     {result: elicit, ask: unasked, declare: &mcp.Capabilities{Roots: true}, want: "input", rounds: 1},
		"one of two undeclared": {
			result: requires(`"inputRequests":{"a":{"method":"roots/list"},"b":{"method":"sampling/createMessage","params":` + sampleParams + `}}`),
			ask:    unasked, declare: &mcp.Capabilities{Roots: true}, want: "input", rounds: 1,
		},
		"undeclared mode": {result: asks(mcp.MethodElicitation, urlParams), ask: unasked, declare: &mcp.Capabilities{ElicitationForm: true}, want: "input", rounds: 1},
		"never enough":    {result: elicit, ask: answers(`{"action":"accept"}`), want: "limit", rounds: 10},
		"never ready":     {result: requires(`"requestState":"s"`), want: "input", rounds: 4},

		"null questions, no state": {result: requires(`"inputRequests":null,"requestState":null`), manual: true, want: "result", rounds: 1},
		"neither":                  {result: `{"resultType":"input_required"}`, want: "result", rounds: 1},
		"no questions, no state":   {result: requires(`"inputRequests":{}`), want: "result", rounds: 1},
		"questions in a list":      {result: requires(`"inputRequests":[],"requestState":"s"`), want: "result", rounds: 1},
		"no method":                {result: requires(`"inputRequests":{"q":{}}`), want: "result", rounds: 1},
		"no request":               {result: requires(`"inputRequests":{"q":"roots/list"}`), want: "result", rounds: 1},
		"too many": {
			result: requires(`"inputRequests":{` + strings.TrimPrefix(manyQuestions(65), ",") + `}`), ask: unasked, want: "result", rounds: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{modern: true, handle: inTurn(tt.result)}
				session := s.open(t, mcp.Options{}, mcp.Profile{Capabilities: everything(), Ask: tt.ask})
				c := mcp.GetPrompt("prompt", nil)
				c.Manual, c.Capabilities = tt.manual, tt.declare
				_, err := session.Call(t.Context(), c)
				var required *mcp.InputRequiredError
				var invalid *mcp.ResultError
				var limit *mcp.LimitError
				got := map[bool]string{errors.As(err, &required): "input", errors.As(err, &invalid): "result", errors.As(err, &limit): "limit"}[true]
				if got != tt.want || mcp.DeliveryOf(err) != transport.Answered {
					t.Errorf("ended with %v", err)
				}
				if required != nil && string(required.Result) != tt.result {
					t.Errorf("the result is %s", required.Result)
				}
				if made := s.made(); len(made) != tt.rounds {
					t.Errorf("%d rounds", len(made))
				}
			})
		})
	}
}

func manyQuestions(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"%d":{"method":"roots/list"}`, i)
	}
	return b.String()
}

// A server that asks for nothing but time gets it.
func TestLoadShedding(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var times []time.Duration
		began := time.Now()
		turn := inTurn(requires(`"inputRequests":null,"requestState":"1"`), requires(`"requestState":"2"`), requires(`"requestState":"3"`), complete)
		s := &script{modern: true, handle: func(ctx context.Context, req *transport.Request) (*transport.Response, error) {
			times = append(times, time.Since(began))
			return turn(ctx, req)
		}}
		session := s.open(t, mcp.Options{}, mcp.Profile{})
		began = time.Now()
		if _, err := session.Call(t.Context(), mcp.ReadResource("test://x")); err != nil {
			t.Fatal(err)
		}
		for i, least := range []time.Duration{0, 250 * time.Millisecond, 750 * time.Millisecond, 1750 * time.Millisecond} {
			if i >= len(times) || times[i] < least || times[i] > least*5/4 {
				t.Errorf("round %d: the times are %v", i, times)
			}
		}
		for i, req := range s.made() {
			want := map[int]string{1: `"1"`, 2: `"2"`, 3: `"3"`}[i]
			if string(rawjson.Get(req.Params, "requestState")) != want || rawjson.Get(req.Params, "inputResponses") != nil {
				t.Errorf("round %d: %s", i, req.Params)
			}
		}
	})
}

// Once a round was answered, the call has reached the tool, whatever becomes of
// the next.
func TestLaterRoundFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		delivery, want transport.Delivery
	}{
		"not sent": {transport.NotSent, transport.Unknown},
		"unknown":  {transport.Unknown, transport.Unknown},
		"answered": {transport.Answered, transport.Answered},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{modern: true}
				s.handle = func(context.Context, *transport.Request) (*transport.Response, error) {
					if len(s.made()) == 1 {
						return result(asks(mcp.MethodRoots, `{}`)), nil
					}
					return nil, &transport.Error{Kind: transport.KindLost, Delivery: tt.delivery, Status: 502}
				}
				session := s.open(t, mcp.Options{}, mcp.Profile{Capabilities: everything(), Ask: answers(`{"roots":[]}`)})
				_, err := session.Call(t.Context(), mcp.CallTool("tool", nil))
				var te *transport.Error
				if !errors.As(err, &te) || te.Kind != transport.KindLost || te.Status != 502 || mcp.DeliveryOf(err) != tt.want {
					t.Errorf("got %v, %v", err, mcp.DeliveryOf(err))
				}
			})
		})
	}
}

// The end of a call ends the asking, and the waiting between rounds.
func TestRoundsCancelled(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"asking":  asks(mcp.MethodElicitation, formParams),
		"waiting": requires(`"requestState":"s"`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{modern: true, handle: inTurn(answer)}
				session := s.open(t, mcp.Options{}, mcp.Profile{Capabilities: everything()})
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				c := mcp.CallTool("tool", nil)
				c.Ask = waits(make(chan error, 1))
				_, err := session.Call(ctx, c)
				var te *transport.Error
				if !errors.As(err, &te) || te.Kind != transport.KindCanceled || te.Delivery != transport.Answered || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
				if n := len(s.made()); n != 1 {
					t.Errorf("%d rounds", n)
				}
			})
		})
	}
}

// A form that nobody fills in in time is dismissed; the call goes on.
func TestRoundsTimeout(t *testing.T) {
	t.Parallel()
	for method, tt := range map[string]struct{ params, want string }{
		mcp.MethodElicitation: {formParams, `{"q":{"action":"cancel"}}`},
		mcp.MethodSampling:    {sampleParams, ""},
	} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{modern: true, handle: inTurn(asks(method, tt.params), complete)}
				session := s.open(t, mcp.Options{}, mcp.Profile{Capabilities: everything(), Ask: waits(make(chan error, 1))})
				began := time.Now()
				_, err := session.Call(t.Context(), mcp.CallTool("tool", nil))
				made := s.made()
				got := string(rawjson.Get(made[len(made)-1].Params, "inputResponses"))
				var required *mcp.InputRequiredError
				if (tt.want == "") != errors.As(err, &required) || got != tt.want || time.Since(began) != mcp.DefaultAskTimeout {
					t.Errorf("after %v: %v, answered %s", time.Since(began), err, got)
				}
			})
		})
	}
}

// What one call is asked and answers is no business of those beside it.
func TestRoundsInParallel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{modern: true, handle: func(_ context.Context, req *transport.Request) (*transport.Response, error) {
			name, answer := rawjson.Get(req.Params, "name"), rawjson.Get(req.Params, "inputResponses")
			if answer == nil {
				return result(requires(`"requestState":` + string(name) + `,"inputRequests":{"q":{"method":"roots/list","params":{"of":` + string(name) + `}}}`)), nil
			}
			return result(fmt.Sprintf(`{"name":%s,"state":%s,"answer":%s}`, name, rawjson.Get(req.Params, "requestState"), answer)), nil
		}}
		session := s.open(t, mcp.Options{}, mcp.Profile{Capabilities: everything()})
		var calls sync.WaitGroup
		for n := range 50 {
			calls.Go(func() {
				name := fmt.Sprintf("%q", fmt.Sprint(n))
				c := mcp.CallTool(fmt.Sprint(n), nil)
				c.Ask = func(_ context.Context, q mcp.Question) (mcp.Answer, error) {
					return mcp.Answer{Result: append(append([]byte(`{"by":`+name+`,"to":`), q.Params...), '}')}, nil
				}
				r, err := session.Call(t.Context(), c)
				want := `{"name":` + name + `,"state":` + name + `,"answer":{"q":{"by":` + name + `,"to":{"of":` + name + `}}}}`
				if err != nil || string(r.JSON) != want {
					t.Errorf("got %v, %v", r, err)
				}
			})
		}
		calls.Wait()
	})
}

// What a call's caller answers stands in the call; without it, what the
// session's does.
func TestCallCapabilities(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{modern: true, handle: inTurn(complete)}
		session := s.open(t, mcp.Options{}, mcp.Profile{Capabilities: mcp.Capabilities{Roots: true}})
		for name, tt := range map[string]struct {
			declare *mcp.Capabilities
			want    string
		}{
			"session's": {nil, `{"roots":{"listChanged":true},"extensions":{"io.modelcontextprotocol/tasks":{}}}`},
			"none":      {&mcp.Capabilities{}, `{"extensions":{"io.modelcontextprotocol/tasks":{}}}`},
			"its own":   {&mcp.Capabilities{Sampling: true}, `{"sampling":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}`},
		} {
			c := mcp.CallTool("tool", nil)
			c.Capabilities = tt.declare
			if _, err := session.Call(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			made := s.made()
			meta := rawjson.Get(made[len(made)-1].Params, "_meta")
			if got := string(rawjson.Get(meta, "io.modelcontextprotocol/clientCapabilities")); got != tt.want {
				t.Errorf("%s: %s", name, got)
			}
			if rawjson.Get(meta, "io.modelcontextprotocol/clientInfo") == nil {
				t.Errorf("%s: nobody is named in %s", name, meta)
			}
		}
	})
}

// A caller goes on by hand with a call of its own.
func TestResume(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ params, responses, state, want string }{
		"both":     {`{"name":"x","arguments":{"a": 1.0}}`, `{"q":{}}`, `"s\/"`, `{"name":"x","arguments":{"a": 1.0},"inputResponses":{"q":{}},"requestState":"s\/"}`},
		"state":    {`{"name":"x"}`, ``, `"s"`, `{"name":"x","requestState":"s"}`},
		"again":    {`{"requestState":"old","name":"x","inputResponses":{}}`, `{"q":{}}`, ``, `{"name":"x","inputResponses":{"q":{}}}`},
		"nothing":  {`{}`, ``, ``, `{}`},
		"from nil": {``, `{}`, ``, `{"inputResponses":{}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &mcp.Call{Params: []byte(tt.params)}
			optional := func(text string) json.RawMessage {
				if text == "" {
					return nil
				}
				return json.RawMessage(text)
			}
			c.Resume(optional(tt.responses), optional(tt.state))
			if string(c.Params) != tt.want {
				t.Errorf("got %s, want %s", c.Params, tt.want)
			}
		})
	}
}
