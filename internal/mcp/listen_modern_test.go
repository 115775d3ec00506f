package mcp_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

const grantsAll = `{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["a","b"]}`

var errEOF = &transport.Error{Kind: transport.KindLost, Delivery: transport.Unknown, Err: errors.New("event stream ended")}

// both runs a test with a modern server over HTTP and over a stream that all
// messages share.
func both(t *testing.T, test func(t *testing.T, s *puppet)) {
	for name, stream := range map[string]bool{"HTTP": false, "stream": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(t, &puppet{modern: true, stream: stream}) })
		})
	}
}

// steady acknowledges subscriptions with everything, and keeps them until they
// are cancelled.
func steady(ctx context.Context, s *puppet, req *transport.Request) (*transport.Response, error) {
	if req.Method != "subscriptions/listen" {
		return nil, nil
	}
	s.acknowledge(req.ID, grantsAll)
	err := s.wait(ctx)
	s.notef("end of the request")
	return nil, err
}

func set(t *testing.T, l *mcp.Listener, want mcp.Filter) mcp.Filter {
	t.Helper()
	granted, err := l.Set(t.Context(), want)
	if err != nil {
		t.Fatalf("set %+v: %v", want, err)
	}
	return granted
}

// listen returns a listener that the end of the test closes.
func listen(t *testing.T, s *mcp.Session, told *told) *mcp.Listener {
	t.Helper()
	l := s.Listen(told.gap, told.lost)
	t.Cleanup(l.Close)
	return l
}

func wantAll(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func TestListenModern(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *puppet) {
		var id atomic.Int64
		s.call = func(ctx context.Context, s *puppet, req *transport.Request) (*transport.Response, error) {
			if !req.Endless {
				t.Error("the request is not endless")
			}
			id.Store(req.ID)
			return steady(ctx, s, req)
		}
		session, told := s.open(t, mcp.Options{})
		l := listen(t, session, told)
		granted := set(t, l, mcp.Filter{Tools: true, URIs: []string{"a", "c"}})
		if !granted.Equal(mcp.Filter{Tools: true, URIs: []string{"a"}}) {
			t.Errorf("granted %+v", granted)
		}
		wantAll(t, "heard", s.heard(), `subscriptions/listen notifications={"toolsListChanged":true,"resourceSubscriptions":["a","c"]}`)

		s.say(id.Load(), "notifications/tools/list_changed", subscribed(id.Load(), `"x":1`))
		s.say(id.Load(), "notifications/resources/updated", subscribed(id.Load(), `"uri":"a"`))
		s.say(id.Load(), "notifications/tasks", subscribed(id.Load(), `"taskId":"t"`))
		s.acknowledge(id.Load(), grantsAll) // once more
		s.acknowledge(id.Load()+1, grantsAll)
		wantAll(t, "told", told.news(), "tools/list_changed x=1", `resources/updated uri="a"`, `tasks taskId="t"`)

		set(t, l, mcp.Filter{Tools: true, URIs: []string{"a", "c"}})
		wantAll(t, "heard when the same is wanted", s.heard())
		time.Sleep(24 * time.Hour)
		wantAll(t, "heard within a day", s.heard())
	})
}

// The old subscription ends once there is a new one, or before where servers
// cannot bear two.
func TestListenModernReplace(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *puppet) {
		s.call = steady
		session, told := s.open(t, mcp.Options{})
		l := listen(t, session, told)
		set(t, l, mcp.Filter{Tools: true})
		s.heard()
		set(t, l, mcp.Filter{Prompts: true})
		synctest.Wait()
		opened := `subscriptions/listen notifications={"promptsListChanged":true}`
		if s.stream {
			wantAll(t, "heard", s.heard(), "notifications/cancelled 2", "end of the request", opened)
			wantAll(t, "told", told.news(), "gap")
		} else {
			wantAll(t, "heard", s.heard(), opened, "end of the request")
			wantAll(t, "told", told.news())
		}
		if granted := set(t, l, mcp.Filter{}); !granted.Empty() {
			t.Errorf("granted %+v of nothing", granted)
		}
		if s.stream {
			wantAll(t, "heard", s.heard(), "notifications/cancelled 3", "end of the request")
		} else {
			wantAll(t, "heard", s.heard(), "end of the request")
		}
		wantAll(t, "told", told.news())
	})
}

