package peers

import (
	"context"
	"fmt"
	"strconv"
	"time"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

func addTimedTools(server *mcpsdk.Server, state *state) {
	mcpsdk.AddTool(server, &mcpsdk.Tool{Name: "sleep", Description: "waits that many milliseconds"}, sleep(state))
	mcpsdk.AddTool(server, &mcpsdk.Tool{Name: "slow", Description: "works in steps, with progress and log"}, slow(state))
	mcpsdk.AddTool(server, &mcpsdk.Tool{Name: "given_up", Description: "counts the cancelled calls of these"}, countGivenUp(state))
}

type sleepInput struct {
	MS int `json:"ms"`
}

// sleep returns a tool that waits and then says how long; cancelled, it stops at
// once.
func sleep(state *state) mcpsdk.ToolHandlerFor[sleepInput, any] {
	return func(ctx context.Context, _ *mcpsdk.CallToolRequest, in sleepInput) (*mcpsdk.CallToolResult, any, error) {
		if err := state.wait(ctx, in.MS); err != nil {
			return nil, nil, err
		}
		return text(fmt.Sprintf("slept %d ms", in.MS)), nil, nil
	}
}

type slowInput struct {
	Steps      int `json:"steps"`
	IntervalMS int `json:"interval_ms"`
}

// slow returns a tool that waits interval_ms before each of its steps. After each
// it sends progress, if the caller gave a token, and a log message at level info,
// if the caller set a level. Cancelled, it stops at once.
func slow(state *state) mcpsdk.ToolHandlerFor[slowInput, any] {
	return func(ctx context.Context, request *mcpsdk.CallToolRequest, in slowInput) (*mcpsdk.CallToolResult, any, error) {
		for step := 1; step <= in.Steps; step++ {
			if err := state.wait(ctx, in.IntervalMS); err != nil {
				return nil, nil, err
			}
			if err := report(ctx, request, step, in.Steps); err != nil {
				return nil, nil, err
			}
		}
		return text(fmt.Sprintf("did %d steps", in.Steps)), nil, nil
	}
}

// countGivenUp returns a tool whose text is how often a tool here was cancelled
// while it waited.
func countGivenUp(state *state) mcpsdk.ToolHandlerFor[struct{}, any] {
	return func(context.Context, *mcpsdk.CallToolRequest, struct{}) (*mcpsdk.CallToolResult, any, error) {
		return text(strconv.FormatInt(state.givenUp.Load(), 10)), nil, nil
	}
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

// wait waits and counts how often it could not do so to the end.
func (s *state) wait(ctx context.Context, ms int) error {
	timer := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		s.givenUp.Add(1)
		return ctx.Err()
	}
}
