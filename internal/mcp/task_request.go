package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// taskCall is a request about a task: "the client MUST set the Mcp-Name header
// to the value of params.taskId" (SEP-2663).
func taskCall(method, id string, meta []byte) *Call {
	params := append(rawjson.AppendString([]byte(`{"taskId":`), id), '}')
	return &Call{Method: method, Params: params, Name: id, Meta: meta}
}

func updateCall(id string, responses, meta []byte) *Call {
	c := taskCall(methodTasksUpdate, id, meta)
	c.Params = append(c.Params[:len(c.Params)-1], `,"inputResponses":`...)
	c.Params = append(append(c.Params, responses...), '}')
	return c
}

// getTask asks how a task stands.
func (s *Session) getTask(ctx context.Context, c *Call) (*Task, error) {
	r, err := s.once(ctx, c)
	if err != nil {
		return nil, notFound(c.Name, err)
	}
	return readTask(methodTasksGet, r.JSON)
}

// notFound names the error of a request whose only params are the id of a task:
// "Invalid or nonexistent taskId: -32602" (SEP-2663, and spec 2025-11-25).
func notFound(id string, err error) error {
	if invalidParams(err) {
		return &TaskNotFoundError{ID: id, Err: err}
	}
	return err
}

// GetTask asks how a task stands, and if it has ended, for its outcome. It waits
// up to that long for the task to end or to ask something.
//
// Beside the errors of [Session.Call], here and in the methods below, there are
// [*TaskNotFoundError], and [*UnsupportedError] if the server has no tasks.
func (s *Session) GetTask(ctx context.Context, id string, meta []byte, wait time.Duration) (*Task, error) {
	if !s.declaresTasks() {
		return nil, &UnsupportedError{What: "tasks"}
	}
	task, err := s.waitTask(ctx, id, meta, wait)
	if err != nil || s.era().kind() == EraModern || task.Status != TaskCompleted && task.Status != TaskFailed {
		return task, err
	}
	r, err := s.once(ctx, taskCall(methodTasksResult, id, nil))
	var refusal *jsonrpc.Error
	switch {
	case err == nil:
		task.Result = r.JSON
	case errors.As(err, &refusal):
		task.Error = refusal
	default:
		return nil, err
	}
	return task, nil
}

// waitTask looks at a task until it does not go on by itself any more, or the
// time is over.
func (s *Session) waitTask(ctx context.Context, id string, meta []byte, wait time.Duration) (*Task, error) {
	f, leave := s.tasks.follow(id, nil)
	defer leave()
	for end := time.Now().Add(wait); ; {
		task, err := s.getTask(ctx, taskCall(methodTasksGet, id, meta))
		left := time.Until(end)
		if err != nil || task.Ended() || task.Status == TaskInputRequired || left <= 0 {
			return task, err
		}
		f.wait(ctx, s, min(left, task.pause()))
		if ctx.Err() != nil {
			return nil, canceled(ctx)
		}
	}
}

// TaskResult waits for the result of a legacy server's task. What the task asks
// meanwhile is answered by ask: a legacy server asks while somebody waits for
// the result. Giving up leaves the task alone.
func (s *Session) TaskResult(ctx context.Context, id string, ask Ask) (*Result, error) {
	if s.era().kind() == EraModern || !s.declaresTasks() {
		return nil, &UnsupportedError{What: methodTasksResult}
	}
	c := taskCall(methodTasksResult, id, nil)
	c.Ask = ask
	ctx, w := s.watch(ctx, c)
	c.life = &life{calls: &s.calls, call: w}
	defer c.life.end()
	_, leave := s.tasks.follow(id, w)
	defer leave()
	result, err := s.once(ctx, c)
	return result, unanswered(ctx, err)
}

// UpdateTask hands over answers to the questions of a modern server's task:
// responses is the text of the object inputResponses. It returns how the task
// stands then; the server may take its time to act on the answers.
func (s *Session) UpdateTask(ctx context.Context, id string, responses json.RawMessage, meta []byte) (*Task, error) {
	if s.era().kind() == EraLegacy || !s.declaresTasks() {
		return nil, &UnsupportedError{What: methodTasksUpdate}
	}
	if _, err := s.once(ctx, updateCall(id, responses, meta)); err != nil {
		return nil, s.orNotFound(ctx, id, err)
	}
	return s.getTask(ctx, taskCall(methodTasksGet, id, nil))
}

// CancelTask has a task cancelled, and returns how it stands then: it may have
// ended before, and a modern server may take its time or go on all the same.
func (s *Session) CancelTask(ctx context.Context, id string, meta []byte) (*Task, error) {
	if !s.declaresTasks("cancel") {
		return nil, &UnsupportedError{What: methodTasksCancel}
	}
	r, err := s.once(ctx, taskCall(methodTasksCancel, id, meta))
	switch {
	case invalidParams(err): // "for tasks already in a terminal status" too
		if task, again := s.getTask(ctx, taskCall(methodTasksGet, id, nil)); again == nil && task.Ended() {
			return task, nil
		}
		return nil, s.orNotFound(ctx, id, err)
	case err != nil:
		return nil, err
	case s.era().kind() == EraModern: // which has only acknowledged it
		return s.getTask(ctx, taskCall(methodTasksGet, id, nil))
	}
	return readTask(methodTasksCancel, r.JSON)
}

// orNotFound returns the error of a request about a task which the server may
// have refused because it has no such task.
func (s *Session) orNotFound(ctx context.Context, id string, err error) error {
	var missing *TaskNotFoundError
	if !invalidParams(err) {
		return err
	}
	if _, why := s.getTask(ctx, taskCall(methodTasksGet, id, nil)); errors.As(why, &missing) {
		return missing
	}
	return err
}

// questions are those that a modern server's task asks.
func (t *Task) questions() ([]Question, error) {
	requests := object(rawjson.Get(t.JSON, "inputRequests"))
	if requests == nil {
		return nil, nil
	}
	questions, err := readQuestions(requests)
	if err != nil {
		return nil, &ResultError{Method: methodTasksGet, Problem: err.Error()}
	}
	return questions, nil
}
