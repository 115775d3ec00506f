package main

import (
	"math"
	"testing"
)

func TestCollection(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		limit    int64
		sessions int
		percent  int
		floor    int64
	}{
		"no limit":             {limit: math.MaxInt64, sessions: 0, percent: 100, floor: 32 << 20},
		"half a gigabyte":      {limit: 512 << 20, sessions: 0, percent: 100, floor: 16 << 20},
		"GOMEMLIMIT=0":         {limit: 0, sessions: 0, percent: 100, floor: 0},
		"sessions":             {limit: math.MaxInt64, sessions: 2_500, percent: 125, floor: 32 << 20 * 100 / 125},
		"many sessions":        {limit: math.MaxInt64, sessions: 10_000, percent: 200, floor: 16 << 20},
		"sessions beyond that": {limit: math.MaxInt64, sessions: math.MaxInt32, percent: 200, floor: 16 << 20},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if percent, floor := collection(test.limit, test.sessions); percent != test.percent || floor != test.floor {
				t.Errorf("%d %%, a floor of %d; want %d %%, %d", percent, floor, test.percent, test.floor)
			}
		})
	}
}
