package mcp_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

const reporting = `{"tools":{"listChanged":true},"prompts":{},"resources":{"subscribe":true,"listChanged":true}}`

func TestListenLegacy(t *testing.T) {
	t.Parallel()
	for name, stream := range map[string]bool{"HTTP": false, "stream": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { listensLegacy(t, &puppet{stream: stream, capabilities: reporting}) })
		})
	}
}

func listensLegacy(t *testing.T, s *puppet) {
	session, told := s.open(t, mcp.Options{})
	l := listen(t, session, told)
	granted := set(t, l, mcp.Filter{Tools: true, Prompts: true, Resources: true, URIs: []string{"a", "b"}})
	if !granted.Equal(mcp.Filter{Tools: true, Resources: true, URIs: []string{"a", "b"}}) {
		t.Errorf("granted %+v", granted)
	}
	heard := []string{`resources/subscribe uri="a"`, `resources/subscribe uri="b"`}
	if !s.stream { // elsewhere the way in is there
		heard = append([]string{"open the way in"}, heard...)
	}
	wantAll(t, "heard", s.heard(), heard...)

	s.say(0, "notifications/tools/list_changed", ``)
	s.say(0, "notifications/resources/updated", `{"uri":"a"}`)
	wantAll(t, "told", told.news(), "tools/list_changed", `resources/updated uri="a"`)

	set(t, l, mcp.Filter{URIs: []string{"b", "c"}})
	wantAll(t, "heard", s.heard(), `resources/unsubscribe uri="a"`, `resources/subscribe uri="c"`)
	set(t, l, mcp.Filter{})
	wantAll(t, "heard", s.heard(), `resources/unsubscribe uri="b"`, `resources/unsubscribe uri="c"`)
	l.Close()
	if !s.stream {
		wantAll(t, "heard", s.heard(), "the way in is over")
	}
	wantAll(t, "told", told.news())
}

// A resource that the server refuses does not harm the others, and is asked for
// again.
func TestListenLegacyRefusedResource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &puppet{capabilities: reporting}
		s.call = func(_ context.Context, _ *puppet, req *transport.Request) (*transport.Response, error) {
			if string(rawjson.Get(req.Params, "uri")) == `"b"` {
				return &transport.Response{Error: &jsonrpc.Error{Code: -32002, Message: "no such resource"}}, nil
			}
			return nil, nil
		}
		session, told := s.open(t, mcp.Options{})
		l := listen(t, session, told)
		for range 2 {
			granted, err := l.Set(t.Context(), mcp.Filter{URIs: []string{"a", "b", "c"}})
			var je *jsonrpc.Error
			if !errors.As(err, &je) || je.Code != -32002 || !granted.Equal(mcp.Filter{URIs: []string{"a", "c"}}) {
				t.Errorf("granted %+v, %v", granted, err)
			}
		}
		wantAll(t, "heard", s.heard(), "open the way in", `resources/subscribe uri="a"`, `resources/subscribe uri="b"`,
			`resources/subscribe uri="c"`, `resources/subscribe uri="b"`)
	})
}

// What the server was not told, because it could not be reached, is told the
// next time.
func TestListenLegacyLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &puppet{capabilities: reporting}
		session, told := s.open(t, mcp.Options{})
		l := listen(t, session, told)
		set(t, l, mcp.Filter{URIs: []string{"a"}})
		s.heard()
		s.call = func(context.Context, *puppet, *transport.Request) (*transport.Response, error) { return nil, errEOF }
		for range 2 {
			if granted, err := l.Set(t.Context(), mcp.Filter{URIs: []string{"b"}}); !errors.Is(err, errEOF) {
				t.Errorf("granted %+v, %v", granted, err)
			}
		}
		s.call = nil
		set(t, l, mcp.Filter{URIs: []string{"b"}})
		wantAll(t, "heard", s.heard(), `resources/unsubscribe uri="a"`, `resources/unsubscribe uri="a"`,
			`resources/unsubscribe uri="a"`, `resources/subscribe uri="b"`)
	})
}

