package mcp_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

// Closing takes no longer than it may, whatever an Ask does.
func TestCloseBesideStubbornAsk(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		// lasts is how long the Ask goes on.
		lasts, want time.Duration
		fails       bool
	}{
		"ends in time":     {lasts: time.Second, want: time.Second},
		"ends a bit later": {lasts: 2*time.Second + 50*time.Millisecond, want: 2*time.Second + 50*time.Millisecond},
		"goes on":          {lasts: time.Minute, want: 2*time.Second + 100*time.Millisecond, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{}
				session := s.open(t, mcp.Options{}, mcp.Profile{
					Capabilities: everything(),
					Ask: func(context.Context, mcp.Question) (mcp.Answer, error) {
						time.Sleep(tt.lasts)
						return mcp.Answer{}, mcp.ErrNobody
					},
				})
				s.ask(0, `1`, mcp.MethodRoots, "")
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				began := time.Now()
				err := session.Close(ctx)
				if took := time.Since(began); took != tt.want || errors.Is(err, context.DeadlineExceeded) != tt.fails {
					t.Errorf("%v after %v, want %v", err, took, tt.want)
				}
				time.Sleep(time.Minute) // until the Ask has ended
			})
		})
	}
}
