package service

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
)

func TestBound(t *testing.T) {
	t.Parallel()
	s := New(nil, Options{})
	tests := map[string]struct {
		limit    limit
		deadline time.Duration
		preset   time.Duration
		// every is how often there is progress, for a time; 0: never.
		every, lasting time.Duration
		want           time.Duration
		cause          error
	}{
		"default":                      {want: time.Minute, cause: errBridgeTimeout},
		"of the target":                {preset: time.Second, want: time.Second, cause: errBridgeTimeout},
		"asked for":                    {limit: limit{asked: durationpb.New(5 * time.Second)}, preset: time.Second, want: 5 * time.Second, cause: errRequestTimeout},
		"asked for too much":           {limit: limit{asked: durationpb.New(time.Hour)}, want: 15 * time.Minute, cause: errBridgeTimeout},
		"of the RPC":                   {deadline: 3 * time.Second, preset: time.Second, want: 3 * time.Second, cause: context.DeadlineExceeded},
		"of the RPC, shorter":          {deadline: 3 * time.Second, limit: limit{asked: durationpb.New(time.Minute)}, want: 3 * time.Second, cause: context.DeadlineExceeded},
		"progress that does not count": {limit: limit{asked: durationpb.New(5 * time.Second)}, every: time.Second, lasting: time.Hour, want: 5 * time.Second, cause: errRequestTimeout},
		"no progress":                  {limit: limit{asked: durationpb.New(5 * time.Second), renew: true}, want: 5 * time.Second, cause: errRequestTimeout},
		"progress for a while":         {limit: limit{asked: durationpb.New(5 * time.Second), renew: true}, every: 4 * time.Second, lasting: 20 * time.Second, want: 25 * time.Second, cause: errRequestTimeout},
		"progress for ever":            {limit: limit{asked: durationpb.New(5 * time.Second), renew: true}, every: time.Second, lasting: time.Hour, want: 15 * time.Minute, cause: errBridgeTimeout},
		"progress until the RPC ends": {
			limit: limit{asked: durationpb.New(5 * time.Second), renew: true}, deadline: 11 * time.Second,
			every: time.Second, lasting: time.Hour, want: 11 * time.Second, cause: context.DeadlineExceeded,
		},
		"progress of the default": {limit: limit{renew: true}, every: 50 * time.Second, lasting: 50 * time.Second, want: 110 * time.Second, cause: errBridgeTimeout},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, began := t.Context(), time.Now()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				ctx, cancel, progress, err := s.bound(ctx, tt.limit, tt.preset)
				if err != nil {
					t.Fatal(err)
				}
				defer cancel()
				if progress != nil && tt.every > 0 {
					go func() {
						tick := time.NewTicker(tt.every)
						defer tick.Stop()
						for time.Since(began) < tt.lasting && ctx.Err() == nil {
							select {
							case <-tick.C:
								progress()
							case <-ctx.Done():
							}
						}
					}()
				}
				<-ctx.Done()
				if got := time.Since(began); got != tt.want || !errors.Is(context.Cause(ctx), tt.cause) {
					t.Errorf("it ended after %v for %v", got, context.Cause(ctx))
				}
			})
		})
	}
	for _, bad := range []*durationpb.Duration{durationpb.New(0), durationpb.New(-1), {Nanos: 2e9}} {
		var field *fieldError
		if _, _, _, err := s.bound(t.Context(), limit{asked: bad}, 0); !errors.As(err, &field) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
