package transport

import (
	"strings"
	"testing"
)

// post puts a line of that many bytes into o.
func post(t *testing.T, o *outbox, size int, ack bool) *waiter {
	t.Helper()
	w, err := tryPost(o, size, ack)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func tryPost(o *outbox, size int, ack bool) (*waiter, error) {
	b, err := o.reserve(size)
	if err != nil {
		return nil, err
	}
	w := newWaiter()
	return w, o.put(outgoing{waiter: w, line: append(b, strings.Repeat("x", size)...), ack: ack}, size)
}

func TestOutboxBounds(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		messages, bytes int
		sizes           []int // the last one must be refused
	}{
		"messages":       {messages: 2, bytes: 100, sizes: []int{1, 1, 1}},
		"bytes":          {messages: 10, bytes: 100, sizes: []int{50, 50, 1}},
		"single message": {messages: 10, bytes: 100, sizes: []int{101}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOutbox(tt.messages, tt.bytes)
			last := len(tt.sizes) - 1
			var first *waiter
			for _, size := range tt.sizes[:last] {
				if w := post(t, o, size, false); first == nil {
					first = w
				}
			}
			_, err := tryPost(o, tt.sizes[last], false)
			wantError(t, err, KindLimit, NotSent)
			if first != nil {
				o.withdraw(first)
				post(t, o, tt.sizes[last], false)
			}
			o.take(nil)
			if o.messages != 0 || o.bytes != 0 {
				t.Errorf("%d messages of %d bytes are left", o.messages, o.bytes)
			}
		})
	}
	t.Run("reserved", func(t *testing.T) {
		t.Parallel()
		o := newOutbox(1, 100)
		if _, err := o.reserve(10); err != nil {
			t.Fatal(err)
		}
		_, err := o.reserve(10)
		wantError(t, err, KindLimit, NotSent)
		o.release(10)
		post(t, o, 100, false)
	})
}

func TestOutboxTake(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		sizes []int
		want  []int // lengths of the batches
	}{
		"nothing":         {nil, nil},
		"all at once":     {[]int{1, 2, 3}, []int{3}},
		"full batches":    {[]int{batchBytes - 1, 1, 1}, []int{2, 1}},
		"one large alone": {[]int{1, 3 * batchBytes, 1}, []int{1, 1, 1}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOutbox(100, 10*batchBytes)
			var waiters []*waiter
			for _, size := range tt.sizes {
				waiters = append(waiters, post(t, o, size, false))
			}
			for _, want := range tt.want {
				batch := o.take(nil)
				if len(batch) != want {
					t.Fatalf("got a batch of %d, want %d", len(batch), want)
				}
				for i, m := range batch {
					if m.waiter != waiters[i] || !m.waiter.sent.Load() {
						t.Errorf("message %d is out of order or not marked", i)
					}
				}
				if waiters = waiters[want:]; len(waiters) > 0 && waiters[0].sent.Load() {
					t.Error("a message is marked that was not taken")
				}
			}
			if batch := o.take(nil); len(batch) != 0 {
				t.Errorf("%d messages are left", len(batch))
			}
		})
	}
}

func TestOutboxWithdraw(t *testing.T) {
	t.Parallel()
	o := newOutbox(10, 100)
	a, b, c := post(t, o, 1, false), post(t, o, 2, false), post(t, o, 3, false)
	o.withdraw(b)
	batch := o.take(nil)
	if len(batch) != 2 || batch[0].waiter != a || batch[1].waiter != c || b.sent.Load() {
		t.Errorf("got %d messages, withdrawn one sent: %v", len(batch), b.sent.Load())
	}
	o.withdraw(a) // too late
	if !a.sent.Load() {
		t.Error("a message that was taken passes for not sent")
	}
}

func TestOutboxBroke(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		accepted int
		sent     [3]bool
		torn     int // index, -1 for none
	}{
		"nothing":            {0, [3]bool{}, -1},
		"a part of one":      {9, [3]bool{true}, 0},
		"all of one":         {10, [3]bool{true}, -1},
		"a part of two":      {11, [3]bool{true, true}, 1},
		"a part of the last": {29, [3]bool{true, true, true}, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOutbox(10, 100)
			waiters := []*waiter{post(t, o, 10, false), post(t, o, 10, false), post(t, o, 10, false)}
			torn := o.broke(o.take(nil), tt.accepted)
			for i, w := range waiters {
				if w.sent.Load() != tt.sent[i] {
					t.Errorf("message %d: sent %v", i, w.sent.Load())
				}
				if (torn == w) != (tt.torn == i) {
					t.Errorf("message %d: torn %v", i, torn == w)
				}
			}
		})
	}
}

func TestOutboxAcknowledges(t *testing.T) {
	t.Parallel()
	lost := &Error{Kind: KindLost}
	t.Run("written", func(t *testing.T) {
		t.Parallel()
		o := newOutbox(10, 100)
		send, request := post(t, o, 1, true), post(t, o, 1, false)
		o.written(o.take(nil))
		if !isDone(send) || isDone(request) {
			t.Errorf("done: message %v, request %v", isDone(send), isDone(request))
		}
	})
	t.Run("broke, then closed", func(t *testing.T) {
		t.Parallel()
		o := newOutbox(10, 100)
		whole, part, none := post(t, o, 10, true), post(t, o, 10, true), post(t, o, 10, true)
		o.broke(o.take(nil), 15)
		o.close(lost)
		checkEnds(t, whole, part, none)
	})
	t.Run("closed, then broke", func(t *testing.T) {
		t.Parallel()
		o := newOutbox(10, 100)
		whole, part, none := post(t, o, 10, true), post(t, o, 10, true), post(t, o, 10, true)
		batch := o.take(nil)
		o.close(lost)
		o.broke(batch, 15)
		checkEnds(t, whole, part, none)
	})
}

func checkEnds(t *testing.T, whole, part, none *waiter) {
	t.Helper()
	if _, err := whole.result(); !isDone(whole) || err != nil {
		t.Errorf("the message that was written ended with %v", err)
	}
	_, err := part.result()
	wantError(t, err, KindLost, Unknown)
	_, err = none.result()
	wantError(t, err, KindLost, NotSent)
}

func TestOutboxClose(t *testing.T) {
	t.Parallel()
	o := newOutbox(10, 100)
	w := post(t, o, 1, true)
	if _, err := o.reserve(1); err != nil {
		t.Fatal(err)
	}
	o.close(&Error{Kind: KindExited})
	o.close(&Error{Kind: KindClosed})
	_, err := w.result()
	wantError(t, err, KindExited, NotSent)
	_, err = o.reserve(1)
	wantError(t, err, KindExited, NotSent)
	wantError(t, o.put(outgoing{waiter: w}, 1), KindExited, NotSent)
	if batch := o.take(nil); len(batch) != 0 {
		t.Errorf("%d messages were taken after close", len(batch))
	}
}
