package peers

import (
	"context"
	"fmt"
	"time"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

func addTimedTools(server *mcpsdk.Server) {
	mcpsdk.AddTool(server, &mcpsdk.Tool{Name: "sleep", Description: "waits that many milliseconds"}, sleep)
	mcpsdk.AddTool(server, &mcpsdk.Tool{Name: "slow", Description: "works in steps, with progress and log"}, slow)
}

type sleepInput struct {
	MS int `json:"ms"`
}

// sleep waits and then says how long; cancelled, it stops at once.
func sleep(ctx context.Context, _ *mcpsdk.CallToolRequest, in sleepInput) (*mcpsdk.CallToolResult, any, error) {
	if err := wait(ctx, in.MS); err != nil {
		return nil, nil, err
	}
	return text(fmt.Sprintf("slept %d ms", in.MS)), nil, nil
}

type slowInput struct {
	Steps      int `json:"steps"`
	IntervalMS int `json:"interval_ms"`
}

// slow waits interval_ms before each of its steps. After each it sends progress,
// if the caller gave a token, and a log message at level info, if the caller set
// a level. Cancelled, it stops at once.
func slow(
	ctx context.Context, request *mcpsdk.CallToolRequest, in slowInput,
) (*mcpsdk.CallToolResult, any, error) {
	for step := 1; step <= in.Steps; step++ {
		if err := wait(ctx, in.IntervalMS); err != nil {
			return nil, nil, err
		}
		if err := report(ctx, request, step, in.Steps); err != nil {
			return nil, nil, err
		}
	}
	return text(fmt.Sprintf("did %d steps", in.Steps)), nil, nil
}

func report(ctx context.Context, request *mcpsdk.CallToolRequest, step, total int) error {
	message := fmt.Sprintf("step %d", step)
	if token := request.Params.GetProgressToken(); token != nil {
		if err := request.Session.NotifyProgress(ctx, &mcpsdk.ProgressNotificationParams{
			ProgressToken: token,
			Message:       message,
			Progress:      float64(step),
			Total:         float64(total),
		}); err != nil {
			return err
		}
	}
	return request.Session.Log(ctx, &mcpsdk.LoggingMessageParams{Level: "info", Logger: "slow", Data: message})
}

func wait(ctx context.Context, ms int) error {
	timer := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
