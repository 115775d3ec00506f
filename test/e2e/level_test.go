package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What a bridge may have more of after a test than before it: connections that
// come and go, and the runtime's own.
const (
	spareGoroutines = 5
	// The connections to a server that are kept for later have no goroutine to be
	// told by; there are as many as requests were ever under way at once.
	spareFiles  = 24
	settleBound = 30 * time.Second
)

// profiled is the configuration of a bridge whose goroutines can be counted.
const profiled = "admin: {pprof: true}\n"

// A level is what a bridge holds at a moment, but for its HTTP connections to
// servers, which it keeps for a while to use them again.
type level struct{ goroutines, files, children int }

// A gauge measures the level of a profiled bridge.
type gauge struct {
	bridge *bridge
	web    *web
}

func (b *bridge) gauge(t *testing.T) *gauge {
	t.Helper()
	needProcesses(t)
	return &gauge{bridge: b, web: newWeb(t)}
}

func (g *gauge) read(t *testing.T) level {
	t.Helper()
	connections, total := 0, 0
	for _, stack := range g.stacks(t) {
		var count int
		if _, err := fmt.Sscanf(stack, "%d @", &count); err != nil {
			t.Fatalf("%v in %.200s", err, stack)
		}
		total += count
		if strings.Contains(stack, "net/http.(*persistConn).readLoop") {
			connections += count
		}
	}
	return level{
		goroutines: total - 2*connections, // one reads and one writes
		files:      openFiles(t, g.bridge.pid()) - connections,
		children:   len(children(t, g.bridge.pid())),
	}
}

// settled returns the level once it is the same for a while.
func (g *gauge) settled(t *testing.T) level {
	t.Helper()
	last, since := g.read(t), time.Now()
	eventually(t, settleBound, func() error {
		if now := g.read(t); now != last {
			last, since = now, time.Now()
		}
		if time.Since(since) < 200*time.Millisecond {
			return fmt.Errorf("the level still moves: %+v", last)
		}
		return nil
	})
	return last
}

// backAt waits until the level is that of before, and no child is a zombie.
func (g *gauge) backAt(t *testing.T, before level) {
	t.Helper()
	eventually(t, settleBound, func() error {
		now := g.read(t)
		if now.goroutines > before.goroutines+spareGoroutines || now.files > before.files+spareFiles || now.children > before.children {
			const enough = 12
			stacks := g.stacks(t)
			return fmt.Errorf("the level is %+v, before it was %+v; goroutines:\n%s", now, before, strings.Join(stacks[:min(enough, len(stacks))], "\n\n"))
		}
		for _, child := range children(t, g.bridge.pid()) {
			if child.zombie() {
				return fmt.Errorf("child %d is a zombie", child.pid)
			}
		}
		return nil
	})
}

// stacks returns where the goroutines are, one text for those at the same place,
// which begins with their number. The most frequent come first.
func (g *gauge) stacks(t *testing.T) []string {
	t.Helper()
	r := g.web.do(t, http.MethodGet, g.bridge.adminURL+"/debug/pprof/goroutine?debug=1", "")
	_, stacks, ok := strings.Cut(strings.TrimSpace(string(r.body)), "\n")
	if !ok {
		t.Fatalf("the profile is %s", r.body)
	}
	return strings.Split(stacks, "\n\n")
}
