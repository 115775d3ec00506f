package auth

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// wantQuota wants a [*QuotaError] about that limit.
func wantQuota(t *testing.T, err error, limit string) *QuotaError {
	t.Helper()
	var quota *QuotaError
	if !errors.As(err, &quota) || quota.Limit != limit || quota.RetryAfter <= 0 {
		t.Fatalf("error is %v, want limit %s and when to retry", err, limit)
	}
	return quota
}

func TestCallsInFlight(t *testing.T) {
	t.Parallel()
	l := NewLimits(LimitOptions{Calls: 2, Bytes: 10})
	now := time.Now()
	for range 2 {
		if err := l.begin("a", false, now); err != nil {
			t.Fatal(err)
		}
	}
	wantQuota(t, l.begin("a", false, now), "principal.calls")
	if err := l.begin("b", false, now); err != nil {
		t.Errorf("another principal: %v", err)
	}
	l.end("a", 0)
	if err := l.begin("a", false, now); err != nil {
		t.Errorf("after the end of a call: %v", err)
	}

	if err := l.grow("a", 10); err != nil {
		t.Fatal(err)
	}
	wantQuota(t, l.grow("a", 1), "principal.bytes")
	l.end("a", 10)
	if err := l.grow("a", 10); err != nil {
		t.Errorf("after the end of a call: %v", err)
	}
}

func TestConnectRate(t *testing.T) {
	t.Parallel()
	l := NewLimits(LimitOptions{ConnectRate: 5, ConnectBurst: 10})
	now := time.Now()
	connect := func(principal string) error {
		err := l.begin(principal, true, now)
		if err == nil {
			l.end(principal, 0)
		}
		return err
	}
	for n := range 10 {
		if err := connect("a"); err != nil {
			t.Fatalf("connect %d: %v", n, err)
		}
	}
	quota := wantQuota(t, connect("a"), "principal.connect_rate")
	if quota.RetryAfter != 200*time.Millisecond {
		t.Errorf("retry after %v, want 200ms", quota.RetryAfter)
	}
	if err := l.begin("a", false, now); err != nil {
		t.Errorf("a call is no connect: %v", err)
	}
	if err := connect("b"); err != nil {
		t.Errorf("another principal: %v", err)
	}
	now = now.Add(quota.RetryAfter)
	if err := connect("a"); err != nil {
		t.Errorf("when it was said to retry: %v", err)
	}
}

// TestIdlePrincipalsAreForgotten, and with them nothing that counts.
func TestIdlePrincipalsAreForgotten(t *testing.T) {
	t.Parallel()
	l := NewLimits(LimitOptions{Calls: 1, ConnectRate: 1, ConnectBurst: 1})
	now := time.Now()
	if err := l.begin("busy", false, now); err != nil {
		t.Fatal(err)
	}
	if err := l.begin("recent", true, now); err != nil {
		t.Fatal(err)
	}
	l.end("recent", 0)
	for n := range 3 * minSweep {
		id := fmt.Sprint(n)
		if err := l.begin(id, false, now); err != nil {
			t.Fatal(err)
		}
		l.end(id, 0)
	}
	if n := len(l.users); n > minSweep {
		t.Errorf("%d principals are remembered", n)
	}
	wantQuota(t, l.begin("busy", false, now), "principal.calls")
	wantQuota(t, l.begin("recent", true, now), "principal.connect_rate")
}

func TestLimitsConcurrently(t *testing.T) {
	t.Parallel()
	l := NewLimits(LimitOptions{Calls: 4, Bytes: 4})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 500 {
				if l.begin("a", false, time.Now()) != nil {
					continue
				}
				if l.grow("a", 1) != nil {
					t.Error("four calls have more than four bytes")
				}
				l.end("a", 1)
			}
		})
	}
	wg.Wait()
	if u := l.users["a"]; u.calls != 0 || u.bytes != 0 {
		t.Errorf("left over: %+v", u)
	}
}

func BenchmarkLimits(b *testing.B) {
	l := NewLimits(LimitOptions{Calls: 64, Bytes: 64 << 20, ConnectRate: 5, ConnectBurst: 10})
	b.ReportAllocs()
	for b.Loop() {
		if err := l.begin("preshared:billing", false, time.Now()); err != nil {
			b.Fatal(err)
		}
		if err := l.grow("preshared:billing", 100); err != nil {
			b.Fatal(err)
		}
		l.end("preshared:billing", 100)
	}
}
