package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestHTTPClose(t *testing.T) {
	t.Parallel()
	var deletes atomic.Int64
	arrived := make(chan struct{})
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			deletes.Add(1)
			h := r.Header
			if h.Get("Mcp-Session-Id") != "s1" || h.Get("Mcp-Protocol-Version") != "2025-06-18" || h.Get("Authorization") != "hunter2" || h.Get("Content-Type") != "" {
				t.Errorf("DELETE with %v", h)
			}
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Mcp-Session-Id", "s1")
		if r.Header.Get("Mcp-Session-Id") == "" {
			writeResult(t, w, r, `{}`)
			return
		}
		callID(t, r.Body)
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	tr := dialHTTP(t, HTTPConfig{URL: url, Header: http.Header{"Authorization": {"hunter2"}}}, ignore)
	openSession(t, tr)

	var calls sync.WaitGroup
	calls.Go(func() {
		_, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "m", Envelope: legacy()})
		wantError(t, err, KindClosed, Unknown)
	})
	calls.Go(func() {
		wantError(t, tr.Send(short(t), &Message{Body: []byte(`{"method":"n"}`), Envelope: legacy()}), KindClosed, Unknown)
	})
	<-arrived
	<-arrived
	if _, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "m"}); err == nil {
		t.Error("an id in use was taken again")
	} else {
		wantError(t, err, KindProtocol, NotSent)
	}
	for range 2 {
		if err := tr.Close(short(t)); err != nil {
			t.Error(err)
		}
	}
	calls.Wait()
	if n := deletes.Load(); n != 1 {
		t.Errorf("%d DELETE requests", n)
	}
	select {
	case <-tr.Done():
	default:
		t.Error("Done is open")
	}
	if err := tr.Err(); err != nil {
		t.Errorf("Err is %v", err)
	}
	_, err := tr.RoundTrip(short(t), &Request{ID: 2, Method: "m"})
	wantError(t, err, KindClosed, NotSent)
	wantError(t, tr.Send(short(t), &Message{Body: []byte(`{}`)}), KindClosed, NotSent)
}

// TestHTTPCloseWithoutSession makes no request: there is nothing to end.
func TestHTTPCloseWithoutSession(t *testing.T) {
	t.Parallel()
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			t.Errorf("%s", r.Method)
		}
		w.Header().Set("Mcp-Session-Id", "s1")
		writeResult(t, w, r, `{}`)
	})
	unused := dialHTTP(t, HTTPConfig{URL: url}, ignore)
	used := dialHTTP(t, HTTPConfig{URL: url}, ignore)
	if _, err := used.RoundTrip(short(t), &Request{ID: 1, Method: "tools/list", Envelope: modern()}); err != nil {
		t.Error(err)
	}
	for _, tr := range []*httpTransport{unused, used} {
		if err := tr.Close(short(t)); err != nil {
			t.Error(err)
		}
	}
}

func TestHTTPCloseOfSilentServer(t *testing.T) {
	t.Parallel()
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Mcp-Session-Id", "s1")
		writeResult(t, w, r, `{}`)
	})
	for name, tt := range map[string]struct {
		timeout, patience time.Duration
	}{"its own bound": {50 * time.Millisecond, time.Hour}, "the caller's": {time.Hour, 50 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := dialHTTP(t, HTTPConfig{URL: url, DeleteTimeout: tt.timeout}, ignore)
			openSession(t, tr)
			ctx, cancel := context.WithTimeout(t.Context(), tt.patience)
			defer cancel()
			if err := tr.Close(ctx); err != nil { // or it hangs
				t.Error(err)
			}
		})
	}
}

