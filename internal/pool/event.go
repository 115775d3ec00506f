package pool

import (
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

// An Event is something that happened to an upstream or a session. Exactly one
// of the fields below Time is set. Watchers share what it points to, and must
// not change it.
type Event struct {
	// Time is when the bridge saw it.
	Time time.Time
	// Notification is what the server sent.
	Notification *jsonrpc.Message
	// Assumed is a change that the server may have told while nobody could hear
	// it.
	Assumed *Assumed
	// Change is a change of the upstream's state.
	Change *Change
	// Consent is why a call, or an attempt to connect, failed for want of a
	// person's consent. An upstream that principals share has none of these.
	Consent error
	// Own is what [Session.Publish] was given.
	Own any
	// Dropped is how many events were lost here, since they were not read fast
	// enough.
	Dropped int64
}

// Assumed is a change that the server did not tell, or told while events may
// have been missed.
type Assumed struct {
	// Method is the notification that would have told of it.
	Method string
	// URI is the resource that may have changed; empty for a list.
	URI string
}

// The notifications that are routed.
const (
	notifyTools     = "notifications/tools/list_changed"
	notifyPrompts   = "notifications/prompts/list_changed"
	notifyResources = "notifications/resources/list_changed"
	notifyUpdated   = "notifications/resources/updated"
	notifyMessage   = "notifications/message"
	notifyTask      = "notifications/tasks"
)

// eventOverhead is what an event costs besides its text.
const eventOverhead = 128

func (e Event) size() int {
	n := eventOverhead
	if e.Notification != nil {
		n += len(e.Notification.Method) + len(e.Notification.Params)
	}
	return n
}
