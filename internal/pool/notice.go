package pool

import (
	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// A notice is what of a notification decides who hears it.
type notice struct {
	kind kind
	// uri is of the resource that has changed.
	uri string
	// level is of the log message.
	level string
}

// A kind is what a notification is about.
type kind uint8

const (
	// aboutServer: what is the same for all who use it.
	aboutServer kind = iota
	// aboutResource: a resource has changed.
	aboutResource
	// aboutLog: a log message.
	aboutLog
	// aboutCaller: what one of its callers has caused, or a kind that we do not
	// know.
	aboutCaller
)

func read(msg jsonrpc.Message) notice {
	text := func(key string) string {
		s, _ := rawjson.String(rawjson.Get(msg.Params, key))
		return s
	}
	switch msg.Method {
	case notifyTools, notifyPrompts, notifyResources:
		return notice{kind: aboutServer}
	case notifyUpdated:
		return notice{kind: aboutResource, uri: text("uri")}
	case notifyMessage:
		return notice{kind: aboutLog, level: text("level")}
	}
	return notice{kind: aboutCaller}
}

// private reports whether the notification is none of the business of other
// principals.
func (n notice) private() bool { return n.kind == aboutLog || n.kind == aboutCaller }
