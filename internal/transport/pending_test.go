package transport

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

// ignore is a Receiver.
func ignore(jsonrpc.Message, int64) {}

// asError is err as the Error that every error of a transport is.
func asError(tb testing.TB, err error) *Error {
	tb.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		tb.Errorf("got error %v, want an *Error", err)
		return &Error{}
	}
	return e
}

func wantError(tb testing.TB, err error, kind Kind, delivery Delivery) {
	tb.Helper()
	if e := asError(tb, err); e.Kind != kind || e.Delivery != delivery {
		tb.Errorf("got %v, %v (%v); want %v, %v", e.Kind, e.Delivery, e, kind, delivery)
	}
}

func newTestPending() *pending { return newPending(slog.New(slog.DiscardHandler)) }

// enter adds a request, as sent or not.
func enter(t *testing.T, p *pending, id int64, sent bool) *waiter {
	t.Helper()
	w, err := p.add(id)
	if err != nil {
		t.Fatal(err)
	}
	w.sent.Store(sent)
	return w
}

func isDone(w *waiter) bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

func TestPendingDeliver(t *testing.T) {
	t.Parallel()
	failure := &jsonrpc.Error{Code: -1}
	tests := map[string]struct {
		waiting map[int64]bool // id to whether it was sent
		message jsonrpc.Message
		want    int64 // who is answered, 0 for nobody
	}{
		"own id":                   {map[int64]bool{1: true, 2: true}, jsonrpc.Message{ID: jsonrpc.ID("2"), Result: []byte("0")}, 2},
		"text":                     {map[int64]bool{1: true, 2: true}, jsonrpc.Message{ID: jsonrpc.ID(`"2"`), Result: []byte("0")}, 2},
		"fraction":                 {map[int64]bool{1: true, 2: true}, jsonrpc.Message{ID: jsonrpc.ID("2.0"), Result: []byte("0")}, 2},
		"unknown id":               {map[int64]bool{1: true}, jsonrpc.Message{ID: jsonrpc.ID("2"), Result: []byte("0")}, 0},
		"id that is no number":     {map[int64]bool{1: true}, jsonrpc.Message{ID: jsonrpc.ID(`"a"`), Result: []byte("0")}, 0},
		"before it was sent":       {map[int64]bool{1: false}, jsonrpc.Message{ID: jsonrpc.ID("1"), Result: []byte("0")}, 0},
		"error without id":         {map[int64]bool{1: true}, jsonrpc.Message{Error: failure}, 1},
		"error without id, unsent": {map[int64]bool{1: false}, jsonrpc.Message{Error: failure}, 0},
		"error without id of two":  {map[int64]bool{1: true, 2: true}, jsonrpc.Message{Error: failure}, 0},
		"error without id of none": {nil, jsonrpc.Message{Error: failure}, 0},
		"result without id":        {map[int64]bool{1: true}, jsonrpc.Message{Result: []byte("0")}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTestPending()
			waiters := make(map[int64]*waiter)
			for id, sent := range tt.waiting {
				waiters[id] = enter(t, p, id, sent)
			}
			p.deliver(tt.message)
			for id, w := range waiters {
				if isDone(w) != (id == tt.want) {
					t.Errorf("request %d: answered %v", id, isDone(w))
				}
				if p.remove(id) == (id == tt.want) {
					t.Errorf("request %d is still waiting: %v", id, id == tt.want)
				}
			}
			if stray := p.stray.Load() == 1; stray != (tt.want == 0) {
				t.Errorf("counted as stray: %v", stray)
			}
		})
	}
}

func TestPendingClose(t *testing.T) {
	t.Parallel()
	p := newTestPending()
	sent, queued := enter(t, p, 1, true), enter(t, p, 2, false)
	p.close(&Error{Kind: KindLost, Delivery: Answered, Detail: "d"})
	p.close(&Error{Kind: KindClosed})
	for w, want := range map[*waiter]Delivery{sent: Unknown, queued: NotSent} {
		_, err := w.result()
		wantError(t, err, KindLost, want)
		if e := asError(t, err); e.Detail != "d" {
			t.Errorf("got %+v", e)
		}
	}
	_, err := p.add(3)
	wantError(t, err, KindLost, NotSent)
	if p.fail(1, &Error{}) || p.remove(1) {
		t.Error("a request is still in the table")
	}
}

func TestPendingFail(t *testing.T) {
	t.Parallel()
	p := newTestPending()
	w, unsent := enter(t, p, 1, true), enter(t, p, 2, false)
	if !p.fail(1, &Error{Kind: KindLimit}) || p.fail(1, &Error{Kind: KindLimit}) {
		t.Error("want one failure")
	}
	if p.fail(2, &Error{Kind: KindLimit}) || isDone(unsent) {
		t.Error("a request that was not sent has no answer that could be bad")
	}
	_, err := w.result()
	wantError(t, err, KindLimit, Unknown)
}

func TestWaiterEndsOnce(t *testing.T) {
	t.Parallel()
	w := newWaiter()
	w.succeed(Response{Result: []byte("1")})
	w.fail(&Error{})
	w.succeed(Response{Result: []byte("2")})
	if r, err := w.result(); err != nil || string(r.Result) != "1" {
		t.Errorf("got %v, %v; want the first end", r, err)
	}
}
