package mcp

import (
	"context"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// receive takes what the server sends unasked. It runs on a reading goroutine
// and must not block.
func (s *Session) receive(msg jsonrpc.Message, call int64) {
	if msg.IsRequest() {
		s.serve(msg, call)
		return
	}
	if !s.pass(msg, call) {
		s.inst.dropped.Add(context.Background(), 1)
		s.opts.Logger.Debug("notification dropped", "method", cut(msg.Method, 100))
	}
}

// pass hands a notification to whom it is for, and reports whether there is
// anybody. What says that something changed is for everybody: for the call on
// whose stream it came as well as for those who listen.
func (s *Session) pass(msg jsonrpc.Message, call int64) bool {
	sub := s.subscriptions.find(msg, call)
	switch msg.Method {
	case notificationProgress:
		token, ok := jsonrpc.ID(rawjson.Get(msg.Params, metaProgressToken)).Int()
		return ok && s.calls.notify(token, msg)
	case notificationCancelled:
		id := jsonrpc.ID(rawjson.Get(msg.Params, "requestId"))
		return s.questions.withdraw(id) || s.subscriptions.tearDown(id)
	case notificationAcknowledged:
		return sub != nil && sub.acknowledged(msg.Params)
	case notificationToolsChanged, notificationPromptsChanged, notificationResourcesChanged, notificationUpdated:
		told := s.tell(msg)
		return call != 0 && s.calls.notify(call, msg) || told
	}
	owner, named := s.ofTask(msg)
	switch {
	case owner != nil && owner.pass(msg):
		return true
	case sub != nil:
		return s.tell(msg)
	case call != 0 && s.calls.notify(call, msg):
		return true
	case s.opts.Shared:
		// It may be about the call of one principal, and would reach all.
		return false
	case call == 0 && !named && msg.Method == notificationMessage && s.calls.notifyOnly(msg):
		return true
	}
	return s.tell(msg)
}

// tell hands a notification to the profile, and reports whether that wants it.
// What it says to have changed is forgotten first.
func (s *Session) tell(msg jsonrpc.Message) bool {
	s.notice(msg)
	return s.profile.Notify != nil && s.profile.Notify(msg)
}
