package pool

import (
	"slices"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// maxTasks bounds the tasks that a modern server is asked to report on: the last
// ones that were begun.
const maxTasks = 64

// Follow has the watchers be told how a task stands that a call on the session
// has begun, until it has ended, if there are watchers and the server does so.
// Legacy servers tell of tasks unasked, or do not. Calls about the task find the
// session by [OnTask]. It does not block.
func (l *Live) Follow(task string) {
	u := l.upstream
	u.place(task, l)
	u.amend(&u.call, func() bool {
		if slices.Contains(u.hub.tasks, task) {
			return false
		}
		u.hub.tasks = append(u.hub.tasks, task)
		if over := len(u.hub.tasks) - maxTasks; over > 0 {
			u.hub.tasks = slices.Delete(u.hub.tasks, 0, over)
		}
		return true
	})
}

// unfollowLocked leaves out a task that a modern server says to have ended, from
// the next change of what is wanted on.
func (h *hub) unfollowLocked(params []byte) {
	switch status, _ := rawjson.String(rawjson.Get(params, "status")); status {
	case "completed", "failed", "cancelled":
		id, _ := rawjson.String(rawjson.Get(params, "taskId"))
		h.tasks = slices.DeleteFunc(h.tasks, func(other string) bool { return other == id })
	}
}

// reportsLocked are the tasks that the server is to report on.
func (h *hub) reportsLocked() []string {
	for _, in := range h.interests {
		if len(in.watchers) > 0 {
			return slices.Sorted(slices.Values(h.tasks))
		}
	}
	return nil
}
