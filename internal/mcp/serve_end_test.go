package mcp_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// A call that the server asks something during, which nobody answers, ends, and
// says what was asked.
func TestUnansweredCall(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		call, session mcp.Ask
		on            int64
	}{
		"the call's own": {call: nobody, session: answers(`{}`), on: 1},
		"the only one":   {call: nobody, session: answers(`{}`)},
		"the session's":  {session: nobody, on: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{handle: hangs}
				session := s.open(t, mcp.Options{}, mcp.Profile{Capabilities: everything(), Ask: tt.session})
				ended := make(chan error, 1)
				c := mcp.CallTool("tool", nil)
				c.Ask = tt.call
				go func() { _, err := session.Call(t.Context(), c); ended <- err }()
				synctest.Wait()
				id := s.made()[0].ID
				s.ask(tt.on*id, `"q"`, mcp.MethodElicitation, formParams)
				err := <-ended
				synctest.Wait()
				var required *mcp.InputRequiredError
				want := `{"inputRequests":{"\"q\"":{"method":"elicitation/create","params":` + formParams + `}}}`
				if !errors.As(err, &required) || string(required.Result) != want || mcp.DeliveryOf(err) != transport.Answered {
					t.Errorf("the call ended with %#v", err)
				}
				got := s.got()
				if !slices.ContainsFunc(got, func(m string) bool { return strings.Contains(m, `"id":"q","error":{"code":-32600`) }) ||
					!slices.ContainsFunc(got, func(m string) bool {
						return strings.Contains(m, "notifications/cancelled") && strings.Contains(m, fmt.Sprintf(`"requestId":%d`, id))
					}) || len(got) != 2 {
					t.Errorf("the server got %q", got)
				}
			})
		})
	}
}

// What the server asks by itself is no reason to end a call that expects no
// questions, even if it is the only one.
func TestUnansweredSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{handle: hangs}
		session := s.open(t, mcp.Options{}, mcp.Profile{Capabilities: everything(), Ask: nobody})
		ended := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _, err := session.Call(ctx, mcp.CallTool("tool", nil)); ended <- err }()
		synctest.Wait()
		for range 2 { // an id is free again when it was answered
			s.ask(0, `0`, mcp.MethodRoots, "")
			synctest.Wait()
		}
		if got := s.got(); len(got) != 2 || got[0] != got[1] || !strings.Contains(got[0], `"id":0,"error":{"code":-32600`) {
			t.Errorf("the server got %q", got)
		}
		if len(ended) > 0 {
			t.Errorf("the call ended with %v", <-ended)
		}
	})
}

// In the time for an answer a person may not have answered. That is no failure
// of the call.
func TestAskTimeout(t *testing.T) {
	t.Parallel()
	for method, tt := range map[string]struct{ params, want string }{
		mcp.MethodElicitation: {formParams, `"result":{"action":"cancel"}`},
		mcp.MethodSampling:    {sampleParams, `"error":{"code":-1,"message":"no answer in time"}`},
		mcp.MethodRoots:       {`{}`, `"error":{"code":-1,"message":"no answer in time"}`},
	} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{answered: make(chan struct{})}
				s.handle = s.whenAnswered
				session := s.open(t, mcp.Options{AskTimeout: time.Minute}, mcp.Profile{Capabilities: everything()})
				c := mcp.CallTool("tool", nil)
				c.Ask = waits(make(chan error, 1))
				ended := make(chan error, 1)
				go func() { _, err := session.Call(t.Context(), c); ended <- err }()
				synctest.Wait()
				s.ask(s.made()[0].ID, `1`, method, tt.params)
				time.Sleep(time.Minute - time.Nanosecond)
				synctest.Wait()
				if got := s.got(); len(got) > 0 {
					t.Fatalf("answered before the time was over: %q", got)
				}
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				if got := s.got(); len(got) != 1 || !strings.Contains(got[0], tt.want) {
					t.Errorf("the server got %q", got)
				}
				close(s.answered)
				if err := <-ended; err != nil {
					t.Errorf("the call ended with %v", err)
				}
			})
		})
	}
}

