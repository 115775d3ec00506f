package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// listenPatience is for how long the tests listen to a stream that stays open.
const listenPatience = 10 * time.Minute

type listenCase struct {
	replies   []reply // to GETs
	noSession bool

	fails    Kind // KindCanceled if it goes on
	none     bool // ErrNoStream
	ids      []string
	opened   []bool
	received []string
}

func listenCases() map[string]listenCase {
	open := func(body string) reply { return reply{body: body, open: true} }
	refused := func(r reply) listenCase {
		return listenCase{replies: []reply{r}, fails: KindStatus, none: true, ids: []string{""}}
	}
	none := refused(reply{header: http.Header{"Content-Type": {"application/json"}}, body: "{}"})
	none.fails = KindProtocol
	return map[string]listenCase{
		"open": {
			replies: []reply{open(": ok\n\ndata: {\"method\":\"a\"}\n\ndata: {\"id\":0,\"method\":\"roots/list\"}\n\n")},
			fails:   KindCanceled, ids: []string{""}, opened: []bool{false}, received: []string{"0 a ", "0 roots/list 0"},
		},
		"what changes nothing": {
			replies: []reply{open("data: hello\n\ndata: {\"id\":0,\"result\":\"\xff\"}\n\ndata: {\"id\":0,\"result\":1}\n\ndata: {\"error\":{}}\n\ndata: {\"id\":99,\"result\":1}\n\nevent: x\ndata: y\n\ndata: [{\"method\":\"a\"}]\n\n")},
			fails:   KindCanceled, ids: []string{""}, opened: []bool{false}, received: []string{"0 a "},
		},
		"broken": {
			replies: []reply{says("id: 1\ndata: {\"method\":\"a\"}\n\n"), {body: "id: 2\n\n", broken: io.ErrUnexpectedEOF}, open("")},
			fails:   KindCanceled, ids: []string{"", "1", "2"}, opened: []bool{false, true, true}, received: []string{"0 a "},
		},
		"broken without id": {
			replies: []reply{says(": ok\n\n"), open("")}, fails: KindCanceled, ids: []string{"", ""}, opened: []bool{false, false},
		},
		"busy": {
			replies: []reply{status(503), status(429), {err: io.EOF}, open("")},
			fails:   KindCanceled, ids: []string{"", "", "", ""}, opened: []bool{false},
		},
		"not noticed": {
			replies: []reply{says("id: 1\n\n"), status(409), open("")}, fails: KindCanceled, ids: []string{"", "1", "1"}, opened: []bool{false, true},
		},
		"events are gone": {
			replies: []reply{says("id: 1\n\n"), status(400), open("")}, fails: KindCanceled, ids: []string{"", "1", ""}, opened: []bool{false, false},
		},
		"too long": {
			replies: []reply{says("id: 1\n\ndata: " + strings.Repeat("x", 5000) + "\n\n"), open("")},
			fails:   KindCanceled, ids: []string{"", ""}, opened: []bool{false, false},
		},
		"much": {
			replies: []reply{open(strings.Repeat(": "+strings.Repeat("x", 1000)+"\n", 100) + "data: {\"method\":\"a\"}\n\n")},
			fails:   KindCanceled, ids: []string{""}, opened: []bool{false}, received: []string{"0 a "},
		},
		"no such route":        refused(status(404)),
		"session lost":         {replies: []reply{{status: 404, body: `{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}`}}, fails: KindSessionLost, ids: []string{""}},
		"session lost later":   {replies: []reply{primed("1"), status(404)}, fails: KindSessionLost, ids: []string{"", "1"}, opened: []bool{false}},
		"stream taken away":    {replies: []reply{says(": ok\n\n"), status(405)}, fails: KindStatus, none: true, ids: []string{"", ""}, opened: []bool{false}},
		"not allowed":          refused(status(405)),
		"taken":                refused(status(409)),
		"bad request":          refused(status(400)),
		"unauthorized":         refused(status(401)),
		"JSON-RPC error":       refused(reply{status: 400, body: `{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no"}}`}),
		"not found, sessions":  {replies: []reply{status(404)}, noSession: true, fails: KindStatus, none: true, ids: []string{""}},
		"JSON":                 none,
		"redirect":             {replies: []reply{{status: 307, header: http.Header{"Location": {"/x"}}}}, fails: KindRedirect, ids: []string{""}},
		"address is forbidden": {replies: []reply{{err: ErrForbidden}}, fails: KindForbidden, ids: []string{""}},
	}
}

func TestHTTPListen(t *testing.T) {
	t.Parallel()
	for name, tt := range listenCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { tt.run(t) })
		})
	}
}

