package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const answered = "id: last\ndata: {\"id\":7,\"result\":1}\n\n"

type resumeCase struct {
	replies   []reply
	noSession bool
	env       *Envelope // legacy if nil
	patience  time.Duration

	result   string // "" if it is an error
	fails    Kind   // then
	ids      []string
	waits    []time.Duration // the least; with jitter the most is a third above
	received []string
	lost     bool // the session
}

func resumeCases() map[string]resumeCase {
	const ms, s = time.Millisecond, time.Second
	modern := modern()
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	return map[string]resumeCase{
		"closed with an id":        {replies: []reply{primed("1"), says(answered)}, result: "1", ids: []string{"1"}, waits: []time.Duration{750 * ms}},
		"closed with id and retry": {replies: []reply{asked("1", 500), says(answered)}, result: "1", ids: []string{"1"}, waits: []time.Duration{500 * ms}},
		"twice": {
			replies: []reply{asked("1", 500), primed("2"), says(answered)}, result: "1",
			ids: []string{"1", "2"}, waits: []time.Duration{500 * ms, 500 * ms},
		},
		"without session":    {replies: []reply{asked("1", 500), says(answered)}, noSession: true, result: "1", ids: []string{"1"}},
		"retry at once":      {replies: []reply{asked("1", 0), says(answered)}, result: "1", ids: []string{"1"}, waits: []time.Duration{250 * ms}},
		"retry after 1 ms":   {replies: []reply{asked("1", 1), says(answered)}, result: "1", ids: []string{"1"}, waits: []time.Duration{250 * ms}},
		"retry after a week": {replies: []reply{asked("1", 604800000), says(answered)}, result: "1", ids: []string{"1"}, waits: []time.Duration{30 * s}},
		"broken after an id": {replies: []reply{{body: "id: 1\n\ndata: {\"id\":7,", broken: io.ErrUnexpectedEOF}, says(answered)}, result: "1", ids: []string{"1"}},
		"id is kept":         {replies: []reply{primed("1"), says("data: {\"method\":\"n\"}\n\n"), says(answered)}, result: "1", ids: []string{"1", "1"}, received: []string{"7 n "}},
		"unfinished id":      {replies: []reply{says("id: 1\n\nid: 2\ndata: x"), says(answered)}, result: "1", ids: []string{"1"}},
		"messages before and after": {
			replies: []reply{says("id: 1\ndata: {\"method\":\"a\"}\n\n"), says("id: 2\ndata: {\"method\":\"b\"}\n\n" + answered)},
			result:  "1", ids: []string{"1"}, received: []string{"7 a ", "7 b "},
		},
		"busy, then there": {
			replies: []reply{asked("1", 500), status(503), status(409), {err: io.EOF}, says(answered)}, result: "1",
			ids: []string{"1", "1", "1", "1"}, waits: []time.Duration{500 * ms, 500 * ms, 562 * ms, 843 * ms},
		},
		"throttled": {
			replies: []reply{asked("1", 500), {status: 429, header: http.Header{"Retry-After": {"3"}}}, says("id: 2\ndata: {\"method\":\"n\"}\n\n"), says(answered)}, result: "1",
			ids: []string{"1", "1", "2"}, waits: []time.Duration{500 * ms, 3 * s, 500 * ms}, received: []string{"7 n "},
		},
		"throttled for too long": {
			replies: []reply{asked("1", 500), {status: 429, header: http.Header{"Retry-After": {"300"}}}}, fails: KindLost, ids: []string{"1"},
		},
		"no id":                {replies: []reply{says("retry: 500\ndata: {\"method\":\"n\"}\n\n")}, fails: KindLost, received: []string{"7 n "}},
		"id taken back":        {replies: []reply{asked("1", 500), says("id\n\n")}, fails: KindLost, ids: []string{"1"}},
		"id that is no header": {replies: []reply{primed("\x01")}, fails: KindLost},
		"endless id":           {replies: []reply{primed(strings.Repeat("x", 5000))}, fails: KindLost},
		"modern":               {replies: []reply{primed("1")}, env: &modern, fails: KindLost},
		"session lost":         {replies: []reply{asked("1", 500), status(404)}, fails: KindSessionLost, ids: []string{"1"}, lost: true},
		"404 without session":  {replies: []reply{asked("1", 500), status(404)}, noSession: true, fails: KindLost, ids: []string{"1"}},
		"not allowed":          {replies: []reply{asked("1", 500), status(405)}, fails: KindLost, ids: []string{"1"}},
		"unauthorized":         {replies: []reply{asked("1", 500), status(401)}, fails: KindLost, ids: []string{"1"}},
		"consent wanted":       {replies: []reply{asked("1", 500), {err: &Error{Kind: KindConsent, Delivery: Answered}}}, fails: KindLost, ids: []string{"1"}},
		"token refused":        {replies: []reply{asked("1", 500), {err: &Error{Kind: KindStatus, Status: 401}}}, fails: KindLost, ids: []string{"1"}},
		"no token now":         {replies: []reply{asked("1", 500), {err: &Error{Kind: KindUnreachable}}, says(answered)}, result: "1", ids: []string{"1", "1"}},
		"redirect":             {replies: []reply{asked("1", 500), {status: 307, header: http.Header{"Location": {"/x"}}}}, fails: KindLost, ids: []string{"1"}},
		"JSON":                 {replies: []reply{asked("1", 500), {header: http.Header{"Content-Type": {"application/json"}}, body: `{"id":7,"result":1}`}}, fails: KindLost, ids: []string{"1"}},
		"compressed":           {replies: []reply{asked("1", 500), {header: http.Header{"Content-Encoding": {"gzip"}}}}, fails: KindLost, ids: []string{"1"}},
		"not let in":           {replies: []reply{asked("1", 500), {err: fmt.Errorf("dial: %w", ErrForbidden)}}, fails: KindLost, ids: []string{"1"}},
		"bad response":         {replies: []reply{asked("1", 500), says("data: {\"id\":7,\"result\":\"\xff\"}\n\n")}, fails: KindProtocol, ids: []string{"1"}},
		"only noise":           {replies: []reply{asked("1", 500), says("id\ndata: hello\n\n")}, fails: KindProtocol, ids: []string{"1"}},
		"too much":             {replies: []reply{asked("1", 500), says("id: 2\n\n: " + strings.Repeat("x", 4000) + "\n"), says("id: 3\n\n: " + strings.Repeat("x", 4000) + "\n")}, fails: KindLimit, ids: []string{"1", "2"}},
		"no progress":          {replies: []reply{primed("1")}, fails: KindLost, ids: slices.Repeat([]string{"1"}, 10)},
		"gone for good":        {replies: []reply{primed("1"), {err: dial}}, fails: KindLost, ids: slices.Repeat([]string{"1"}, 10)},
		"window":               {replies: []reply{asked("1", 29000), {err: dial}}, fails: KindLost, ids: slices.Repeat([]string{"1"}, 4)},
		"out of time":          {replies: []reply{primed("1")}, patience: 500 * ms, fails: KindCanceled},
		"silent stream":        {replies: []reply{asked("1", 500), {open: true}}, patience: time.Minute, fails: KindCanceled, ids: []string{"1"}},
	}
}

