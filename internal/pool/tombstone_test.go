package pool

import (
	"strconv"
	"testing"
	"time"
)

func TestTombstones(t *testing.T) {
	t.Parallel()
	var stones tombstones
	now := time.Now()
	for i := range maxTombstones + 2 {
		stones.add(strconv.Itoa(i), "a", now.Add(time.Duration(i)))
	}
	if len(stones.byID) != maxTombstones || len(stones.order) != maxTombstones || stones.of("1", "a") || !stones.of("2", "a") || stones.of("2", "b") {
		t.Errorf("%d and %d are kept, the oldest: %v", len(stones.byID), len(stones.order), stones.of("1", "a"))
	}
	stones.clear(now.Add(tombstoneLife + 3))
	if stones.of("2", "a") || !stones.of("3", "a") || len(stones.byID) != len(stones.order) {
		t.Error("the time of the wrong ones is over")
	}
}
