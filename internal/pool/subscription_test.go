package pool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// Each session on an upstream hears of what it has subscribed to; the server
// hears of each resource once.
func TestSubscriptionsAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything}
		p := newPool(t, d, &pool.Server{}, pool.Options{})
		lease := func() *pool.Session { return open(t, p, pool.OpenParams{Lease: true}) }
		a, b := lease(), lease()
		wa, wb, ws := watch(t, a), watch(t, b), watch(t, shared(t, p), "x://1")
		steps := []struct {
			name       string
			do         func() error
			asked      string
			wa, wb, ws bool
		}{
			{"the stream", func() error { return nil }, "resources/subscribe: x://1", false, false, true},
			{"a", func() error { return a.Subscribe(t.Context(), "x://1") }, "", true, false, true},
			{"a again", func() error { return a.Subscribe(t.Context(), "x://1") }, "", true, false, true},
			{"b", func() error { return b.Subscribe(t.Context(), "x://1") }, "", true, true, true},
			{"not a", func() error { return a.Unsubscribe(t.Context(), "x://1") }, "", false, true, true},
			{"not a again", func() error { return a.Unsubscribe(t.Context(), "x://1") }, "", false, true, true},
			{"not the stream", func() error { ws.Close(); return nil }, "", false, true, false},
			{"not b", func() error { return p.CloseSession("", b.ID) }, "resources/unsubscribe: x://1", false, false, false},
		}
		for _, step := range steps {
			if err := step.do(); err != nil {
				t.Errorf("%s: %v", step.name, err)
			}
			synctest.Wait()
			if got := strings.Join(d.takeAsked(), ", "); got != step.asked {
				t.Errorf("%s: asked %q", step.name, got)
			}
			d.tell("notifications/resources/updated", `{"uri":"x://1"}`)
			if got := []bool{heard(t, wa) == "updated", heard(t, wb) == "updated", heard(t, ws) == "updated"}; !slices.Equal(got, []bool{step.wa, step.wb, step.ws}) {
				t.Errorf("%s: heard by %v", step.name, got)
			}
		}
	})
}

func TestSubscribeRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything, refuses: map[string]bool{"x://no": true}}
		s := open(t, newPool(t, d, &pool.Server{}, pool.Options{}), pool.OpenParams{})
		if err := s.Subscribe(t.Context(), "x://yes"); err != nil {
			t.Fatal(err)
		}
		err := s.Subscribe(t.Context(), "x://no")
		var refused *pool.RefusedError
		var where *pool.CallError
		if !errors.As(err, &refused) || refused.URI != "x://no" || !errors.As(err, &where) || where.Delivery != transport.Answered {
			t.Errorf("got %v", err)
		}
		d.takeAsked()
		if err := s.Subscribe(t.Context(), "x://yes/too"); err != nil {
			t.Error(err)
		}
		if asked := d.takeAsked(); !slices.Equal(asked, []string{"resources/subscribe: x://yes/too"}) {
			t.Errorf("asked %q", asked)
		}
	})
}

// A server that has no subscriptions says so, and goes on telling the rest.
func TestSubscribeUnsupported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: `{"tools":{"listChanged":true}}`}
		p := newPool(t, d, &pool.Server{}, pool.Options{})
		s := open(t, p, pool.OpenParams{})
		var unsupported *mcp.UnsupportedError
		if err := s.Subscribe(t.Context(), "x://a"); !errors.As(err, &unsupported) {
			t.Errorf("subscribe: %v", err)
		}
		if err := s.SetLevel(t.Context(), "info"); !errors.As(err, &unsupported) || s.Level() != "" {
			t.Errorf("set the level: %v, now %q", err, s.Level())
		}
		w := watch(t, shared(t, p), "x://a")
		d.tell("notifications/tools/list_changed", `{}`)
		if got := heard(t, w); got != "tools" || len(w.Granted()) > 0 {
			t.Errorf("heard %q, granted %q", got, w.Granted())
		}
		d.transport().die(errLost)
		if got := heard(t, w); !strings.Contains(got, "assumed:tools") && !strings.Contains(got, "TRANSIENT") {
			t.Errorf("after the loss heard %q", got)
		}
	})
}

