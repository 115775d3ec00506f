package mcp_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/transport"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// The reference server's tool that must be a task, by its two transports.
func TestTaskEverything(t *testing.T) {
	t.Parallel()
	const tool = "simulate-research-query"
	for name, dial := range map[string]func(t *testing.T) transport.Dialer{
		"stdio": func(t *testing.T) transport.Dialer { return stdio(peers.EverythingCommand(t)) },
		"HTTP":  func(t *testing.T) transport.Dialer { return http(t, peers.EverythingHTTP(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := connectAs(t, dial(t), mcp.Profile{Capabilities: mcp.Capabilities{ElicitationForm: true}})

			t.Run("asks", func(t *testing.T) {
				t.Parallel()
				c := mcp.CallTool(tool, []byte(`{"topic":"python","ambiguous":true}`))
				c.Ask = answers(`{"action":"accept","content":{"interpretation":"snake"}}`)
				r, err := s.Call(t.Context(), c)
				if err != nil || !strings.Contains(text(t, r), "# Research Report: python (snake)") {
					t.Errorf("got %v, %v", r, err)
				}
			})
			t.Run("detached", func(t *testing.T) {
				t.Parallel()
				task := detached(t, s, tool)
				now, err := s.GetTask(t.Context(), task.ID, nil, 0)
				if err != nil || now.Status != mcp.TaskWorking {
					t.Errorf("it stands %+v, %v", now, err)
				}
				now, err = s.GetTask(t.Context(), task.ID, nil, time.Minute)
				if err != nil || now.Status != mcp.TaskCompleted || !strings.Contains(string(now.Result), "# Research Report: go") {
					t.Errorf("it ended %+v, %v", now, err)
				}
				all, err := s.ListAll(t.Context(), mcp.ListTasks(), nil, mcp.ListLimits{})
				if err != nil || !strings.Contains(string(all.JSON), task.ID) {
					t.Errorf("the list is %v, %v", all, err)
				}
				if again, err := s.CancelTask(t.Context(), task.ID, nil); err != nil || again.Status != mcp.TaskCompleted {
					t.Errorf("cancelled too late: %+v, %v", again, err)
				}
			})
			t.Run("cancelled", func(t *testing.T) {
				t.Parallel()
				task := detached(t, s, tool)
				if now, err := s.CancelTask(t.Context(), task.ID, nil); err != nil || now.Status != mcp.TaskCancelled {
					t.Errorf("it ended %+v, %v", now, err)
				}
			})
			t.Run("given up", func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
				defer cancel()
				if _, err := s.Call(ctx, mcp.CallTool(tool, []byte(`{"topic":"given up"}`))); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
			})
			t.Run("unknown", func(t *testing.T) {
				t.Parallel()
				var missing *mcp.TaskNotFoundError
				if _, err := s.GetTask(t.Context(), "nonsense", nil, 0); !errors.As(err, &missing) {
					t.Errorf("got %v", err)
				}
				if _, err := s.CancelTask(t.Context(), "nonsense", nil); !errors.As(err, &missing) {
					t.Errorf("cancelled: %v", err)
				}
			})
		})
	}
}

func detached(t *testing.T, s *mcp.Session, tool string) *mcp.Task {
	t.Helper()
	c := mcp.CallTool(tool, []byte(`{"topic":"go"}`))
	c.Task = &mcp.TaskOptions{TTL: time.Minute}
	r, err := s.Call(t.Context(), c)
	if err != nil || r.Task == nil || r.Task.Status != mcp.TaskWorking {
		t.Fatalf("got %+v, %v", r, err)
	}
	return r.Task
}
