package main

import "runtime"

// heapFloor is what the garbage collector takes for live in any case. A bridge
// at rest holds a few megabytes, and would otherwise collect them again for
// every few megabytes that calls allocate, dozens of times a second under load;
// measured, that is a tenth of all its CPU. The floor is never written to, so
// the system gives no memory for it; what it costs is that up to as much garbage
// again may lie around.
const heapFloor = 16 << 20

// raiseHeapFloor returns the function that lowers it again.
func raiseHeapFloor() (release func()) {
	floor := make([]byte, heapFloor)
	return func() { runtime.KeepAlive(floor) }
}
