package service

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever drains waits for the last call that needs an answer, and no longer than
// there is time.
func TestDialogues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d dialogues
		waited := func() time.Duration {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			began := time.Now()
			d.wait(ctx)
			return time.Since(began)
		}
		if got := waited(); got != 0 {
			t.Errorf("without any, %v", got)
		}
		one, two := d.begin(), d.begin()
		if got := waited(); got != time.Minute {
			t.Errorf("with two, %v", got)
		}
		one()
		time.AfterFunc(time.Second, two)
		if got := waited(); got != time.Second {
			t.Errorf("with one that ends, %v", got)
		}
		if got := waited(); got != 0 {
			t.Errorf("after all, %v", got)
		}
	})
}
