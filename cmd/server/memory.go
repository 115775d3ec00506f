package main

import (
	"errors"
	"log/slog"
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

// The heap floor is what the garbage collector takes for live in any case. A
// bridge at rest holds a few megabytes, and would otherwise collect them again
// for every few megabytes that calls allocate, dozens of times a second under
// load; measured, that is a tenth of all its CPU. The floor is never written to,
// so the system gives no memory for it; what it costs is that up to as much
// garbage again may lie around, so it is kept small where memory is.
const (
	mostFloor  = 32 << 20
	floorShare = 32 // of the memory limit, the floor is at most one part in so many
)

// heapFloor is the floor for a memory limit.
func heapFloor(limit int64) int64 { return min(mostFloor, limit/floorShare) }

// raiseHeapFloor returns the function that lowers it again.
func raiseHeapFloor() (release func()) {
	floor := make([]byte, heapFloor(debug.SetMemoryLimit(-1)))
	return func() { runtime.KeepAlive(floor) }
}
