package pool

import (
	"math/rand/v2"
	"time"
)

// Backoff spaces attempts with full jitter: attempt n waits a random time
// between 0 and Base·Multiplierⁿ, capped at Max. Zero fields take the default.
type Backoff struct {
	// Base is the longest first wait. Default 500 ms.
	Base time.Duration
	// Multiplier is by how much the longest wait grows. Default 2.
	Multiplier float64
	// Max caps the wait. Default 60 s.
	Max time.Duration
}

func (b Backoff) withDefaults() Backoff {
	if b.Base <= 0 {
		b.Base = 500 * time.Millisecond
	}
	if b.Multiplier < 1 {
		b.Multiplier = 2
	}
	if b.Max <= 0 {
		b.Max = time.Minute
	}
	return b
}

// wait returns how long to wait after that many failures in a row.
func (b Backoff) wait(failures int) time.Duration {
	longest := float64(b.Base)
	for range failures - 1 {
		if longest *= b.Multiplier; longest >= float64(b.Max) {
			longest = float64(b.Max)
			break
		}
	}
	return time.Duration(rand.Float64() * longest) //nolint:gosec // jitter needs no secrecy
}
