package main

import (
	"math"
	"testing"
)

func TestHeapFloor(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int64]int64{
		math.MaxInt64: 32 << 20, // none
		4 << 30:       32 << 20,
		512 << 20:     16 << 20,
		64 << 20:      2 << 20,
		0:             0, // GOMEMLIMIT=0 means it
	} {
		if got := heapFloor(limit); got != want {
			t.Errorf("for a limit of %d the floor is %d, want %d", limit, got, want)
		}
	}
}
