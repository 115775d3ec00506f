package mcp_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

// What a legacy server may ask is answered under its own id, and what it may not
// ask is refused.
func TestQuestions(t *testing.T) {
	t.Parallel()
	const answer = `{"action":"accept","content":{"n":9007199254740993}}`
	declared := everything()
	for name, tt := range map[string]struct {
		id, method, params string
		declares           mcp.Capabilities
		ask                mcp.Ask
		want               string // of the message sent
	}{
		"elicitation":         {id: `0`, method: mcp.MethodElicitation, params: formParams, want: `"id":0,"result":` + answer},
		"by URL":              {id: `-1`, method: mcp.MethodElicitation, params: urlParams, want: `"id":-1,"result":` + answer},
		"sampling":            {id: `9007199254740993`, method: mcp.MethodSampling, params: sampleParams, want: `"id":9007199254740993,"result":` + answer},
		"sampling with tools": {id: `1`, method: mcp.MethodSampling, params: `{"messages":[],"tools":[]}`, want: `"id":1,"result":` + answer},
		"roots":               {id: `"\u00e9"`, method: mcp.MethodRoots, want: `"id":"\u00e9","result":` + answer},
		"roots, null params":  {id: `"7"`, method: mcp.MethodRoots, params: `null`, want: `"id":"7","result":` + answer},

		"error as the answer": {
			id: `1`, method: mcp.MethodSampling, params: sampleParams, want: `"id":1,"error":{"code":-7,"message":"rejected"}`,
			ask: func(context.Context, mcp.Question) (mcp.Answer, error) {
				return mcp.Answer{Error: &jsonrpc.Error{Code: -7, Message: "rejected"}}, nil
			},
		},
		"nobody":               {id: `1`, method: mcp.MethodElicitation, params: formParams, ask: nobody, want: `"code":-32600,"message":"Elicitation not supported"`},
		"answer is no object":  {id: `1`, method: mcp.MethodRoots, ask: answers(`[]`), want: `"error":{"code":-1,`},
		"roots not declared":   {id: `1`, method: mcp.MethodRoots, declares: mcp.Capabilities{Sampling: true}, want: `"code":-32601`},
		"sampling, undeclared": {id: `1`, method: mcp.MethodSampling, params: sampleParams, declares: mcp.Capabilities{Roots: true}, want: `"code":-32601`},
		"tools not declared":   {id: `1`, method: mcp.MethodSampling, params: `{"messages":[],"tools":[]}`, declares: mcp.Capabilities{Sampling: true}, want: `"code":-32602`},
		"form not declared":    {id: `1`, method: mcp.MethodElicitation, params: formParams, declares: mcp.Capabilities{ElicitationURL: true}, want: `"code":-32602`},
		"URL not declared":     {id: `1`, method: mcp.MethodElicitation, params: urlParams, declares: mcp.Capabilities{ElicitationForm: true}, want: `"code":-32602`},
		"no elicitation":       {id: `1`, method: mcp.MethodElicitation, params: formParams, declares: mcp.Capabilities{Roots: true}, want: `"code":-32601`},
		"unknown mode":         {id: `1`, method: mcp.MethodElicitation, params: `{"mode":"voice","message":"?"}`, want: `"code":-32602`},
		"no message":           {id: `1`, method: mcp.MethodElicitation, params: `{"requestedSchema":{}}`, want: `"code":-32602`},
		"no schema":            {id: `1`, method: mcp.MethodElicitation, params: `{"message":"?"}`, want: `"code":-32602`},
		"no URL":               {id: `1`, method: mcp.MethodElicitation, params: `{"mode":"url","message":"?"}`, want: `"code":-32602`},
		"no params":            {id: `1`, method: mcp.MethodElicitation, want: `"code":-32602`},
		"no messages":          {id: `1`, method: mcp.MethodSampling, params: `[]`, want: `"code":-32602`},
		"odd params of roots":  {id: `1`, method: mcp.MethodRoots, params: `[]`, want: `"code":-32602`},
		"unknown method":       {id: `1`, method: "tasks/get", want: `"code":-32601`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := mcp.Profile{Capabilities: declared, Ask: answers(answer)}
				if tt.declares != (mcp.Capabilities{}) {
					p.Capabilities = tt.declares
				}
				if tt.ask != nil {
					p.Ask = tt.ask
				}
				s := &script{}
				s.open(t, mcp.Options{}, p)
				s.ask(0, tt.id, tt.method, tt.params)
				synctest.Wait()
				if got := s.got(); len(got) != 1 || !strings.Contains(got[0], tt.want) {
					t.Errorf("the server got %q, want %s", got, tt.want)
				}
			})
		})
	}
}

// Where nobody can be asked, a capability that was declared is refused like any
// other.
func TestQuestionWithoutAsk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		s.open(t, mcp.Options{}, mcp.Profile{Capabilities: everything()})
		s.ask(0, `1`, mcp.MethodRoots, "")
		synctest.Wait()
		if got := s.got(); len(got) != 1 || !strings.Contains(got[0], `"code":-32601`) {
			t.Errorf("the server got %q", got)
		}
	})
}

