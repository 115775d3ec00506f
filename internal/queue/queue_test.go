package queue_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mcpbridge/mcpbridge/internal/queue"
)

var errEnd = errors.New("end")

// drain reads until the queue ends and writes down what it got: items by their
// text, a gap by an underscore for each item lost.
func drain(t *testing.T, q *queue.Queue[string]) string {
	t.Helper()
	var b strings.Builder
	for {
		item, dropped, err := q.Next(t.Context())
		if err != nil {
			if !errors.Is(err, errEnd) {
				t.Errorf("ended with %v", err)
			}
			return b.String()
		}
		b.WriteString(item + strings.Repeat("_", int(dropped)))
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		do   func(q *queue.Queue[string])
		want string
	}{
		"in order":   {func(q *queue.Queue[string]) { q.Add("a", 1); q.Add("b", 1) }, "ab"},
		"full":       {func(q *queue.Queue[string]) { q.Add("a", 1); q.Add("b", 1); q.Add("c", 1); q.Add("d", 1) }, "ab__"},
		"too big":    {func(q *queue.Queue[string]) { q.Add("a", 9); q.Add("b", 2); q.Add("c", 1) }, "a__"},
		"kept":       {func(q *queue.Queue[string]) { q.Add("a", 1); q.Add("b", 1); q.Add("c", 1); q.Keep("D", 99) }, "ab_D"},
		"kept alone": {func(q *queue.Queue[string]) { q.Keep("A", 99); q.Add("b", 1) }, "A_"},
		"skipped":    {func(q *queue.Queue[string]) { q.Add("a", 1); q.Skip(); q.Skip(); q.Keep("b", 1); q.Skip() }, "a__b_"},
		"the gap is told before what follows": {func(q *queue.Queue[string]) {
			q.Add("a", 1)
			q.Add("b", 1)
			q.Add("c", 1)
			_, _, _ = q.Next(context.Background())
			q.Add("d", 1)
		}, "b__"},
		"room again": {func(q *queue.Queue[string]) {
			for range 3 {
				q.Add("a", 1)
			}
			for range 3 {
				_, _, _ = q.Next(context.Background())
			}
			q.Add("d", 10)
		}, "d"},
		"closed": {func(q *queue.Queue[string]) {
			q.Add("a", 1)
			q.Close(errEnd)
			q.Add("b", 1)
			if q.Keep("c", 1) {
				q.Close(nil)
			}
		}, "a"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := queue.New[string](2, 10)
			tt.do(q)
			q.Close(errEnd)
			if got := drain(t, q); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A reader that does not take what must not be dropped is given up, after what is
// there already.
func TestKeepIsBounded(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ size, want int }{"many": {1, 256}, "large": {3 << 20, 2}, "one of any size": {9 << 20, 1}}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, kept := queue.New[string](2, 10), 0
			for q.Keep("a", tt.size) {
				kept++
			}
			q.Close(errEnd)
			if kept != tt.want {
				t.Errorf("%d items were kept", kept)
			}
			for range kept {
				if item, _, err := q.Next(t.Context()); item != "a" || err != nil {
					t.Errorf("got %q, %v", item, err)
				}
			}
			if _, _, err := q.Next(t.Context()); !errors.Is(err, queue.ErrSlow) {
				t.Errorf("ended with %v", err)
			}
		})
	}
	q := queue.New[string](2, 10)
	for range 1000 { // one who reads gets them all
		if !q.Keep("a", 1<<20) {
			t.Fatal("not kept")
		}
		if _, _, err := q.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNextWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := queue.New[string](2, 10)
		got := make(chan string)
		go func() {
			item, _, _ := q.Next(t.Context())
			got <- item
		}()
		synctest.Wait()
		q.Add("a", 1)
		if item := <-got; item != "a" {
			t.Errorf("got %q", item)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errEnd)
		if _, _, err := q.Next(ctx); !errors.Is(err, errEnd) {
			t.Errorf("got %v", err)
		}
	})
}
