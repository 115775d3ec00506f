package service

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// taskOptions reads how a call is to run as a task; nil: in the ordinary way.
func taskOptions(o *mcpbridgev1.TaskOptions) (*mcp.TaskOptions, error) {
	if o == nil {
		return nil, nil
	}
	ttl := o.GetTtl()
	if ttl != nil && (!ttl.IsValid() || ttl.AsDuration() < time.Millisecond) {
		return nil, &fieldError{Field: "task.ttl", Problem: "must be at least 1 ms"}
	}
	return &mcp.TaskOptions{TTL: ttl.AsDuration()}, nil
}

// follow has those who watch the session be told of the task that goes on with a
// call, if one does.
func follow(session *pool.Live, result *mcp.Result) {
	if result.Task != nil {
		session.Follow(result.Task.ID)
	}
}

// taskMembers are the members of a modern server's task that are its outcome.
func taskMembers() []string { return []string{"result", "error", memberRequests} }

// taskMessage converts a task of the call's target, without its outcome.
func (c *call) taskMessage(task *mcp.Task, format convert.Format) (*mcpbridgev1.Task, error) {
	m := new(mcpbridgev1.Task)
	if err := convert.Into(m, without(task.JSON, taskMembers()...), format); err != nil {
		return nil, &mcp.ResultError{Problem: err.Error()}
	}
	c.entitle(m)
	return m, nil
}

// GetTask implements McpServiceServer.
func (s *Service) GetTask(ctx context.Context, req *mcpbridgev1.GetTaskRequest) (*mcpbridgev1.GetTaskResponse, error) {
	op, err := s.taskOperation(ctx, req, req.MetaJson)
	if err != nil {
		return nil, err
	}
	wait, err := s.waitOf(ctx, op, req.GetWait())
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(wait); ; {
		task, err := op.run(ctx, func(ctx context.Context, live *pool.Live) (*mcp.Task, error) {
			return live.GetTask(ctx, op.id, op.meta, time.Until(end))
		})
		if err != nil {
			return nil, err
		}
		resp, passing, err := s.describe(ctx, op, task)
		if err != nil {
			return nil, op.failed(err)
		}
		if !passing || time.Until(end) <= 0 {
			return resp, op.failed(s.checkSize(resp))
		}
	}
}

// waitOf says how long to wait for a task. What is left of the RPC's time has to
// do for the answer.
func (s *Service) waitOf(ctx context.Context, op *taskOperation, asked *durationpb.Duration) (time.Duration, error) {
	wait := asked.AsDuration()
	if asked != nil && (!asked.IsValid() || wait < 0) {
		return 0, &fieldError{Field: "wait", Problem: "must not be negative"}
	}
	wait = min(wait, max(s.opts.MaxCallTimeout-s.opts.CallTimeout, 0))
	if wait > 0 {
		op.limit.asked = durationpb.New(wait + s.opts.CallTimeout)
	}
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline)*9/10)
	}
	return wait, nil
}

// describe says how a task stands, and what has come of it or what it asks. In a
// passing state it only seems to ask.
func (s *Service) describe(ctx context.Context, op *taskOperation, task *mcp.Task) (resp *mcpbridgev1.GetTaskResponse, passing bool, err error) {
	resp = new(mcpbridgev1.GetTaskResponse)
	if resp.Task, err = op.taskMessage(task, op.format); err != nil {
		return nil, false, err
	}
	switch {
	case task.Result != nil:
		result := new(mcpbridgev1.CallToolResponse)
		if err := convert.Into(result, task.Result, op.format); err != nil {
			return nil, false, &mcp.ResultError{Problem: err.Error()}
		}
		resp.Outcome = &mcpbridgev1.GetTaskResponse_Result{Result: result}
	case task.Error != nil:
		failure, err := upstreamMessage(task.Error, op.format)
		if err != nil {
			return nil, false, &mcp.ResultError{Problem: err.Error()}
		}
		resp.Outcome = &mcpbridgev1.GetTaskResponse_Error{Error: failure}
	case task.Status == mcp.TaskInputRequired:
		passing, err = s.setQuestions(ctx, op, task, resp)
	}
	return resp, passing, err
}