func TestHTTPResume(t *testing.T) {
	t.Parallel()
	for name, tt := range resumeCases() {
		for _, bytewise := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/bytewise=%v", name, bytewise), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { tt.run(t, bytewise) })
			})
		}
	}
}

func (tt resumeCase) run(t *testing.T, bytewise bool) {
	t.Helper()
	var box inbox
	server := &script{replies: tt.replies, noSession: tt.noSession, bytewise: bytewise}
	tr := server.dial(t, box.receive, Limits{CallBytes: 7000})
	patience := tt.patience
	if patience == 0 {
		patience = time.Hour
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	env := legacy()
	if tt.env != nil {
		env = *tt.env
	}
	resp, err := tr.RoundTrip(ctx, &Request{ID: 7, Method: "m", Envelope: env})
	if tt.result == "" {
		wantError(t, err, tt.fails, Unknown)
	} else if err != nil || string(resp.Result) != tt.result {
		t.Errorf("got %+v, %v", resp, err)
	}
	if got := box.all(); !slices.Equal(got, tt.received) {
		t.Errorf("received %q, want %q", got, tt.received)
	}
	tt.checkGets(t, server.seen())
	if lost := tr.Err(); (lost != nil) != tt.lost {
		t.Errorf("the transport ended with %v", lost)
	} else if lost != nil {
		wantError(t, lost, KindSessionLost, NotSent)
	}
}

func (tt resumeCase) checkGets(t *testing.T, gets []getRequest) {
	t.Helper()
	var ids []string
	for i, get := range gets {
		ids = append(ids, get.header.Get("Last-Event-ID"))
		session := "s1"
		if tt.noSession {
			session = ""
		}
		h := get.header
		if h.Get("Mcp-Session-Id") != session || h.Get("Mcp-Protocol-Version") != "2025-06-18" || h.Get("Accept") != "text/event-stream" || h.Get("Content-Type") != "" {
			t.Errorf("GET with %v", h)
		}
		if i >= len(tt.waits) {
			continue
		}
		if least := tt.waits[i]; get.after < least || get.after > least*4/3+time.Millisecond {
			t.Errorf("GET %d came after %v, want %v", i, get.after, least)
		}
	}
	if !slices.Equal(ids, tt.ids) {
		t.Errorf("resumed after %.200q, want %q", ids, tt.ids)
	}
}

// TestHTTPResumeStorm: a server whose streams bring nothing but another id must
// not have us come as fast as it likes, and must not have us give up either.
func TestHTTPResumeStorm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := new(script)
		for i := range 400 {
			server.replies = append(server.replies, asked(fmt.Sprint(i), 1))
		}
		server.replies = append(server.replies, says(answered))
		tr := server.dial(t, ignore, Limits{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := tr.RoundTrip(ctx, &Request{ID: 7, Method: "m", Envelope: legacy()}); err != nil {
			t.Error(err)
		}
		var at time.Duration
		soon := 0
		for _, get := range server.seen() {
			if at += get.after; at <= 5*time.Second {
				soon++
			}
			if get.after < 250*time.Millisecond || get.after > stormWait {
				t.Errorf("waited %v", get.after)
			}
		}
		if soon > 10 {
			t.Errorf("%d GETs within 5 s", soon)
		}
	})
}

