package mcp

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// tasks are those of a session that somebody on this side follows. What the
// server says of a task must find them.
type tasks struct {
	// some is whether there are any, so that nobody else pays for them.
	some atomic.Bool

	mu       sync.Mutex // guards followed
	followed map[string][]*following
}

// A following is somebody who follows a task.
type following struct {
	id string
	// wake holds a token while the task may have something new.
	wake chan struct{}
	// call is the call that the task's messages go to; nil: there is none.
	call *watched
}

// follow registers somebody who follows the task. leave ends it.
func (t *tasks) follow(id string, call *watched) (f *following, leave func()) {
	f = &following{id: id, wake: make(chan struct{}, 1), call: call}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.followed == nil {
		t.followed = make(map[string][]*following)
	}
	t.followed[id] = append(t.followed[id], f)
	t.some.Store(true)
	return f, func() { t.leave(f) }
}

func (t *tasks) leave(f *following) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rest := slices.DeleteFunc(t.followed[f.id], func(other *following) bool { return other == f })
	if len(rest) > 0 {
		t.followed[f.id] = rest
		return
	}
	delete(t.followed, f.id)
	t.some.Store(len(t.followed) > 0)
}

// changed wakes those who follow the task that a notification of its status is
// about, unless it says that the task goes on.
func (t *tasks) changed(params []byte) {
	id, _ := rawjson.String(rawjson.Get(params, "taskId"))
	status, _ := rawjson.String(rawjson.Get(params, "status"))
	if status == TaskWorking {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.followed[id] {
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
}

// owner reports whether a message belongs to a task, and to the call of which,
// nil if there is none. It wakes those who follow the task if the message is
// about its status.
//
// "All requests, notifications, and responses related to a task MUST include the
// io.modelcontextprotocol/related-task key in their _meta field"; notifications
// of its status have the task in their params instead (spec 2025-11-25,
// basic/utilities/tasks).
func (t *tasks) owner(msg jsonrpc.Message) (call *watched, named bool) {
	about := object(msg.Params)
	if msg.Method == notificationTaskStatus || msg.Method == notificationTask {
		t.changed(about)
	} else {
		about = object(rawjson.Get(object(rawjson.Get(about, "_meta")), metaRelatedTask))
	}
	id, err := rawjson.String(rawjson.Get(about, "taskId"))
	if err != nil {
		return nil, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.followed[id] {
		if f.call != nil {
			return f.call, true
		}
	}
	return nil, true
}

// ofTask is [tasks.owner] where the server may have tasks; others do not pay for
// it.
func (s *Session) ofTask(msg jsonrpc.Message) (call *watched, named bool) {
	if !s.tasks.some.Load() && !s.era().augments() {
		return nil, false
	}
	return s.tasks.owner(msg)
}

// A life is that of a call whose server makes a task of it: it begins before the
// call's first request, and lasts until the task is over or left alone. The
// requests that belong to it, and so what comes on their streams or with their
// progress token, belong to the call all that time: "The progressToken provided
// in the initial request remains valid throughout the task lifetime" (spec
// 2025-11-25, basic/utilities/tasks). It is for one goroutine.
type life struct {
	calls *calls
	// call is nil if the call wants to hear nothing.
	call   *watched
	forget []func()
}

// join makes the request with that id part of the life.
func (l *life) join(id int64) {
	switch {
	case len(l.forget) == 0:
		l.forget = append(l.forget, l.calls.add(id, l.call))
	case l.call != nil:
		l.forget = append(l.forget, l.calls.also(id, l.call))
	}
}

// end takes the requests back. After that the call hears nothing any more.
func (l *life) end() {
	for _, forget := range l.forget {
		forget()
	}
	if l.call != nil {
		l.call.over()
	}
}
