//go:build unix

package transport

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestStdioStderrFlood(t *testing.T) {
	t.Parallel()
	c := dialStdio(t, childConfig(t, "stderr"), ignore)
	callStdio(t, c, 1, "echo", `{}`)
	closeNow(t, c)
	if n := len(c.stderr.tail(1 << 20)); n != stderrBytes {
		t.Errorf("%d bytes of stderr were kept, want %d", n, stderrBytes)
	}
}

func TestStdioDeafChild(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	cfg := childConfig(t, "deaf")
	cfg.StopGrace, cfg.QueueBytes = 10*time.Millisecond, 16*size
	cfg.WriteTimeout = time.Hour // it is the callers who lose patience
	c := dialStdio(t, cfg, ignore)
	params := []byte(`"` + strings.Repeat("p", size) + `"`)
	// The callers leave when one of them writes and another has been refused.
	ctx, leave := context.WithTimeout(t.Context(), 30*time.Second)
	defer leave()
	var begun, limited, waited atomic.Int64
	writes, refused := make(chan struct{}, 64), make(chan struct{}, 64)
	go func() {
		for _, happened := range []chan struct{}{writes, refused} {
			select {
			case <-happened:
			case <-ctx.Done():
			}
		}
		leave()
	}()
	var callers sync.WaitGroup
	for i := range 64 {
		callers.Go(func() {
			var sent atomic.Bool
			_, err := c.RoundTrip(ctx, &Request{
				ID: int64(i + 1), Method: "echo", Params: params, OnSend: func() { sent.Store(true); writes <- struct{}{} },
			})
			e := asError(t, err)
			switch {
			case e.Kind == KindLimit && e.Delivery == NotSent && !sent.Load():
				limited.Add(1)
				refused <- struct{}{}
			case e.Kind == KindCanceled && e.Delivery == NotSent && !sent.Load():
				waited.Add(1)
			case e.Kind == KindCanceled && e.Delivery == Unknown && sent.Load():
				begun.Add(1)
			default:
				t.Errorf("got %v, %v", e.Delivery, e)
			}
		})
	}
	callers.Wait()
	if begun.Load() != 1 || waited.Load() == 0 || limited.Load() == 0 {
		t.Errorf("%d begun, %d waited, %d refused", begun.Load(), waited.Load(), limited.Load())
	}
	// The writer may be about to look for more, if none of the callers came to write.
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.out.bytes != 0 || c.out.messages != 0 || len(c.out.queue) != 0 {
		t.Errorf("%d bytes of %d messages are still queued", c.out.bytes, c.out.messages)
	}
}

func TestStdioWriteTimeout(t *testing.T) {
	t.Parallel()
	cfg := childConfig(t, "deaf")
	cfg.WriteTimeout, cfg.StopGrace = 100*time.Millisecond, 10*time.Millisecond
	c := dialStdio(t, cfg, ignore)
	params := []byte(`"` + strings.Repeat("p", 1<<20) + `"`)
	var callers sync.WaitGroup
	var unknown atomic.Int64
	for i := range 8 {
		callers.Go(func() {
			_, err := c.RoundTrip(short(t), &Request{ID: int64(i + 1), Method: "echo", Params: params})
			if e := asError(t, err); e.Kind != KindLost || !errors.Is(e, os.ErrDeadlineExceeded) {
				t.Errorf("got %v", e)
			} else if e.Delivery == Unknown {
				unknown.Add(1)
			}
		})
	}
	callers.Wait()
	if unknown.Load() != 1 {
		t.Errorf("%d calls with unknown delivery, want the one that was begun", unknown.Load())
	}
	eventually(t, "the child's end", func() bool { return !alive(pidOf(c)) })
}