// A server that confirms the end of a subscription is not waited for any longer.
func TestListenModernConfirmedEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cancelled := make(chan struct{}, 1)
		s := &puppet{modern: true, stream: true, sent: func(*puppet, string, []byte) { cancelled <- struct{}{} }}
		s.call = func(_ context.Context, s *puppet, req *transport.Request) (*transport.Response, error) {
			s.acknowledge(req.ID, grantsAll)
			<-cancelled
			return nil, nil
		}
		session, told := s.open(t, mcp.Options{})
		l := listen(t, session, told)
		set(t, l, mcp.Filter{Tools: true})
		began := time.Now()
		set(t, l, mcp.Filter{})
		if took := time.Since(began); took != 0 {
			t.Errorf("the end took %v", took)
		}
	})
}

// However a subscription ends, it is opened again, at growing intervals.
func TestListenModernReopen(t *testing.T) {
	t.Parallel()
	ends := map[string]func(s *puppet, req *transport.Request) (*transport.Response, error){
		"graceful": func(*puppet, *transport.Request) (*transport.Response, error) { return nil, nil },
		"EOF":      func(*puppet, *transport.Request) (*transport.Response, error) { return nil, errEOF },
		"error": func(*puppet, *transport.Request) (*transport.Response, error) {
			return &transport.Response{Error: &jsonrpc.Error{Code: -32000}}, nil
		},
		"over the limit": func(*puppet, *transport.Request) (*transport.Response, error) {
			return &transport.Response{Error: &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Subscription limit reached"}}, nil
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, s *puppet) {
				s.call = func(_ context.Context, s *puppet, req *transport.Request) (*transport.Response, error) {
					s.acknowledge(req.ID, grantsAll)
					return end(s, req)
				}
				session, told := s.open(t, mcp.Options{})
				set(t, listen(t, session, told), mcp.Filter{Tools: true})
				time.Sleep(3 * time.Second)
				if n := len(s.heard()); n < 2 || n > 4 {
					t.Errorf("opened %d times within 3 s", n)
				}
				time.Sleep(time.Hour)
				if n := len(s.heard()); n < 90 || n > 160 {
					t.Errorf("opened %d times within an hour", n)
				}
				if news := told.news(); len(news) < 90 || slices.Index(news, "gap") != 0 {
					t.Errorf("told %d times", len(news))
				}
			})
		})
	}
}

// A subscription that has lasted is opened again soon, also after the server
// tore it down by a notification.
func TestListenModernTornDown(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *puppet) {
		var id atomic.Int64
		s.call = func(ctx context.Context, s *puppet, req *transport.Request) (*transport.Response, error) {
			id.Store(req.ID)
			return steady(ctx, s, req)
		}
		session, told := s.open(t, mcp.Options{})
		set(t, listen(t, session, told), mcp.Filter{Tools: true})
		for range 5 {
			time.Sleep(time.Hour)
			s.heard()
			s.say(id.Load(), "notifications/cancelled", `{"requestId":`+strconv.FormatInt(id.Load(), 10)+`,"reason":"shutting down"}`)
			synctest.Wait()
			wantAll(t, "heard", s.heard(), "end of the request")
			time.Sleep(time.Second)
			wantAll(t, "heard", s.heard(), `subscriptions/listen notifications={"toolsListChanged":true}`)
			wantAll(t, "told", told.news(), "gap")
		}
	})
}

// A server that asks for more time gets it.
func TestListenModernRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &puppet{modern: true}
		var calls atomic.Int64
		s.call = func(ctx context.Context, s *puppet, req *transport.Request) (*transport.Response, error) {
			if calls.Add(1) == 1 {
				s.acknowledge(req.ID, grantsAll)
				return nil, &transport.Error{Kind: transport.KindStatus, Status: 503, RetryAfter: time.Minute}
			}
			return steady(ctx, s, req)
		}
		session, told := s.open(t, mcp.Options{})
		set(t, listen(t, session, told), mcp.Filter{Tools: true})
		s.heard()
		time.Sleep(59 * time.Second)
		wantAll(t, "heard within a minute", s.heard())
		time.Sleep(2 * time.Second)
		if len(s.heard()) != 1 {
			t.Error("it was not opened again")
		}
	})
}

