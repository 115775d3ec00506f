package pool_test

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
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// watch begins to watch, until the end of the test.
func watch(t *testing.T, target pool.Target, uris ...string) *pool.Watcher {
	t.Helper()
	w, err := target.Watch(t.Context(), uris)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// heard returns what the watcher has got by now, one word for each event. It is
// for bubbles.
func heard(t *testing.T, w *pool.Watcher) string {
	t.Helper()
	synctest.Wait()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errNoMore)
	var words []string
	for {
		e, err := w.Next(ctx)
		switch {
		case errors.Is(err, errNoMore):
			return strings.Join(words, " ")
		case err != nil:
			return strings.Join(append(words, fmt.Sprintf("%T", err)), " ")
		}
		if e.Time.IsZero() {
			t.Error("an event without time")
		}
		words = append(words, word(e))
	}
}

var errNoMore = errors.New("no more")

func word(e pool.Event) string {
	brief := strings.NewReplacer("notifications/", "", "resources/updated", "updated", "/list_changed", "", "message", "log")
	switch {
	case e.Notification != nil:
		return brief.Replace(e.Notification.Method)
	case e.Assumed != nil && e.Assumed.URI != "":
		return "assumed:" + e.Assumed.URI
	case e.Assumed != nil:
		return "assumed:" + brief.Replace(e.Assumed.Method)
	case e.Change != nil:
		return e.Change.To.String()
	case e.Own != nil:
		return fmt.Sprint(e.Own)
	case e.Consent != nil:
		return "consent"
	}
	return fmt.Sprintf("dropped:%d", e.Dropped)
}

func server(t *testing.T, p *pool.Pool) *pool.Server {
	t.Helper()
	s, err := p.Server("s")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t *testing.T, p *pool.Pool, o pool.OpenParams) *pool.Session {
	t.Helper()
	o.Server = server(t, p)
	s, err := p.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhoHearsWhat(t *testing.T) {
	t.Parallel()
	for name, modern := range map[string]bool{"legacy": false, "modern": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &fakeDialer{modern: modern, declares: everything, refuses: map[string]bool{"x://no": true}}
				p := newPool(t, d, &pool.Server{}, pool.Options{})
				u := shared(t, p)
				a, b := watch(t, u, "x://dir", "x://no"), watch(t, u)
				want := []string{"x://dir"}
				if modern { // the fake grants all there
					want = []string{"x://dir", "x://no"}
				}
				if !slices.Equal(a.Granted(), want) || b.Granted() != nil || a.Status().State != pool.Ready {
					t.Errorf("granted %q and %q in state %v", a.Granted(), b.Granted(), a.Status().State)
				}
				d.tell("notifications/tools/list_changed", `{}`)
				d.tell("notifications/resources/updated", `{"uri":"x://dir"}`)
				d.tell("notifications/resources/updated", `{"uri":"x://dir/part"}`)
				d.tell("notifications/resources/updated", `{"uri":"x://other"}`)
				d.tell("notifications/message", `{"level":"debug"}`)
				d.tell("notifications/new", `{}`)
				if got := heard(t, a); got != "tools updated updated log new" {
					t.Errorf("the one with the resource heard %q", got)
				}
				if got := heard(t, b); got != "tools log new" {
					t.Errorf("the other heard %q", got)
				}
			})
		})
	}
}

// What one principal causes is not for another to hear, unless the session is
// its own.
func TestPrincipalsShare(t *testing.T) {
	t.Parallel()
	for name, told := range map[string]bool{"the client knows": true, "the client does not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &fakeDialer{declares: everything}
				s := &pool.Server{Shared: true, Client: mcp.NewClient(d, mcp.Options{Shared: told})}
				p := newPool(t, d, s, pool.Options{})
				u, err := p.Shared("s", "somebody")
				if err != nil {
					t.Fatal(err)
				}
				w := watch(t, u, "x://a")
				for _, method := range []string{"message", "new", "elicitation/complete", "tasks/status", "prompts/list_changed"} {
					d.tell("notifications/"+method, `{}`)
				}
				d.tell("notifications/resources/updated", `{"uri":"x://a"}`)
				if got := heard(t, w); got != "prompts updated" {
					t.Errorf("heard %q", got)
				}
				own := watch(t, open(t, p, pool.OpenParams{Principal: "somebody"}))
				d.tell("notifications/message", `{}`)
				d.tell("notifications/new", `{}`)
				if got := heard(t, own) + heard(t, w); got != "log new" {
					t.Errorf("on a session of its own heard %q", got)
				}
			})
		})
	}
}

// What a server refused is not asked for again when something else is wanted.
func TestRefusedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything, refuses: map[string]bool{"x://no": true}}
		p := newPool(t, d, &pool.Server{}, pool.Options{})
		watch(t, shared(t, p), "x://no")
		watch(t, shared(t, p), "x://yes")
		synctest.Wait()
		if asked := d.takeAsked(); !slices.Equal(asked, []string{"resources/subscribe: x://no", "resources/subscribe: x://yes"}) {
			t.Errorf("asked %q", asked)
		}
	})
}

// What the server takes its time over ends with the pool.
func TestCloseEndsTheKeeper(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything, mute: true}
		p := newPool(t, d, &pool.Server{}, pool.Options{})
		ended := make(chan error, 1)
		go func() { _, err := shared(t, p).Watch(t.Context(), []string{"x://a"}); ended <- err }()
		synctest.Wait()
		began := time.Now()
		if err := p.Close(t.Context()); err != nil || time.Since(began) != 0 {
			t.Errorf("closed after %v: %v", time.Since(began), err)
		}
		if err := <-ended; !errors.Is(err, pool.ErrClosed) {
			t.Errorf("watched: %v", err)
		}
	})
}

