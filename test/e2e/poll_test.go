package e2e

import (
	"testing"
	"time"
)

const pollInterval = 5 * time.Millisecond

// eventually asks until the answer is nil, and fails the test with the last
// answer when the time is over.
func eventually(t *testing.T, bound time.Duration, ask func() error) {
	t.Helper()
	deadline := time.Now().Add(bound)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v still: %v", bound, err)
		}
		time.Sleep(pollInterval)
	}
}
