package main

import (
	"errors"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// memoryShare is how much of a container's memory limit the bridge works with
// before it collects garbage harder. The rest is for the children of stdio
// servers, which are in the same container, and for what is not Go's.
const memoryShare = 0.8

// limitMemory has the garbage collector heed the memory limit of the container.
// GOMEMLIMIT and AUTOMEMLIMIT, if set, win over that.
func limitMemory(log *slog.Logger) {
	limit, err := memlimit.Set(memlimit.WithRatio(memoryShare))
	switch {
	case errors.Is(err, memlimit.ErrNoCgroup), errors.Is(err, memlimit.ErrCgroupsNotSupported):
		log.Debug("no container limits the memory", "reason", err)
	case err != nil:
		log.Warn("the memory limit of the container is not heeded", "error", err)
	default:
		log.Debug("memory limit", "bytes", limit)
	}
}

const (
	// usualGarbage is how much garbage may lie around in any case. A bridge at rest
	// holds a few megabytes, and would otherwise collect garbage again for every few
	// megabytes that calls allocate, dozens of times a second under load; measured,
	// that is a tenth of all its CPU. Where memory is scarce it is at most one part
	// in garbageShare of the limit.
	usualGarbage = 32 << 20
	garbageShare = 32
	// manySessions is from how many sessions on twice as much garbage may lie around
	// for what is in use. The collector looks at each one every time, and while it
	// does all calls take longer.
	manySessions = 10_000
)

// collection returns how much garbage may lie around for what is in use, in
// percent, and the floor: what is taken for in use in any case. limit is that of
// the memory, sessions how many there may be.
func collection(limit int64, sessions int) (percent int, floor int64) {
	percent = 100 + 100*min(sessions, manySessions)/manySessions
	return percent, min(usualGarbage, limit/garbageShare) * 100 / int64(percent)
}

// tuneCollector tunes the garbage collector for as many sessions. GOGC, if set,
// wins over that. The floor is never written to, so the system gives no memory for
// it. It is there until release is called.
func tuneCollector(sessions int) (release func()) {
	percent, bytes := collection(debug.SetMemoryLimit(-1), sessions)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
	floor := make([]byte, bytes)
	return func() { runtime.KeepAlive(floor) }
}
