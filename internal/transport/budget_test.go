package transport

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestBudget(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		size int
		ok   bool
	}{"nothing": {0, true}, "under": {99, true}, "exactly": {100, true}, "one over": {101, false}, "far over": {5000, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Repeat("x", tt.size)
			for how, r := range map[string]io.Reader{"whole": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text))} {
				b := &budget{r: r, limit: 100}
				got, err := io.ReadAll(b)
				if _, over := errors.AsType[*limitError](err); over == tt.ok || len(got) != min(tt.size, 100) {
					t.Errorf("%s: %d bytes, %v", how, len(got), err)
				}
				if n, err := b.Read(make([]byte, 1)); n != 0 || err == nil {
					t.Errorf("%s: read on: %d, %v", how, n, err)
				}
			}
		})
	}
}

func TestReadBody(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	tests := map[string]struct {
		size      int
		announced int64
		ok        bool
	}{
		"empty":              {0, 0, true},
		"announced":          {1000, 1000, true},
		"not announced":      {100_000, -1, true},
		"large, announced":   {limit, limit, true},
		"large, not":         {limit, -1, true},
		"too large, said so": {0, limit + 1, false},
		"too large, did not": {limit + 1, -1, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := bytes.Repeat([]byte("abc"), tt.size/3+1)[:tt.size]
			for how, r := range map[string]io.Reader{
				"whole": bytes.NewReader(text), "halves": iotest.HalfReader(bytes.NewReader(text)), "with the end": iotest.DataErrReader(bytes.NewReader(text)),
			} {
				got, err := readBody(r, tt.announced, limit)
				if _, over := errors.AsType[*limitError](err); over == tt.ok || err == nil && !bytes.Equal(got, text) {
					t.Errorf("%s: %d bytes, %v", how, len(got), err)
				}
			}
		})
	}
}

// TestReadBodyDoesNotTrustTheAnnouncement: a server that promises much and
// sends little must not cost much.
func TestReadBodyDoesNotTrustTheAnnouncement(t *testing.T) {
	t.Parallel()
	got := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := readBody(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("xxx"))), 16<<20, 16<<20); err == nil {
				b.Fatal("no error")
			}
		}
	})
	if n := got.AllocedBytesPerOp(); n > 2*bodyFirst {
		t.Errorf("allocated %d bytes for one that came", n)
	}
}