// TestHTTPCloseIsCutShort: a caller that does not come back, here because its
// RoundTripper does not, must not hold up Close for ever.
func TestHTTPCloseIsCutShort(t *testing.T) {
	t.Parallel()
	stuck, free := make(chan struct{}), make(chan struct{})
	tr := dialHTTP(t, HTTPConfig{URL: "http://127.0.0.1:1", Client: roundTripper(func(*http.Request) (*http.Response, error) {
		close(stuck)
		<-free
		return nil, errTest
	})}, ignore)
	var call sync.WaitGroup
	call.Go(func() {
		_, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "m"})
		wantError(t, err, KindClosed, NotSent)
	})
	<-stuck
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errTest)
	if err := tr.Close(ctx); !errors.Is(err, errTest) {
		t.Errorf("Close returned %v", err)
	}
	close(free)
	call.Wait()
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestHTTPSessionLostWhileCallsArePending: the calls that the server took
// before still get their answers.
func TestHTTPSessionLostWhileCallsArePending(t *testing.T) {
	t.Parallel()
	lost := make(chan struct{})
	arrived := make(chan struct{})
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Mcp-Session-Id", "s1")
		switch {
		case r.Header.Get("X-None") != "" || r.Header.Get("Mcp-Session-Id") == "":
			writeResult(t, w, r, `{}`)
		case r.Header.Get("Mcp-Protocol-Version") == "slow":
			arrived <- struct{}{}
			<-lost
			writeResult(t, w, r, `{}`)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	tr := dialHTTP(t, HTTPConfig{URL: url}, ignore)
	openSession(t, tr)
	var call sync.WaitGroup
	call.Go(func() {
		if _, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "m", Envelope: Envelope{Version: "slow"}}); err != nil {
			t.Error(err)
		}
	})
	<-arrived
	for id := int64(2); id < 4; id++ {
		_, err := tr.RoundTrip(short(t), &Request{ID: id, Method: "m", Envelope: legacy()})
		wantError(t, err, KindSessionLost, NotSent)
	}
	<-tr.Done()
	close(lost)
	call.Wait()
}

// TestHTTPSessionLostTwice has two calls find out at the same time, and a third
// that was sent in an earlier session.
func TestHTTPSessionLostTwice(t *testing.T) {
	t.Parallel()
	arrived, answer := make(chan struct{}), make(chan struct{})
	var sessions atomic.Int64
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Mcp-Session-Id") == "" {
			w.Header().Set("Mcp-Session-Id", fmt.Sprint("s", sessions.Add(1)))
			writeResult(t, w, r, `{}`)
			return
		}
		callID(t, r.Body)
		arrived <- struct{}{}
		<-answer
		w.WriteHeader(http.StatusNotFound)
	})
	tr := dialHTTP(t, HTTPConfig{URL: url}, ignore)
	openSession(t, tr)
	lose := func(id int64) {
		_, err := tr.RoundTrip(short(t), &Request{ID: id, Method: "m", Envelope: legacy()})
		wantError(t, err, KindSessionLost, NotSent)
	}
	var earlier, calls sync.WaitGroup
	earlier.Go(func() { lose(1) })
	<-arrived
	openSession(t, tr)
	answer <- struct{}{}
	earlier.Wait()
	if err := tr.Err(); err != nil {
		t.Errorf("the loss of an earlier session ended the transport: %v", err)
	}
	for id := range int64(2) {
		calls.Go(func() { lose(id + 2) })
		<-arrived
	}
	close(answer)
	calls.Wait()
	<-tr.Done()
}

// TestHTTPConcurrentCalls mixes answers, notifications and cancellations on one
// transport.
func TestHTTPConcurrentCalls(t *testing.T) {
	t.Parallel()
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) { writeResult(t, w, r, `"`+r.Header.Get("Mcp-Name")+`"`) })
	tr := dialHTTP(t, HTTPConfig{URL: url}, ignore)
	var ids atomic.Int64
	var callers sync.WaitGroup
	for range 32 {
		callers.Go(func() {
			for range 20 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				id := ids.Add(1)
				if id%5 == 0 {
					cancel()
				}
				resp, err := tr.RoundTrip(ctx, &Request{ID: id, Method: "m", Envelope: modern()})
				switch {
				case id%5 == 0:
					wantError(t, err, KindCanceled, NotSent)
				case err != nil || string(resp.Result) != `"x"`:
					t.Errorf("call %d: %v, %v", id, resp, err)
				}
				cancel()
			}
		})
	}
	callers.Wait()
	if n := tr.pending.len(); n != 0 {
		t.Errorf("%d calls left", n)
	}
}