func (tt listenCase) run(t *testing.T) {
	t.Helper()
	var box inbox
	server := &script{replies: append([]reply{{}}, tt.replies...), noSession: tt.noSession}
	tr := server.dial(t, box.receive, Limits{MessageBytes: 4000, CallBytes: 4000})
	tr.headers.get(tr.dialer, "2025-06-18", tr.session.Load()) // as a notification does
	var opened []bool
	ctx, cancel := context.WithTimeout(t.Context(), listenPatience)
	defer cancel()
	err := tr.Listen(ctx, func(resumed bool) { opened = append(opened, resumed) })
	if e := asError(t, err); e.Kind != tt.fails || errors.Is(err, ErrNoStream) != tt.none {
		t.Errorf("ended with %v", err)
	}
	if !slices.Equal(opened, tt.opened) {
		t.Errorf("opened %v, want %v", opened, tt.opened)
	}
	if got := box.all(); !slices.Equal(got, tt.received) {
		t.Errorf("received %q, want %q", got, tt.received)
	}
	resumeCase{ids: tt.ids, noSession: tt.noSession}.checkGets(t, server.seen())
	if lost := tr.Err(); (lost != nil) != (tt.fails == KindSessionLost) {
		t.Errorf("the transport ended with %v", lost)
	}
}

// TestHTTPListenGoesOn for as long as streams end at once, in every way, without
// a storm of requests.
func TestHTTPListenGoesOn(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		reply reply
		most  int // GETs within ten minutes
	}{
		"empty":        {says(""), 40},
		"same id":      {primed("1"), 40},
		"retry":        {asked("1", 1), 140},
		"unreachable":  {reply{err: io.EOF}, 40},
		"unavailable":  {status(503), 40},
		"leave me be":  {reply{status: 503, header: http.Header{"Retry-After": {"100000"}}}, 3},
		"one message":  {says("data: {\"method\":\"n\"}\n\n"), 1000},
		"other errors": {says("data: oops\n\n"), 1000},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &script{replies: []reply{{}, tt.reply}}
				tr := server.dial(t, ignore, Limits{})
				ctx, cancel := context.WithTimeout(t.Context(), listenPatience)
				defer cancel()
				wantError(t, tr.Listen(ctx, func(bool) {}), KindCanceled, NotSent)
				if n := len(server.seen()); n < 2 || n > tt.most {
					t.Errorf("%d GETs, want at most %d", n, tt.most)
				}
			})
		})
	}
}

// TestHTTPListenRoutesResponses to the calls whose own streams stay silent.
func TestHTTPListenRoutesResponses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &script{replies: []reply{
			{open: true},
			{err: io.EOF}, // the call is on its way when the stream comes about
			{body: "data: {\"id\":7,\"result\":1}\n\n", open: true},
		}}
		tr := server.dial(t, ignore, Limits{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var listening sync.WaitGroup
		listening.Go(func() { wantError(t, tr.Listen(ctx, func(bool) {}), KindCanceled, NotSent) })
		resp, err := tr.RoundTrip(ctx, &Request{ID: 7, Method: "m", Envelope: legacy()})
		if err != nil || string(resp.Result) != "1" {
			t.Errorf("got %+v, %v", resp, err)
		}
		cancel()
		listening.Wait()
	})
}

// TestHTTPListenEnds with whatever ends the transport, also between two streams.
func TestHTTPListenEnds(t *testing.T) {
	t.Parallel()
	for _, stream := range []reply{{open: true}, {err: io.EOF}} {
		for name, tt := range map[string]struct {
			end  func(tr *httpTransport)
			kind Kind
		}{
			"closed": {func(tr *httpTransport) { _ = tr.Close(context.Background()) }, KindClosed},
			"lost": {func(tr *httpTransport) {
				tr.lose(tr.session.Load(), &Error{Kind: KindSessionLost})
			}, KindSessionLost},
		} {
			t.Run(fmt.Sprintf("%s/open=%v", name, stream.open), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					tr := (&script{replies: []reply{{}, stream}}).dial(t, ignore, Limits{})
					time.AfterFunc(100*time.Millisecond, func() { tt.end(tr) })
					start := time.Now()
					wantError(t, tr.Listen(t.Context(), func(bool) {}), tt.kind, NotSent)
					if took := time.Since(start); took != 100*time.Millisecond {
						t.Errorf("took %v", took)
					}
					wantError(t, tr.Listen(t.Context(), func(bool) { t.Error("opened") }), tt.kind, NotSent)
				})
			})
		}
	}
}

// TestHTTPListenTwice: there is one GET stream, and it can be had again, also from
// a server that is slow to see that the last one has gone.
func TestHTTPListenTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := (&script{replies: []reply{{}, {open: true}, status(409), status(409), {open: true}}}).dial(t, ignore, Limits{})
		for range 2 {
			ctx, cancel := context.WithCancel(t.Context())
			err := tr.Listen(ctx, func(bool) {
				wantError(t, tr.Listen(ctx, func(bool) { t.Error("opened twice") }), KindProtocol, NotSent)
				cancel()
			})
			wantError(t, err, KindCanceled, NotSent)
		}
	})
}

// TestHTTPListenWithoutHandshake: in the modern era there is none, and no stream.
func TestHTTPListenWithoutHandshake(t *testing.T) {
	t.Parallel()
	server := &script{replies: []reply{says("data: {\"id\":1,\"result\":{}}\n\n")}}
	tr := dialHTTP(t, HTTPConfig{URL: "http://127.0.0.1:1", Client: server}, ignore)
	if _, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "server/discover", Envelope: modern()}); err != nil {
		t.Error(err)
	}
	wantError(t, tr.Listen(short(t), func(bool) { t.Error("opened") }), KindProtocol, NotSent)
	if n := len(server.seen()); n != 0 {
		t.Errorf("%d GETs", n)
	}
}
