package mcp

import (
	"context"
	"strconv"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// The values of execution.taskSupport that are acted on.
const (
	taskOptional = "optional"
	taskRequired = "required"
)

// How long a server is asked to keep a task that a call waits for: beyond the
// call's deadline, so that its result can still be fetched, or, without one, so
// long.
const (
	taskReserve = time.Minute
	taskTTL     = time.Hour
)

// callTask calls a tool that may become a task.
func (s *Session) callTask(ctx context.Context, c *Call) (*Result, error) {
	if c.Task != nil && !s.declaresTasks("requests", "tools", "call") {
		return nil, &UnsupportedError{What: "tasks"}
	}
	if s.era().kind() == EraModern {
		return s.detach(ctx, c)
	}
	support := s.taskSupport(ctx, c.Name)
	switch {
	case support == taskRequired, support == taskOptional && c.Task != nil:
		return s.augmented(ctx, c)
	case c.Task != nil:
		return nil, &UnsupportedError{What: "tasks of the tool " + cut(c.Name, 200)}
	}
	result, err := s.rounds(ctx, c)
	if err == nil {
		s.checkOutput(ctx, c, result)
	}
	return result, err
}

// declaresTasks reports whether the server has tasks. path is that of a legacy
// server's capability, below tasks.
func (s *Session) declaresTasks(path ...string) bool {
	if s.era().kind() == EraModern {
		return s.Info().Declares("extensions", extensionTasks)
	}
	return s.Info().Declares(append([]string{"tasks"}, path...)...)
}

// taskSupport returns the execution.taskSupport of a tool. If no list of tools
// was seen since they changed last, it asks for one.
func (s *Session) taskSupport(ctx context.Context, tool string) string {
	for range 2 { // the list may change just then
		if support := s.TaskSupport(tool); support != "" || s.book.filled.Load() {
			return support
		}
		s.fill(ctx)
	}
	return s.TaskSupport(tool)
}

// detach makes a call of a modern server, which says by itself whether it goes
// on as a task.
func (s *Session) detach(ctx context.Context, c *Call) (*Result, error) {
	result, err := s.rounds(ctx, c)
	if err != nil {
		task := startedBy(err)
		if task == nil {
			return nil, err
		}
		return &Result{JSON: task.JSON, Task: task}, nil
	}
	s.checkOutput(ctx, c, result)
	return result, nil
}

// pursueStarted goes on with a call that a modern server has made a task of,
// without having been asked to. Any other error of the call it returns.
func (s *Session) pursueStarted(ctx context.Context, c *Call, err error) (*Result, error) {
	task := startedBy(err)
	if task == nil {
		return nil, err
	}
	ctx, w := s.watch(ctx, c)
	l := &life{calls: &s.calls, call: w}
	defer l.end()
	return s.pursue(ctx, c, l, task)
}

// augmented makes a call of a legacy server that becomes a task.
func (s *Session) augmented(ctx context.Context, c *Call) (*Result, error) {
	ctx, w := s.watch(ctx, c)
	l := &life{calls: &s.calls, call: w}
	defer l.end()
	next := *c
	next.life, next.Params = l, withTask(c.Params, ttlOf(ctx, c.Task))
	result, err := s.rounds(ctx, &next)
	if err != nil {
		return nil, err
	}
	raw := rawjson.Get(result.JSON, "task")
	if rawjson.IsNull(raw) { // it is done already, in the ordinary way
		s.checkOutput(ctx, c, result)
		return result, nil
	}
	task, err := readTask(c.Method, raw)
	if err != nil {
		return nil, err
	}
	if c.Task != nil {
		task.JSON = withMeta(raw, rawjson.Get(result.JSON, "_meta"))
		return &Result{JSON: result.JSON, Task: task}, nil
	}
	if result, err = s.pursue(ctx, c, l, task); err != nil {
		return nil, err
	}
	s.checkOutput(ctx, c, result)
	return result, nil
}

// ttlOf is for how long the server is asked to keep the task; 0: as it likes.
func ttlOf(ctx context.Context, detached *TaskOptions) time.Duration {
	if detached != nil {
		return detached.TTL
	}
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline) + taskReserve
	}
	return taskTTL
}

// withTask returns the params of a tools/call that asks for a task.
func withTask(params []byte, ttl time.Duration) []byte {
	b := append([]byte(nil), params[:len(params)-1]...)
	b = append(b, `,"task":{`...)
	if ttl > 0 {
		b = strconv.AppendInt(append(b, `"ttl":`...), ttl.Milliseconds(), 10)
	}
	return append(b, `}}`...)
}

// withMeta returns a task object with the _meta of the result around it, if
// there is one: callers are shown the task alone.
func withMeta(task, meta []byte) []byte {
	if meta == nil || rawjson.Get(task, "_meta") != nil {
		return task
	}
	b := append([]byte(`{"_meta":`), meta...)
	b = append(b, ',')
	return append(b, rawjson.Trim(task)[1:]...)
}
