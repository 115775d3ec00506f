package reload

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// write replaces a file as an editor does, at a time of its own.
func write(t *testing.T, path, text string, at time.Time) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var said strings.Builder
		path := filepath.Join(dir, "file")
		now := time.Now()
		write(t, path, "1", now)
		var loads atomic.Int64
		var broken atomic.Bool
		load := func() error {
			loads.Add(1)
			if broken.Load() {
				return errors.New("half written")
			}
			return nil
		}
		files, err := Load(slog.New(slog.NewTextHandler(&said, nil)), load, path)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); files.Watch(ctx) }()
		want := func(what string, n int64) {
			t.Helper()
			time.Sleep(3 * Interval)
			synctest.Wait()
			if got := loads.Load(); got != n {
				t.Errorf("%s: %d loads, want %d", what, got, n)
			}
		}
		want("unchanged", 1)
		write(t, path, "2", now.Add(time.Second))
		want("written", 2)
		write(t, path+".new", "3", now.Add(time.Second))
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		want("replaced", 3)

		broken.Store(true)
		write(t, path, "4", now.Add(2*time.Second))
		want("broken", 6) // it is tried again and again
		if n := strings.Count(said.String(), "half written"); n != 1 {
			t.Errorf("the trouble is logged %d times", n)
		}
		broken.Store(false)
		want("mended", 7)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		want("removed", 8)
		want("still gone", 8)
		cancel()
		<-done
	})
}

func TestLoadFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	if _, err := Load(slog.New(slog.DiscardHandler), func() error { return broken }); !errors.Is(err, broken) {
		t.Errorf("Load() = %v", err)
	}
}