// A refusal to open a subscription again is final.
func TestListenModernRefusedLater(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *puppet) {
		var refuse atomic.Bool
		s.call = func(_ context.Context, s *puppet, req *transport.Request) (*transport.Response, error) {
			if refuse.Load() {
				return &transport.Response{Error: &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound}}, nil
			}
			s.acknowledge(req.ID, grantsAll)
			time.Sleep(time.Second)
			return nil, nil
		}
		session, told := s.open(t, mcp.Options{})
		l := listen(t, session, told)
		set(t, l, mcp.Filter{Tools: true})
		refuse.Store(true)
		time.Sleep(time.Hour)
		if n := len(s.heard()); n != 2 {
			t.Errorf("opened %d times", n)
		}
		wantAll(t, "told", told.news(), "gap")
		refuse.Store(false)
		set(t, l, mcp.Filter{Tools: true})
		if n := len(s.heard()); n != 1 {
			t.Errorf("opened %d times", n)
		}
	})
}

// A server that grants nothing any more is not asked again.
func TestListenModernNothingGrantedLater(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *puppet) {
		grants := grantsAll
		s.call = func(_ context.Context, s *puppet, req *transport.Request) (*transport.Response, error) {
			s.acknowledge(req.ID, grants)
			grants = `{}`
			return nil, nil
		}
		session, told := s.open(t, mcp.Options{})
		set(t, listen(t, session, told), mcp.Filter{Tools: true})
		time.Sleep(time.Hour)
		if n := len(s.heard()); n != 2 {
			t.Errorf("opened %d times", n)
		}
		wantAll(t, "told", told.news(), "gap")
	})
}

func TestListenModernRefused(t *testing.T) {
	t.Parallel()
	answer := func(code int64, message string) func(context.Context, *puppet, *transport.Request) (*transport.Response, error) {
		return func(context.Context, *puppet, *transport.Request) (*transport.Response, error) {
			return &transport.Response{Error: &jsonrpc.Error{Code: code, Message: message}}, nil
		}
	}
	tests := map[string]struct {
		call  func(context.Context, *puppet, *transport.Request) (*transport.Response, error)
		check func(err error) bool
		took  time.Duration
	}{
		"unknown method": {call: answer(jsonrpc.CodeMethodNotFound, "no"), check: func(err error) bool {
			var unsupported *mcp.UnsupportedError
			var je *jsonrpc.Error
			return errors.As(err, &unsupported) && errors.As(err, &je)
		}},
		"limit": {call: answer(jsonrpc.CodeInternalError, "Subscription limit reached"), check: func(err error) bool {
			var je *jsonrpc.Error
			return errors.As(err, &je) && je.Code == jsonrpc.CodeInternalError
		}},
		"lost": {
			call:  func(context.Context, *puppet, *transport.Request) (*transport.Response, error) { return nil, errEOF },
			check: func(err error) bool { return errors.Is(err, errEOF) },
		},
		"no acknowledgement": {
			call: func(context.Context, *puppet, *transport.Request) (*transport.Response, error) { return nil, nil },
			check: func(err error) bool {
				var re *mcp.ResultError
				return errors.As(err, &re)
			},
		},
		"silence": {
			call: func(ctx context.Context, s *puppet, _ *transport.Request) (*transport.Response, error) {
				return nil, s.wait(ctx)
			},
			check: func(err error) bool { return strings.Contains(err.Error(), "did not answer in time") },
			took:  mcp.DefaultInitializeTimeout,
		},
		"another acknowledgement": {
			call: func(ctx context.Context, s *puppet, req *transport.Request) (*transport.Response, error) {
				s.say(0, "notifications/subscriptions/acknowledged", subscribed(req.ID+7, `"notifications":`+grantsAll))
				return nil, s.wait(ctx)
			},
			check: func(err error) bool { return strings.Contains(err.Error(), "did not answer in time") },
			took:  mcp.DefaultInitializeTimeout,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, s *puppet) {
				s.call = tt.call
				session, told := s.open(t, mcp.Options{})
				l := listen(t, session, told)
				began := time.Now()
				granted, err := l.Set(t.Context(), mcp.Filter{Tools: true})
				if err == nil || !tt.check(err) || !granted.Empty() {
					t.Errorf("granted %+v, %v", granted, err)
				}
				if took := time.Since(began); took < tt.took || took > tt.took+time.Second {
					t.Errorf("took %v", took)
				}
				s.heard()
				time.Sleep(time.Hour)
				wantAll(t, "heard later", s.heard())
				wantAll(t, "told", told.news())
			})
		})
	}
}