// While the era is not known, or the handshake not over, only a ping is
// answered. A modern server gets no answer at all.
func TestRequestsWithoutAnswer(t *testing.T) {
	t.Parallel()
	ask := func(context.Context, mcp.Question) (mcp.Answer, error) {
		t.Error("asked")
		return mcp.Answer{}, nil
	}
	t.Run("during the handshake", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := &script{}
			s.beforeInit = func() {
				s.ask(0, `1`, mcp.MethodRoots, "")
				s.ask(0, `2`, "ping", "")
				s.ask(0, `3`, "unknown", "")
			}
			s.open(t, mcp.Options{}, mcp.Profile{Capabilities: everything(), Ask: ask})
			if got := s.got(); len(got) != 1 || got[0] != `{"jsonrpc":"2.0","id":2,"result":{}}` {
				t.Errorf("the server got %q", got)
			}
		})
	})
	t.Run("modern", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := &script{modern: true}
			s.open(t, mcp.Options{}, mcp.Profile{Capabilities: everything(), Ask: ask})
			s.ask(0, `1`, mcp.MethodRoots, "")
			s.ask(0, `2`, "ping", "")
			synctest.Wait()
			if got := s.got(); len(got) > 0 {
				t.Errorf("the server got %q", got)
			}
		})
	})
	t.Run("null id", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := &script{}
			s.open(t, mcp.Options{}, mcp.Profile{Capabilities: everything(), Ask: ask})
			s.ask(0, `null`, mcp.MethodRoots, "")
			synctest.Wait()
			if got := s.got(); len(got) > 0 {
				t.Errorf("the server got %q", got)
			}
		})
	})
}

// A question goes to the call that it belongs to, if that is known and expects
// questions, else to the session.
func TestWhoIsAsked(t *testing.T) {
	t.Parallel()
	const first, second = 1, 2 // the calls, of which only the second has an Ask
	for name, tt := range map[string]struct {
		calls []int // that are in flight
		on    int   // the stream that the question comes on, 0 for the common one
		want  string
	}{
		"no call":                     {want: "session"},
		"on a call's stream":          {calls: []int{first, second}, on: second, want: "call"},
		"on that of another":          {calls: []int{first, second}, on: first, want: "session"},
		"only call":                   {calls: []int{second}, want: "call"},
		"only call, asked for nobody": {calls: []int{first}, want: "session"},
		"two calls":                   {calls: []int{first, second}, want: "session"},
		"a call that is over":         {calls: []int{second}, on: 99, want: "session"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{handle: hangs}
				session := s.open(t, mcp.Options{}, mcp.Profile{Capabilities: everything(), Ask: answers(`{"by":"session"}`)})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ids := make(map[int]int64)
				for _, n := range tt.calls {
					c := mcp.CallTool(fmt.Sprint(n), nil)
					if n == second {
						c.Ask = answers(`{"by":"call"}`)
					}
					go func() { _, _ = session.Call(ctx, c) }()
					synctest.Wait()
					made := s.made()
					ids[n] = made[len(made)-1].ID
				}
				on := ids[tt.on]
				if tt.on == 99 {
					on = 99
				}
				s.ask(on, `"q"`, mcp.MethodRoots, "")
				synctest.Wait()
				if got := s.got(); len(got) != 1 || !strings.Contains(got[0], `"by":"`+tt.want+`"`) {
					t.Errorf("the server got %q", got)
				}
			})
		})
	}
}

// A ping that is under way takes nothing from the only call.
func TestWhoIsAskedBesidePing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{handle: hangs}
		session := s.open(t, mcp.Options{}, mcp.Profile{Capabilities: everything(), Ask: answers(`{"by":"session"}`)})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := mcp.CallTool("tool", nil)
		c.Ask = answers(`{"by":"call"}`)
		go func() { _, _ = session.Call(ctx, c) }()
		go func() { _, _ = session.Ping(ctx, nil) }()
		synctest.Wait()
		s.ask(0, `1`, mcp.MethodRoots, "")
		synctest.Wait()
		if got := s.got(); len(got) != 1 || !strings.Contains(got[0], `"by":"call"`) {
			t.Errorf("the server got %q", got)
		}
	})
}

// During a call whose caller answers less than the session's user, the server is
// refused the rest.
func TestQuestionsDuringNarrowCall(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answers *mcp.Capabilities
		want    string // of the message sent
	}{
		"absent":       {want: `"result":{}`},
		"declared":     {answers: &mcp.Capabilities{ElicitationForm: true}, want: `"result":{}`},
		"another kind": {answers: &mcp.Capabilities{Sampling: true}, want: `"code":-32601`},
		"another mode": {answers: &mcp.Capabilities{ElicitationURL: true}, want: `"code":-32602`},
		"none":         {answers: &mcp.Capabilities{}, want: `"code":-32601`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{handle: hangs}
				session := s.open(t, mcp.Options{}, mcp.Profile{Capabilities: mcp.Capabilities{Sampling: true, ElicitationForm: true, ElicitationURL: true}, Ask: nobody})
				c := mcp.CallTool("tool", nil)
				c.Ask, c.Capabilities = answers(`{}`), tt.answers
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { _, err := session.Call(ctx, c); ended <- err }()
				synctest.Wait()
				s.ask(s.made()[0].ID, `"q"`, mcp.MethodElicitation, formParams)
				synctest.Wait()
				if got := s.got(); len(got) != 1 || !strings.Contains(got[0], tt.want) {
					t.Errorf("the server got %q, want %s", got, tt.want)
				}
				cancel()
				<-ended
			})
		})
	}
}