// A server that does not say what it reports on is watched all the same.
func TestWatchMute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything, mute: true}
		p := newPool(t, d, &pool.Server{}, pool.Options{})
		began := time.Now()
		w := watch(t, shared(t, p), "x://a")
		if took := time.Since(began); took != 30*time.Second || w.Granted() != nil {
			t.Errorf("granted %q after %v", w.Granted(), took)
		}
		d.tell("notifications/tools/list_changed", `{}`)
		if got := heard(t, w); got != "tools" {
			t.Errorf("heard %q", got)
		}
	})
}

// What it said before of what others want is no refusal: it is asked again.
func TestWatchMuteBesideOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything, mute: true, parting: 50 * time.Millisecond}
		u := shared(t, newPool(t, d, &pool.Server{}, pool.Options{}))
		watch(t, u)
		watch(t, u, "x://a")
		d.takeAsked()
		time.Sleep(10 * time.Minute)
		if asked := d.takeAsked(); !slices.Contains(asked, "resources/subscribe: x://a") {
			t.Errorf("asked %q", asked)
		}
	})
}

func TestReconnect(t *testing.T) {
	t.Parallel()
	for name, modern := range map[string]bool{"legacy": false, "modern": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &fakeDialer{modern: modern, declares: everything}
				p := newPool(t, d, &pool.Server{}, pool.Options{})
				w := watch(t, shared(t, p), "x://a", "x://b")
				before := d.takeAsked()
				if got := heard(t, w); got != "" || len(before) == 0 {
					t.Errorf("heard %q, asked %q", got, before)
				}
				d.setDown(errRefused)
				d.transport().die(errLost)
				time.Sleep(time.Hour)
				got := heard(t, w)
				if !strings.HasPrefix(got, "TRANSIENT_FAILURE CONNECTING TRANSIENT_FAILURE") && !strings.HasPrefix(got, "IDLE CONNECTING TRANSIENT_FAILURE") {
					t.Errorf("heard %q while the server was away", got)
				}
				if n := d.dials.Load(); n < 60 || n > 400 {
					t.Errorf("%d dials in an hour", n)
				}
				d.setDown(nil)
				time.Sleep(time.Minute)
				words := strings.Fields(heard(t, w))
				if i := slices.Index(words, "READY"); i >= 0 {
					words = words[i+1:]
				}
				slices.Sort(words)
				if want := []string{"assumed:prompts", "assumed:resources", "assumed:tools", "assumed:x://a", "assumed:x://b"}; !slices.Equal(words, want) {
					t.Errorf("heard %q after READY", words)
				}
				if asked := d.takeAsked(); !slices.Equal(asked, before) {
					t.Errorf("asked %q, before %q", asked, before)
				}
			})
		})
	}
}

var errLost = &transport.Error{Kind: transport.KindExited, Delivery: transport.Unknown, Err: errors.New("crashed")}

// The loss of what a legacy session has on its server ends it, and what watches
// it.
func TestOwnedSessionEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything}
		p := newPool(t, d, &pool.Server{}, pool.Options{})
		w := watch(t, open(t, p, pool.OpenParams{}))
		d.transport().die(errLost)
		if got := heard(t, w); got != "SHUTDOWN *pool.StateLostError" {
			t.Errorf("heard %q", got)
		}
		if d.dials.Load() != 1 {
			t.Errorf("%d dials", d.dials.Load())
		}
	})
}

func TestWatchUnreachable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{dial: func(context.Context) error { return errRefused }}
		p := newPool(t, d, &pool.Server{}, pool.Options{})
		_, err := shared(t, p).Watch(t.Context(), nil)
		var where *pool.CallError
		if !errors.As(err, &where) || !errors.Is(err, errRefused) {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Hour)
		if d.dials.Load() != 1 {
			t.Errorf("%d dials though nobody watches", d.dials.Load())
		}
	})
}

// A reader that never reads costs nobody else anything.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything}
		p := newPool(t, d, &pool.Server{}, pool.Options{})
		s := open(t, p, pool.OpenParams{})
		slow, quick := watch(t, s), watch(t, s)
		for i := range 1000 {
			d.tell("notifications/tools/list_changed", `{}`)
			if i%100 == 0 {
				if n := s.Publish("question", 1); n != 2 {
					t.Errorf("published to %d", n)
				}
				heard(t, quick)
			}
		}
		if _, err := ping(t.Context(), s); err != nil {
			t.Error(err)
		}
		if got := heard(t, quick); strings.Contains(got, "dropped") || strings.Count(got, "tools") != 99 {
			t.Errorf("the quick one heard %q", got)
		}
		got := heard(t, slow)
		if n := strings.Count(got, "question"); n != 10 || !strings.Contains(got, "tools dropped:") {
			t.Errorf("the slow one heard %d questions in %q", n, got)
		}
		d.tell("notifications/tools/list_changed", `{}`)
		if got := heard(t, slow); got != "tools" {
			t.Errorf("after it has caught up it heard %q", got)
		}
	})
}

// A flood of big notifications is bounded by its bytes.
func TestBigNotifications(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDialer{declares: everything}
		w := watch(t, shared(t, newPool(t, d, &pool.Server{}, pool.Options{})))
		for range 20 {
			d.tell("notifications/new", `{"x":"`+strings.Repeat("x", 100<<10)+`"}`)
		}
		if got := heard(t, w); got != strings.Repeat("new ", 10)+"dropped:10" {
			t.Errorf("heard %q", got)
		}
	})
}