// TestHTTPResumeOfHandshake: a session begins with the first reply's headers.
func TestHTTPResumeOfHandshake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var gets int
		tr := dialHTTP(t, HTTPConfig{URL: "http://127.0.0.1:1", Client: roundTripper(func(req *http.Request) (*http.Response, error) {
			r := reply{header: http.Header{"Mcp-Session-Id": {"s1"}}, body: "id: 1\n\n"}
			if req.Method == http.MethodGet {
				if gets++; req.Header.Get("Mcp-Session-Id") != "s1" {
					t.Errorf("GET with %v", req.Header)
				}
				r = says("data: {\"id\":1000,\"result\":{}}\n\n")
			}
			return r.response(req)
		})}, ignore)
		openSession(t, tr)
		if gets != 1 {
			t.Errorf("%d GETs", gets)
		}
	})
}

// TestHTTPResumeIsLeft by whoever waits, in every way, without another GET.
func TestHTTPResumeIsLeft(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		leave func(tr *httpTransport, cancel context.CancelFunc)
		kind  Kind // 0 if the response came
	}{
		"cancelled": {func(_ *httpTransport, cancel context.CancelFunc) { cancel() }, KindCanceled},
		"closed":    {func(tr *httpTransport, _ context.CancelFunc) { _ = tr.Close(context.Background()) }, KindClosed},
		"answered":  {func(tr *httpTransport, _ context.CancelFunc) { tr.route(7, &Response{Result: []byte("2")}) }, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &script{replies: []reply{asked("1", 10000)}}
				tr := server.dial(t, ignore, Limits{})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				time.AfterFunc(time.Second, func() { tt.leave(tr, cancel) })
				start := time.Now()
				resp, err := tr.RoundTrip(ctx, &Request{ID: 7, Method: "m", Envelope: legacy()})
				if tt.kind != 0 {
					wantError(t, err, tt.kind, Unknown)
				} else if err != nil || string(resp.Result) != "2" {
					t.Errorf("got %+v, %v", resp, err)
				}
				if took := time.Since(start); took != time.Second || len(server.seen()) != 0 {
					t.Errorf("took %v, with %d GETs", took, len(server.seen()))
				}
			})
		})
	}
}

// Why a stream could not be had again is not why the call has failed, whose
// request was taken: whoever asks the error is not told to do something about it
// and to call again.
func TestHTTPNotResumed(t *testing.T) {
	t.Parallel()
	cause := errors.New("a person has to consent")
	err := new(httpCall).notResumed(t.Context(), &Error{Kind: KindConsent, Delivery: Answered, Err: cause})
	wantError(t, err, KindLost, Unknown)
	if errors.Is(err, cause) || !strings.Contains(err.Error(), cause.Error()) {
		t.Errorf("got %v", err)
	}
}