// An Ask learns that its answer is not wanted any more.
func TestAskEnds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		own  bool // the question belongs to the call
		end  func(t *testing.T, s *script, session *mcp.Session, cancel func())
		want []string // of what the server gets
	}{
		"withdrawn": {
			end: func(_ *testing.T, s *script, _ *mcp.Session, _ func()) { s.cancel(`"q"`) },
		},
		"session closed": {
			end: func(t *testing.T, _ *script, session *mcp.Session, _ func()) { closeSession(t, session) },
		},
		"call cancelled": {
			own:  true,
			end:  func(_ *testing.T, _ *script, _ *mcp.Session, cancel func()) { cancel() },
			want: []string{"notifications/cancelled", `"id":"q","error":{"code":-1,`},
		},
		"call answered": {
			own:  true,
			end:  func(_ *testing.T, s *script, _ *mcp.Session, _ func()) { close(s.answered) },
			want: []string{`"id":"q","error":{"code":-1,`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{answered: make(chan struct{})}
				s.handle = s.whenAnswered
				why := make(chan error, 1)
				session := s.open(t, mcp.Options{}, mcp.Profile{Capabilities: everything(), Ask: waits(why)})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go func() { _, _ = session.Call(ctx, mcp.CallTool("tool", nil)) }()
				synctest.Wait()
				on := int64(0)
				if tt.own {
					on = s.made()[0].ID
				}
				s.ask(on, `"q"`, mcp.MethodElicitation, formParams)
				s.cancel(`"another"`)
				synctest.Wait()
				if len(why) > 0 {
					t.Fatalf("ended before: %v", <-why)
				}
				began := time.Now()
				tt.end(t, s, session, cancel)
				synctest.Wait()
				if len(why) == 0 || time.Since(began) > 0 {
					t.Fatal("the Ask goes on")
				}
				got := s.got()
				if len(got) != len(tt.want) {
					t.Fatalf("the server got %q", got)
				}
				for _, want := range tt.want {
					if !slices.ContainsFunc(got, func(m string) bool { return strings.Contains(m, want) }) {
						t.Errorf("the server got %q, not %s", got, want)
					}
				}
			})
		})
	}
}

// A server cannot have any number of questions asked at once, nor two under one
// id. Its pings are answered meanwhile.
func TestTooManyQuestions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		why := make(chan error, 100)
		session := s.open(t, mcp.Options{}, mcp.Profile{Capabilities: everything(), Ask: waits(why)})
		for n := range 64 {
			s.ask(0, fmt.Sprint(n), mcp.MethodRoots, "")
		}
		s.ask(0, `7`, mcp.MethodRoots, "")
		synctest.Wait()
		if got := s.got(); len(got) > 0 {
			t.Fatalf("the server got %q", got)
		}
		s.ask(0, `64`, mcp.MethodRoots, "")
		s.ask(0, `"p"`, "ping", "")
		synctest.Wait()
		got := s.got()
		slices.Sort(got)
		if len(got) != 2 || !strings.Contains(got[0], `"id":"p","result"`) || !strings.Contains(got[1], `"id":64,"error":{"code":-32603`) {
			t.Errorf("the server got %q", got)
		}
		closeSession(t, session)
		if len(why) != 64 {
			t.Errorf("%d questions were asked", len(why))
		}
	})
}

// What comes when a session is closed starts nothing that nobody waits for.
func TestAskedWhenClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		ask := func(context.Context, mcp.Question) (mcp.Answer, error) { asked++; return mcp.Answer{}, mcp.ErrNobody }
		s := &script{handle: hangs}
		session := s.open(t, mcp.Options{}, mcp.Profile{Capabilities: everything(), Ask: ask})
		if err := session.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			s.ask(0, fmt.Sprint(i), "ping", "")
			s.ask(0, fmt.Sprint(i), mcp.MethodElicitation, formParams)
		}
		synctest.Wait()
		if got := s.got(); asked != 0 || len(got) != 0 {
			t.Errorf("asked %d times, the server got %q", asked, got)
		}
	})
}
