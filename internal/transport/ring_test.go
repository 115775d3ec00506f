package transport

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRingTail(t *testing.T) {
	t.Parallel()
	const size = 7
	for _, pieces := range []int{1, 2, 3, 5, 7, 8, 20} {
		r := newRing(size)
		var all string
		for i := range 30 {
			piece := strings.Repeat(string(rune('a'+i%26)), pieces)
			all += piece
			if n, err := r.Write([]byte(piece)); n != pieces || err != nil {
				t.Fatalf("Write returned %d, %v", n, err)
			}
			for n := range size + 2 {
				want := all[max(0, len(all)-min(n, size)):]
				if got := string(r.tail(n)); got != want {
					t.Fatalf("after %q: tail(%d) is %q, want %q", all, n, got, want)
				}
			}
		}
	}
}

func TestRingLastLines(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, want string }{
		"nothing":           {"", ""},
		"all of it":         {"one\ntwo\n", "one\ntwo"},
		"whole lines":       {"a longer line\ntwo\nthree\r\n\n", "two\nthree"},
		"exactly as long":   {"one\ntwo three", "two three"},
		"one line too long": {"0123456789abcdef", "6789abcdef"},
		"cut within a rune": {"ä123456789", "\ufffd123456789"},
		"not UTF-8":         {"a\xffb", "a\ufffdb"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRing(64)
			_, _ = r.Write([]byte(tt.text))
			if got := r.lastLines(10); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := quota{max: 2, window: time.Minute}
		steps := []struct {
			after time.Duration
			want  bool
		}{
			{0, true},
			{time.Second, true},
			{time.Second, false},
			{57 * time.Second, false},
			{time.Second, true},
			{0, true},
			{0, false},
			{time.Hour, true},
		}
		for i, step := range steps {
			time.Sleep(step.after)
			if got := q.take(time.Now()); got != step.want {
				t.Errorf("step %d: got %v", i, got)
			}
		}
	})
}