// upstreamMessage is the whole of a server's error; see [upstreamDetail] for what
// fits into a status.
func upstreamMessage(e *jsonrpc.Error, format convert.Format) (*mcpbridgev1.UpstreamError, error) {
	text := appendMember([]byte{'{'}, "message", rawjson.AppendString(nil, e.Message))
	if e.Data != nil {
		text = appendMember(text, "data", e.Data)
	}
	m := new(mcpbridgev1.UpstreamError)
	if err := convert.Into(m, append(text, '}'), format); err != nil {
		return nil, err
	}
	m.Code = e.Code
	return m, nil
}

// ListTasks implements McpServiceServer.
func (s *Service) ListTasks(ctx context.Context, req *mcpbridgev1.ListTasksRequest) (*mcpbridgev1.ListTasksResponse, error) {
	if g, err := s.group(ctx, req.GetTarget()); g != nil || err != nil {
		if err != nil {
			return nil, err
		}
		return s.listGroupTasks(ctx, g, req)
	}
	t, err := s.target(ctx, req.GetTarget())
	if err != nil {
		return nil, err
	}
	if err := listableTasks(t); err != nil {
		return nil, err
	}
	resp := new(mcpbridgev1.ListTasksResponse)
	resp.NextCursor, err = s.list(ctx, mcp.ListTasks(), req, resp)
	return resp, err
}

// CancelTask implements McpServiceServer.
func (s *Service) CancelTask(ctx context.Context, req *mcpbridgev1.CancelTaskRequest) (*mcpbridgev1.CancelTaskResponse, error) {
	op, err := s.taskOperation(ctx, req, req.MetaJson)
	if err != nil {
		return nil, err
	}
	task, err := op.run(ctx, func(ctx context.Context, live *pool.Live) (*mcp.Task, error) {
		return live.CancelTask(ctx, op.id, op.meta)
	})
	if err != nil {
		return nil, err
	}
	m, err := op.taskMessage(task, op.format)
	if err != nil {
		return nil, op.failed(err)
	}
	return &mcpbridgev1.CancelTaskResponse{Task: m}, nil
}

// A taskRequest is what the requests about one task have in common.
type taskRequest interface {
	GetTarget() string
	GetTaskId() string
	GetMeta() *structpb.Struct
	GetJsonFormat() mcpbridgev1.JsonFormat
}

// A taskOperation is an RPC about one task.
type taskOperation struct {
	call
	service *Service
	on      target
	id      string
	meta    []byte
	format  convert.Format
}

// taskOperation checks the request and finds its target, before any I/O.
func (s *Service) taskOperation(ctx context.Context, req taskRequest, metaJSON *string) (*taskOperation, error) {
	if err := required("task_id", req.GetTaskId()); err != nil {
		return nil, err
	}
	meta, err := s.object("meta", req.GetMeta(), metaJSON)
	if err != nil {
		return nil, err
	}
	op := &taskOperation{call: call{target: req.GetTarget()}, service: s, meta: meta, format: req.GetJsonFormat()}
	op.on, op.id, err = s.placeTask(ctx, &op.call, req.GetTaskId())
	return op, err
}

// run makes a request about the task, which may be made twice.
func (op *taskOperation) run(ctx context.Context, fn func(context.Context, *pool.Live) (*mcp.Task, error)) (task *mcp.Task, err error) {
	ctx, cancel, _, err := op.service.bound(ctx, op.limit, op.on.preset)
	if err != nil {
		return nil, err
	}
	defer cancel()
	out, err := op.call.on(pool.OnTask(ctx, op.id), op.on, func(ctx context.Context, live *pool.Live) (err error) {
		task, err = fn(ctx, live)
		return err
	})
	announce(ctx, out)
	return task, err
}
