package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

func addCountDown(server *mcpsdk.Server) {
	mcpsdk.AddTool(server, &mcpsdk.Tool{
		Name:        "count_down",
		Title:       "Count down",
		Description: "Counts down to zero, reporting progress and a log message at each step. Stops when cancelled.",
		Annotations: pureAnnotations(),
		InputSchema: json.RawMessage(`{
			"type": "object",
			"properties": {
				"steps": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 5,
					"description": "how many steps to count"},
				"interval_ms": {"type": "integer", "minimum": 0, "maximum": 60000, "default": 200,
					"description": "milliseconds to wait at each step"}
			},
			"additionalProperties": false
		}`),
	}, countDown)
}

type countDownInput struct {
	Steps      int   `json:"steps"`
	IntervalMS int64 `json:"interval_ms"`
}

type countDownOutput struct {
	Steps     int   `json:"steps" jsonschema:"how many steps were counted"`
	ElapsedMS int64 `json:"elapsed_ms" jsonschema:"milliseconds the countdown took"`
}

func countDown(
	ctx context.Context, request *mcpsdk.CallToolRequest, in countDownInput,
) (*mcpsdk.CallToolResult, countDownOutput, error) {
	start := time.Now()
	interval := time.Duration(in.IntervalMS) * time.Millisecond
	for step := 1; step <= in.Steps; step++ {
		if err := pause(ctx, interval); err != nil {
			return nil, countDownOutput{}, fmt.Errorf("stopped before step %d of %d: %w", step, in.Steps, err)
		}
		if err := reportStep(ctx, request, step, in.Steps); err != nil {
			return nil, countDownOutput{}, fmt.Errorf("report step %d: %w", step, err)
		}
	}
	return nil, countDownOutput{Steps: in.Steps, ElapsedMS: time.Since(start).Milliseconds()}, nil
}

// pause waits for d or until ctx is done, whose error it then returns.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reportStep sends a progress notification, if the caller asked for progress,
// and a log message, which the SDK drops below the level the caller set.
func reportStep(ctx context.Context, request *mcpsdk.CallToolRequest, step, total int) error {
	message := fmt.Sprintf("%d to go", total-step)
	if token := request.Params.GetProgressToken(); token != nil {
		progress := &mcpsdk.ProgressNotificationParams{
			ProgressToken: token,
			Message:       message,
			Progress:      float64(step),
			Total:         float64(total),
		}
		if err := request.Session.NotifyProgress(ctx, progress); err != nil {
			return err
		}
	}
	return request.Session.Log(ctx, &mcpsdk.LoggingMessageParams{
		Level:  "info",
		Logger: "count_down",
		Data:   message,
	})
}
