package demo

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

func TestCountDownReports(t *testing.T) {
	t.Parallel()
	for _, version := range []string{modern, legacy} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				progress := make(chan *mcpsdk.ProgressNotificationParams, 10)
				logged := make(chan any, 10)
				session := connect(t, version, &mcpsdk.ClientOptions{
					ProgressNotificationHandler: func(_ context.Context, r *mcpsdk.ProgressNotificationClientRequest) {
						progress <- r.Params
					},
					LoggingMessageHandler: func(_ context.Context, r *mcpsdk.LoggingMessageRequest) {
						logged <- r.Params.Data
					},
				})
				params := &mcpsdk.CallToolParams{
					Name:      "count_down",
					Arguments: map[string]any{"steps": 3, "interval_ms": 1000},
				}
				askForLogs(t, session, params, version)
				params.SetProgressToken("token")
				result, err := session.CallTool(t.Context(), params)
				if err != nil {
					t.Fatal(err)
				}
				if got := structured[countDownOutput](t, result); got != (countDownOutput{Steps: 3, ElapsedMS: 3000}) {
					t.Errorf("result is %+v", got)
				}
				for step := 1; step <= 3; step++ {
					want := fmt.Sprintf("%d to go", 3-step)
					if got := <-progress; got.Progress != float64(step) || got.Total != 3 || got.Message != want {
						t.Errorf("step %d: progress is %+v", step, got)
					}
					if got := <-logged; got != want {
						t.Errorf("step %d: log is %v, want %q", step, got, want)
					}
				}
			})
		})
	}
}

// askForLogs asks for log messages in the way of the protocol version: with the
// call itself from 2026-07-28 on, for the session before.
func askForLogs(t *testing.T, session *mcpsdk.ClientSession, params *mcpsdk.CallToolParams, version string) {
	t.Helper()
	if version == modern {
		params.Meta = mcpsdk.Meta{"io.modelcontextprotocol/logLevel": "info"}
		return
	}
	if err := session.SetLoggingLevel(t.Context(), &mcpsdk.SetLoggingLevelParams{Level: "info"}); err != nil {
		t.Fatal(err)
	}
}

func TestCountDownStopsWhenCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		started := make(chan struct{}, 1000)
		session := connect(t, modern, &mcpsdk.ClientOptions{
			ProgressNotificationHandler: func(context.Context, *mcpsdk.ProgressNotificationClientRequest) {
				started <- struct{}{}
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		params := &mcpsdk.CallToolParams{
			Name:      "count_down",
			Arguments: map[string]any{"steps": 1000, "interval_ms": 60_000},
		}
		params.SetProgressToken("token")
		ended := make(chan error, 1)
		go func() {
			_, err := session.CallTool(ctx, params)
			ended <- err
		}()
		<-started
		cancel()
		if err := <-ended; err == nil {
			t.Error("the cancelled call succeeded")
		}
		// Were the countdown still running, hours of fake time would bring more steps.
		time.Sleep(24 * time.Hour)
		if len(started) > 0 {
			t.Errorf("%d more steps after the cancellation", len(started))
		}
	})
}
