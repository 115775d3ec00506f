package mcp

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// A Task is a call of a tool that goes on by itself at the server, as it stood
// when the server was asked: an experimental part of 2025-11-25
// (basic/utilities/tasks), and from 2026-07-28 on an extension (SEP-2663).
type Task struct {
	ID string
	// Status is one of the words below, or one that this client does not know.
	Status string
	// Message is how it stands, for people; empty if that is not said.
	Message string
	// Interval is how long the server wants there to be between two looks at the
	// task; 0 if it does not say.
	Interval time.Duration
	// JSON is the text of the task object as the server sent it. A modern
	// server's has the outcome in it: result, error or inputRequests.
	JSON json.RawMessage
	// Result is the tool's result and Error the error that the call ended with,
	// as far as there is one, and it was asked for.
	Result json.RawMessage
	Error  *jsonrpc.Error
}

// How a task stands.
const (
	TaskWorking       = "working"
	TaskInputRequired = "input_required"
	TaskCompleted     = "completed"
	TaskFailed        = "failed"
	TaskCancelled     = "cancelled"
)

// Ended reports whether the task will not change any more.
func (t *Task) Ended() bool {
	return t.Status == TaskCompleted || t.Status == TaskFailed || t.Status == TaskCancelled
}

// TaskOptions say how a call is to run as a task.
type TaskOptions struct {
	// TTL is for how long a legacy server is asked to keep the task; 0 leaves
	// that to the server, as it always is to a modern one.
	TTL time.Duration
}

// A TaskNotFoundError says that the server has no such task, or none any more.
type TaskNotFoundError struct {
	ID string
	// Err is what the server said.
	Err error
}

func (e *TaskNotFoundError) Error() string {
	return fmt.Sprintf("the server has no task %q: %v", cut(e.ID, 100), e.Err)
}

func (e *TaskNotFoundError) Unwrap() error { return e.Err }

// A TaskLostError says that a call cannot be followed to its end: the server
// has made a task of it, and then there was no more to be learnt of that.
type TaskLostError struct {
	ID  string
	Err error
}

func (e *TaskLostError) Error() string {
	return fmt.Sprintf("follow task %q: %v", cut(e.ID, 100), e.Err)
}

func (e *TaskLostError) Unwrap() error { return e.Err }

// A TaskEndedError says that the task of a call has ended without a result: it
// was cancelled by somebody else, or failed without saying how.
type TaskEndedError struct{ Task *Task }

func (e *TaskEndedError) Error() string {
	s := "the task of the call ended as " + cut(e.Task.Status, 100)
	if e.Task.Message != "" {
		s += ": " + cut(e.Task.Message, 1024)
	}
	return s
}

// A startedError says that a modern server goes on with a call as a task. It
// does not leave the package.
type startedError struct{ task *Task }

func (e *startedError) Error() string { return "the call goes on as a task" }

// startedBy returns the task that a modern server has made of a call which ended
// in err; nil if it did not.
func startedBy(err error) *Task {
	var started *startedError
	if errors.As(err, &started) {
		return started.task
	}
	return nil
}

// acceptTask judges a result of a modern server that says to be a task: "A
// client that receives CreateTaskResult in response to an unsupported request
// type MUST interpret this as an invalid response" (SEP-2663). In the examples
// there, tasks/get is answered with that resultType as well.
func acceptTask(method string, result []byte) error {
	switch method {
	case methodTasksGet:
		return nil
	case methodToolsCall:
		task, err := readTask(method, result)
		if err != nil {
			return err
		}
		return &startedError{task}
	}
	return &ResultError{Method: method, Problem: "resultType task is not allowed here"}
}

// readTask reads a task object of either era.
func readTask(method string, raw []byte) (*Task, error) {
	t := &Task{JSON: raw}
	if object(raw) == nil {
		return nil, &ResultError{Method: method, Problem: "the task is not an object"}
	}
	err := rawjson.Object(raw, func(key, v []byte) (err error) {
		switch string(key) {
		case "taskId":
			t.ID, err = rawjson.String(v)
		case "status":
			t.Status, err = rawjson.String(v)
		case "statusMessage":
			t.Message, _ = rawjson.String(v)
		case "pollInterval", "pollIntervalMs":
			ms, _ := strconv.ParseFloat(string(v), 64)
			t.Interval = time.Duration(min(max(ms, 0), maxPollInterval.Seconds()*1e3) * float64(time.Millisecond))
		case "result":
			t.Result = object(v)
		case "error":
			t.Error, err = jsonrpc.ReadError(v)
		}
		return err
	})
	if err != nil || t.ID == "" || t.Status == "" {
		return nil, &ResultError{Method: method, Problem: "the task has no taskId or no status"}
	}
	return t, nil
}

// The bounds of how often a server is asked how a task stands.
const (
	defaultPollInterval = time.Second
	minPollInterval     = 100 * time.Millisecond
	maxPollInterval     = time.Minute
)

// pause is how long to wait before the next look at the task.
func (t *Task) pause() time.Duration {
	if t.Interval == 0 {
		return defaultPollInterval
	}
	return min(max(t.Interval, minPollInterval), maxPollInterval)
}

// lostTask is the error of a call whose task cannot be followed because of err.
func lostTask(id string, err error) error {
	return &TaskLostError{ID: id, Err: reached(err)}
}