// The server logs what any session wants, and each session gets what it wants.
func TestLogLevels(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything}
		p := newPool(t, d, &pool.Server{IdleTimeout: time.Minute}, pool.Options{SessionIdle: time.Hour})
		a, b := open(t, p, pool.OpenParams{Lease: true}), open(t, p, pool.OpenParams{Lease: true})
		wa, wb := watch(t, a), watch(t, b)
		level := func(s *pool.Session, level, asked string) {
			t.Helper()
			if err := s.SetLevel(t.Context(), level); err != nil || s.Level() != level {
				t.Errorf("set to %q: %v", s.Level(), err)
			}
			if got := strings.Join(d.takeAsked(), ", "); got != asked {
				t.Errorf("%q: asked %q", level, got)
			}
		}
		level(a, "error", "logging/setLevel: error")
		level(b, "critical", "")
		level(b, "info", "logging/setLevel: info")
		for _, l := range []string{"debug", "info", "error", "emergency"} {
			d.tell("notifications/message", fmt.Sprintf(`{"level":%q}`, l))
		}
		if got := heard(t, wa) + "; " + heard(t, wb); got != "log log; log log log" {
			t.Errorf("heard %q", got)
		}
		// The level comes back with the session, though nobody watches.
		wa.Close()
		wb.Close()
		if _, err := ping(t.Context(), a); err != nil {
			t.Error(err)
		}
		d.transport().die(errLost)
		if _, err := ping(t.Context(), a); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if got := strings.Join(d.takeAsked(), ", "); got != "logging/setLevel: info" {
			t.Errorf("on the new session asked %q", got)
		}
		if err := p.CloseSession("", b.ID); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if got := strings.Join(d.takeAsked(), ", "); got != "logging/setLevel: error" {
			t.Errorf("when one has left asked %q", got)
		}
	})
}

// A level that the server refused is not asked for again.
func TestLogLevelRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything, refuses: map[string]bool{"debug": true}}
		s := open(t, newPool(t, d, &pool.Server{}, pool.Options{}), pool.OpenParams{})
		if err := s.SetLevel(t.Context(), "error"); err != nil {
			t.Error(err)
		}
		var where *pool.CallError
		if err := s.SetLevel(t.Context(), "debug"); !errors.As(err, &where) || s.Level() != "error" {
			t.Errorf("%v, now %q", err, s.Level())
		}
		d.takeAsked()
		if err := s.Subscribe(t.Context(), "x://a"); err != nil {
			t.Error(err)
		}
		if asked := d.takeAsked(); !slices.Equal(asked, []string{"resources/subscribe: x://a"}) {
			t.Errorf("asked %q", asked)
		}
	})
}

// A legacy server that may ask questions has a way for them for as long as the
// session lasts.
func TestWayForQuestions(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		modern bool
		o      pool.OpenParams
		ways   int64
	}{
		"questions":         {false, pool.OpenParams{Capabilities: forms}, 1},
		"roots":             {false, pool.OpenParams{Roots: json.RawMessage(`[]`)}, 1},
		"no questions":      {false, pool.OpenParams{}, 0},
		"questions, modern": {true, pool.OpenParams{Capabilities: forms}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &fakeDialer{declares: everything, modern: tt.modern}
				p := newPool(t, d, &pool.Server{}, pool.Options{})
				s := open(t, p, tt.o)
				synctest.Wait()
				if n := d.listening.Load(); n != tt.ways || len(d.takeAsked()) > 0 {
					t.Errorf("%d ways", n)
				}
				if err := p.CloseSession("", s.ID); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				if n := d.listening.Load(); n != 0 {
					t.Errorf("%d ways after its end", n)
				}
			})
		})
	}
}

// A session whose server may ask is open when the server has a way to do so, or
// takes too long for it.
func TestOpenWaitsForTheWay(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		dialer *fakeDialer
		o      pool.OpenParams
		want   time.Duration
	}{
		"questions":         {&fakeDialer{opening: 500 * time.Millisecond}, pool.OpenParams{Capabilities: forms}, 500 * time.Millisecond},
		"no sign of a way":  {&fakeDialer{opening: time.Hour}, pool.OpenParams{Capabilities: forms}, time.Second},
		"no questions":      {&fakeDialer{opening: time.Hour}, pool.OpenParams{}, 0},
		"questions, modern": {&fakeDialer{opening: time.Hour, modern: true}, pool.OpenParams{Capabilities: forms}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPool(t, tt.dialer, &pool.Server{}, pool.Options{})
				began := time.Now()
				open(t, p, tt.o)
				if took := time.Since(began); took != tt.want {
					t.Errorf("open after %v, want %v", took, tt.want)
				}
			})
		})
	}
}