func TestListenLegacyUndeclared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &puppet{capabilities: `{"resources":{"subscribe":false}}`}
		session, told := s.open(t, mcp.Options{})
		var unsupported *mcp.UnsupportedError
		granted, err := listen(t, session, told).Set(t.Context(), mcp.Filter{Tools: true, URIs: []string{"a"}})
		if !errors.As(err, &unsupported) || !granted.Empty() {
			t.Errorf("granted %+v, %v", granted, err)
		}
		if err := session.SetLevel(t.Context(), "info"); !errors.As(err, &unsupported) {
			t.Errorf("set level: %v", err)
		}
		wantAll(t, "heard", s.heard())
	})
}

// The way in may not be there, may be there without a sign, and may break.
func TestListenLegacyWayIn(t *testing.T) {
	t.Parallel()
	refused := &transport.Error{Kind: transport.KindStatus, Status: 405}
	tests := map[string]struct {
		listen  func(ctx context.Context, s *puppet, opened func(resumed bool)) error
		granted bool
		took    time.Duration
		told    []string
	}{
		"refused": {listen: func(context.Context, *puppet, func(bool)) error { return refused }},
		"no sign": {
			listen:  func(ctx context.Context, s *puppet, _ func(bool)) error { return s.wait(ctx) },
			granted: true, took: time.Second,
		},
		"resumed": {
			listen: func(ctx context.Context, s *puppet, opened func(bool)) error {
				opened(false)
				time.Sleep(time.Minute)
				opened(true)
				return s.wait(ctx)
			},
			granted: true,
		},
		"broken": {
			listen: func(ctx context.Context, s *puppet, opened func(bool)) error {
				opened(false)
				time.Sleep(time.Minute)
				opened(false)
				return s.wait(ctx)
			},
			granted: true, told: []string{"gap"},
		},
		"refused later": {
			listen: func(_ context.Context, _ *puppet, opened func(bool)) error {
				opened(false)
				time.Sleep(time.Minute)
				return refused
			},
			granted: true, told: []string{"gap"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &puppet{capabilities: reporting, listen: tt.listen}
				session, told := s.open(t, mcp.Options{})
				l := listen(t, session, told)
				began := time.Now()
				if granted := set(t, l, mcp.Filter{Tools: true}); granted.Tools != tt.granted {
					t.Errorf("granted %+v", granted)
				}
				if took := time.Since(began); took != tt.took {
					t.Errorf("took %v", took)
				}
				time.Sleep(time.Hour)
				wantAll(t, "told", told.news(), tt.told...)
				began = time.Now()
				set(t, l, mcp.Filter{Tools: true, Resources: true})
				if n := len(s.heard()); n > 2 || time.Since(began) > 0 {
					t.Errorf("the way in was opened again: %d, %v", n, time.Since(began))
				}
			})
		})
	}
}

func TestListenLegacyEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &puppet{capabilities: reporting}
		session, told := s.open(t, mcp.Options{})
		l := session.Listen(told.gap, told.lost)
		set(t, l, mcp.Filter{Tools: true, URIs: []string{"a"}})
		s.heard()
		closeSession(t, session)
		if granted, err := l.Set(t.Context(), mcp.Filter{Tools: true, URIs: []string{"b"}}); err == nil {
			t.Errorf("a closed session granted %+v", granted)
		}
		l.Close()
		wantAll(t, "heard", s.heard(), "the way in is over")
		wantAll(t, "told", told.news())
	})
}

// Who listens hears of the end of the session, however the server tells and
// whether it has a way to do so, until the listener is closed.
func TestListenLost(t *testing.T) {
	t.Parallel()
	none := func(context.Context, *puppet, func(bool)) error { return transport.ErrNoStream }
	tests := map[string]struct {
		puppet *puppet
		closed bool
		want   int
	}{
		"HTTP":                  {puppet: new(puppet), want: 1},
		"HTTP without a stream": {puppet: &puppet{listen: none}, want: 1},
		"a stream":              {puppet: &puppet{stream: true}, want: 1},
		"closed":                {puppet: new(puppet), closed: true},
		"a stream, closed":      {puppet: &puppet{stream: true}, closed: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := tt.puppet
				s.capabilities = reporting
				session, told := s.open(t, mcp.Options{})
				l := session.Listen(told.gap, told.lost)
				set(t, l, mcp.Filter{Tools: true})
				if tt.closed {
					l.Close()
				}
				s.die(errEOF)
				synctest.Wait()
				if n := told.ends(); n != tt.want {
					t.Errorf("the end was told %d times, want %d", n, tt.want)
				}
				l.Close()
				closeSession(t, session)
			})
		})
	}
}
