// Package reload reads files again when they have changed.
package reload

import (
	"context"
	"log/slog"
	"os"
	"time"
)

// Interval is how often files are looked at, without being opened.
const Interval = time.Second

// Files are files that are read together. They are watched by looking at them
// rather than by notifications of the system: those miss the ways in which
// Kubernetes, editors and network file systems replace a file.
type Files struct {
	paths []string
	load  func() error
	log   *slog.Logger

	stamp   []os.FileInfo // of what was loaded last
	trouble string        // why the last attempt failed
}

// Load reads the files for the first time, by calling load.
func Load(log *slog.Logger, load func() error, paths ...string) (*Files, error) {
	f := &Files{paths: paths, load: load, log: log}
	f.stamp = f.look()
	return f, load()
}

// Watch calls load whenever one of the files has changed, until ctx is done. A
// load that fails is logged, and tried again with the next look: files that
// belong together seldom change in the same moment. It is to be called once.
func (f *Files) Watch(ctx context.Context) {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.refresh(ctx)
		}
	}
}

func (f *Files) refresh(ctx context.Context) {
	now := f.look()
	if same(f.stamp, now) {
		return
	}
	if err := f.load(); err != nil {
		if f.trouble != err.Error() {
			f.trouble = err.Error()
			f.log.LogAttrs(ctx, slog.LevelError, "changed files cannot be used; the former ones stay in use", slog.Any("error", err))
		}
		return
	}
	f.stamp, f.trouble = now, ""
	f.log.LogAttrs(ctx, slog.LevelInfo, "changed files are in use", slog.Any("files", f.paths))
}

// look returns what the files are now; nil for one that is not there.
func (f *Files) look() []os.FileInfo {
	stamp := make([]os.FileInfo, len(f.paths))
	for i, path := range f.paths {
		stamp[i], _ = os.Stat(path) // reading it will tell
	}
	return stamp
}

func same(a, b []os.FileInfo) bool {
	for i := range a {
		switch {
		case a[i] == nil || b[i] == nil:
			if a[i] != b[i] {
				return false
			}
		case !a[i].ModTime().Equal(b[i].ModTime()) || a[i].Size() != b[i].Size() || !os.SameFile(a[i], b[i]):
			return false
		}
	}
	return true
}