// A modern server has no state behind its connections, so sessions share one,
// unless they differ in how they are opened.
func TestModernSessionsShare(t *testing.T) {
	t.Parallel()
	d, other := &fakeDialer{modern: true}, &fakeDialer{modern: true}
	p := newPool(t, d, &pool.Server{}, pool.Options{})
	tests := []struct {
		o     pool.OpenParams
		share bool
	}{
		{pool.OpenParams{}, false}, // not known yet for modern
		{pool.OpenParams{}, true},
		{pool.OpenParams{Capabilities: forms}, true},
		{pool.OpenParams{Roots: json.RawMessage(`[]`)}, true},
		{pool.OpenParams{Protocol: "2026-07-28"}, false},
		{pool.OpenParams{ClientInfo: mcp.Implementation{Name: "me"}}, false},
		{pool.OpenParams{Client: mcp.NewClient(other, mcp.Options{})}, false},
	}
	for _, tt := range tests {
		if s := open(t, p, tt.o); s.Lease != tt.share {
			t.Errorf("%+v: shares %v", tt.o, s.Lease)
		}
	}
	if d.dials.Load() != 4 || other.dials.Load() != 1 {
		t.Errorf("%d dials, %d of the caller's own", d.dials.Load(), other.dials.Load())
	}
}

// A modern server is told the level with each call, by whoever calls.
func TestLogLevelModern(t *testing.T) {
	t.Parallel()
	d := &fakeDialer{modern: true}
	s := open(t, newPool(t, d, &pool.Server{}, pool.Options{}), pool.OpenParams{})
	if err := s.SetLevel(t.Context(), "debug"); err != nil || s.Level() != "debug" || len(d.takeAsked()) > 0 {
		t.Errorf("%v, now %q", err, s.Level())
	}
}

// Subscriptions come to nothing when they are not answered.
func TestSubscribeInVain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything, mute: true}
		s := open(t, newPool(t, d, &pool.Server{}, pool.Options{}), pool.OpenParams{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := s.Subscribe(ctx, "x://a"); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestSessionAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything}
		p := newPool(t, d, &pool.Server{}, pool.Options{})
		asked := ""
		s := open(t, p, pool.OpenParams{
			Capabilities: mcp.Capabilities{ElicitationForm: true},
			Roots:        json.RawMessage(`[{"uri":"file:///a"}]`),
			Ask: func(_ context.Context, q mcp.Question) (mcp.Answer, error) {
				asked = q.Method
				return mcp.Answer{Result: []byte(`{}`)}, nil
			},
		})
		if want := (mcp.Capabilities{ElicitationForm: true, Roots: true}); s.Capabilities() != want {
			t.Errorf("declared %+v", s.Capabilities())
		}
		d.ask(1, "roots/list", `{}`)
		d.ask(2, "elicitation/create", `{"message":"?","requestedSchema":{"type":"object","properties":{}}}`)
		if got := d.answers(); len(got) != 2 || asked != "elicitation/create" ||
			!slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, `"result":{"roots":[{"uri":"file:///a"}]}`) }) {
			t.Errorf("asked for %q, answered %q", asked, got)
		}
		if err := s.SetRoots(t.Context(), json.RawMessage(`[]`)); err != nil {
			t.Error(err)
		}
		d.ask(3, "roots/list", `{}`)
		if got := d.answers(); len(got) != 2 || !strings.Contains(got[0], "notifications/roots/list_changed") || !strings.Contains(got[1], `{"roots":[]}`) {
			t.Errorf("after a change %q", got)
		}
		if err := s.SendProgress(t.Context(), mcp.Progress{Token: []byte(`"t"`), Progress: 1}); err != nil {
			t.Error(err)
		}
		if got := d.answers(); len(got) != 1 || !strings.Contains(got[0], `"progressToken":"t"`) {
			t.Errorf("progress %q", got)
		}
		plain := open(t, p, pool.OpenParams{})
		d.ask(4, "roots/list", `{}`)
		if got := d.answers(); len(got) != 1 || !strings.Contains(got[0], "-32601") {
			t.Errorf("answered by a session without roots: %q", got)
		}
		if _, err := plain.Ask(t.Context(), mcp.Question{Method: mcp.MethodRoots}); !errors.Is(err, mcp.ErrNobody) {
			t.Errorf("got %v", err)
		}
	})
}

// That a level was refused to one session is no concern of another.
func TestLevelRefusedToAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything, refuses: map[string]bool{"debug": true}}
		p := newPool(t, d, &pool.Server{}, pool.Options{})
		a, b := open(t, p, pool.OpenParams{Lease: true}), open(t, p, pool.OpenParams{Lease: true})
		defer watch(t, a).Close()
		for _, step := range []struct {
			session *pool.Session
			level   string
			ok      bool
		}{{a, "info", true}, {a, "debug", false}, {b, "warning", true}} {
			if err := step.session.SetLevel(t.Context(), step.level); (err == nil) != step.ok {
				t.Errorf("%s: %v", step.level, err)
			}
		}
	})
}
