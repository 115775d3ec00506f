package service

import (
	"context"
	"sync"
	"time"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// inquiryTime bounds how long a legacy server may take to ask what it says that
// a task of it asks.
const inquiryTime = 2 * time.Second

// setQuestions sets what the task asks. A modern server says it with the task. A
// legacy one asks whoever waits for the result, so somebody does from then on:
// for a session's owner, who has declared to answer. If it does not ask now, or
// the task has ended meanwhile, that is passing.
func (s *Service) setQuestions(ctx context.Context, op *taskOperation, task *mcp.Task, resp *mcpbridgev1.GetTaskResponse) (passing bool, err error) {
	asked := op.asking()
	if op.on.Server().Era() == mcp.EraModern {
		st, err := stateOfResult(task.JSON)
		if err != nil {
			return false, err
		}
		st.Era = mcp.EraModern
		return false, s.requireInput(asked, op.on, st, time.Time{}, nil, resp)
	}
	if op.on.session == nil || op.on.session.Capabilities() == (mcp.Capabilities{}) {
		return false, nil // there is nobody whom it could ask
	}
	bounded, cancel := context.WithTimeout(ctx, inquiryTime)
	defer cancel()
	p, a := s.inquire(ctx, op)
	e, questions, err := p.next(bounded, a)
	switch {
	case questions != nil:
		return false, s.requireInput(asked, op.on, &requestState{Parked: p.id, Questions: questions.byKey}, questions.until, nil, resp)
	case err != nil:
		return ctx.Err() == nil, nil
	}
	return e.err == nil, nil
}

// asking is the operation that the questions of the task interrupt: request_state
// is good for this task only.
func (op *taskOperation) asking() *operation {
	return &operation{call: op.call, format: op.format, digest: digestOf(op.request())}
}

// request stands for the task where requests are told apart.
func (op *taskOperation) request() *mcp.Call {
	return &mcp.Call{Method: "tasks/update", Params: []byte(op.id)}
}

// An inquiry names a task that somebody waits for the result of.
type inquiry struct{ principal, target, task string }

// inquiries are those under way. It may be used concurrently.
type inquiries struct {
	mu    sync.Mutex // guards calls
	calls map[inquiry]*parkedCall
}

func newInquiries() *inquiries { return &inquiries{calls: make(map[inquiry]*parkedCall)} }

func (i *inquiries) remove(key inquiry) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.calls, key)
}

// inquire attends to what a legacy server's task asks. The request that the
// server asks on outlives the RPC; it ends with the task, or some time after
// nobody has come back to it.
func (s *Service) inquire(ctx context.Context, op *taskOperation) (*parkedCall, *attendant) {
	key := inquiry{op.on.principal, op.on.name, op.id}
	a := newAttendant(nil)
	s.inquiries.mu.Lock()
	defer s.inquiries.mu.Unlock()
	if p := s.inquiries.calls[key]; p != nil {
		p.attend(a)
		return p, a
	}
	detached, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	p := s.parked.begin(op.on.principal, s.opts.InputTimeout, cancel)
	p.attend(a)
	s.inquiries.calls[key] = p
	go func() {
		defer cancel(nil)
		e := s.waitForResult(detached, op, withRoots(op.on, p.ask))
		s.inquiries.remove(key)
		p.end(e)
	}()
	return p, a
}

func (s *Service) waitForResult(ctx context.Context, op *taskOperation, ask mcp.Ask) (e ending) {
	e.err = recovered(func() error {
		var err error
		e.out, err = op.on.Do(ctx, false, func(ctx context.Context, live *pool.Live) (err error) {
			e.result, err = live.TaskResult(ctx, op.id, ask)
			return err
		})
		return err
	})
	return e
}

// UpdateTask implements McpServiceServer.
func (s *Service) UpdateTask(ctx context.Context, req *mcpbridgev1.UpdateTaskRequest) (*mcpbridgev1.UpdateTaskResponse, error) {
	op, err := s.taskOperation(ctx, req, req.MetaJson)
	if err != nil {
		return nil, err
	}
	switch {
	case len(req.GetInputResponses()) == 0:
		return nil, &fieldError{Field: "input_responses", Problem: "is required"}
	case op.on.session == nil && op.on.Server().Era() == mcp.EraLegacy:
		return nil, &connectFirstError{What: "a task of this server that asks something"}
	}
	if err := required("request_state", req.GetRequestState()); err != nil {
		return nil, err
	}
	st, err := s.states.open(req.GetRequestState(), op.on.principal, op.on.name, op.request())
	if err != nil {
		return nil, op.failed(err)
	}
	task, err := s.answerTask(ctx, op, st, req.GetInputResponses())
	if err != nil {
		return nil, err
	}
	m, err := op.taskMessage(task, op.format)
	if err != nil {
		return nil, op.failed(err)
	}
	return &mcpbridgev1.UpdateTaskResponse{Task: m}, nil
}

// answerTask hands over the answers to a task's questions, and returns how it
// stands then.
func (s *Service) answerTask(
	ctx context.Context, op *taskOperation, st *requestState, responses map[string]*mcpbridgev1.InputResponse,
) (*mcp.Task, error) {
	if st.Parked == "" {
		text, err := s.responsesTo(&op.call, "tasks/update", st, responses)
		if err != nil {
			return nil, err
		}
		return op.run(ctx, func(ctx context.Context, live *pool.Live) (*mcp.Task, error) {
			return live.UpdateTask(ctx, op.id, text, op.meta)
		})
	}
	p := s.parked.find(st.Parked)
	if p == nil {
		return nil, op.failed(errStateLost)
	}
	if err := s.answerParked(&op.call, op.on, p, st, responses); err != nil {
		return nil, err
	}
	a := newAttendant(nil)
	p.attend(a) // it is not forgotten
	p.leave(a)
	return op.run(ctx, func(ctx context.Context, live *pool.Live) (*mcp.Task, error) {
		return live.GetTask(ctx, op.id, op.meta, 0)
	})
}