// What was listened for goes on if the server does not take what is wanted
// instead. If it is one too many, the old one has to go first.
func TestListenModernSecondRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		refusal *jsonrpc.Error
		ok      bool
	}{
		"invalid": {refusal: &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams}},
		"limit":   {refusal: &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Subscription limit reached"}, ok: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var open atomic.Int64
				s := &puppet{modern: true}
				s.call = func(ctx context.Context, s *puppet, req *transport.Request) (*transport.Response, error) {
					defer open.Add(-1)
					if open.Add(1) > 1 {
						return &transport.Response{Error: tt.refusal}, nil
					}
					return steady(ctx, s, req)
				}
				session, told := s.open(t, mcp.Options{})
				l := listen(t, session, told)
				set(t, l, mcp.Filter{Tools: true})
				granted, err := l.Set(t.Context(), mcp.Filter{Prompts: true})
				synctest.Wait()
				if tt.ok {
					if err != nil || !granted.Equal(mcp.Filter{Prompts: true}) {
						t.Errorf("granted %+v, %v", granted, err)
					}
					wantAll(t, "told", told.news(), "gap")
				} else {
					if err == nil {
						t.Errorf("granted %+v", granted)
					}
					wantAll(t, "told", told.news())
				}
				if open.Load() != 1 {
					t.Errorf("%d subscriptions are open", open.Load())
				}
			})
		})
	}
}

// What grants nothing is not kept.
func TestListenModernNothingGranted(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *puppet) {
		s.call = func(_ context.Context, s *puppet, req *transport.Request) (*transport.Response, error) {
			s.acknowledge(req.ID, `{}`)
			return nil, nil
		}
		session, told := s.open(t, mcp.Options{})
		l := listen(t, session, told)
		if granted := set(t, l, mcp.Filter{Tools: true, Tasks: []string{"t"}}); !granted.Empty() {
			t.Errorf("granted %+v", granted)
		}
		s.heard()
		time.Sleep(time.Hour)
		wantAll(t, "heard", slices.DeleteFunc(s.heard(), func(h string) bool { return strings.HasPrefix(h, "notifications/cancelled") }))
		wantAll(t, "told", told.news())
	})
}

// A listener ends with its session, with Close and with its caller.
func TestListenEnds(t *testing.T) {
	t.Parallel()
	silent := func(ctx context.Context, s *puppet, _ *transport.Request) (*transport.Response, error) {
		return nil, s.wait(ctx)
	}
	both(t, func(t *testing.T, s *puppet) {
		s.call = steady
		session, told := s.open(t, mcp.Options{})
		l := session.Listen(told.gap, told.lost)
		set(t, l, mcp.Filter{Tools: true})
		s.die(errEOF)
		synctest.Wait()
		wantAll(t, "told", told.news())
		if n := told.ends(); n != 1 {
			t.Errorf("the end of the session was told %d times", n)
		}
		if granted, err := l.Set(t.Context(), mcp.Filter{Tools: true}); err == nil {
			t.Errorf("a dead session granted %+v", granted)
		}
		closeSession(t, session)
		if granted, err := l.Set(t.Context(), mcp.Filter{Tools: true}); err == nil {
			t.Errorf("a closed session granted %+v", granted)
		}
		l.Close()
	})
	both(t, func(t *testing.T, s *puppet) {
		s.call = silent
		session, told := s.open(t, mcp.Options{})
		l := session.Listen(told.gap, told.lost)
		go func() {
			time.Sleep(time.Second)
			l.Close()
		}()
		began := time.Now()
		if granted, err := l.Set(t.Context(), mcp.Filter{Tools: true}); err == nil || time.Since(began) > 2*time.Second {
			t.Errorf("granted %+v, %v after %v", granted, err, time.Since(began))
		}
		l.Close()
		if _, err := l.Set(t.Context(), mcp.Filter{}); err == nil {
			t.Error("a closed listener listens")
		}
	})
	both(t, func(t *testing.T, s *puppet) {
		s.call = silent
		session, told := s.open(t, mcp.Options{})
		l := listen(t, session, told)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() { _, _ = l.Set(t.Context(), mcp.Filter{Tools: true}) }()
		synctest.Wait()
		if _, err := l.Set(ctx, mcp.Filter{Tools: true}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}
