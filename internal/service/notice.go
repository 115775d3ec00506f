package service

import (
	"strings"

	"google.golang.org/protobuf/proto"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// The notifications that the API has messages for.
const (
	notificationProgress   = "notifications/progress"
	notificationMessage    = "notifications/message"
	notificationTools      = "notifications/tools/list_changed"
	notificationPrompts    = "notifications/prompts/list_changed"
	notificationResources  = "notifications/resources/list_changed"
	notificationUpdated    = "notifications/resources/updated"
	notificationElicited   = "notifications/elicitation/complete"
	notificationTaskStatus = "notifications/tasks/status"
	notificationTask       = "notifications/tasks"
)

// noticeOf converts a notification to the message that the API has for it; nil
// if it has none, or what the server sent does not fit it. progress, if not nil,
// rewrites the params of progress first.
func noticeOf(msg jsonrpc.Message, format convert.Format, progress func([]byte) []byte) proto.Message {
	var m proto.Message
	params := msg.Params
	switch msg.Method {
	case notificationProgress:
		m = new(mcpbridgev1.Progress)
		if progress != nil {
			params = progress(params)
		}
	case notificationMessage:
		m = new(mcpbridgev1.LogMessage)
	case notificationTools, notificationPrompts, notificationResources:
		m = new(mcpbridgev1.ListChanged)
	case notificationUpdated:
		m = new(mcpbridgev1.ResourceUpdated)
	case notificationElicited:
		m = new(mcpbridgev1.ElicitationComplete)
	case notificationTaskStatus, notificationTask:
		m = new(mcpbridgev1.Task)
	default:
		return nil
	}
	if rawjson.IsNull(params) {
		params = []byte("{}")
	}
	if convert.Into(m, params, format) != nil {
		return nil
	}
	return m
}

// unknownNotice hands a notification over as it is.
func unknownNotice(msg jsonrpc.Message) *mcpbridgev1.UnknownNotification {
	n := &mcpbridgev1.UnknownNotification{Method: msg.Method}
	if msg.Params != nil {
		text := string(msg.Params)
		n.ParamsJson = &text
	}
	return n
}

// levelWord is MCP's word for a log level, empty for none.
func levelWord(l mcpbridgev1.LoggingLevel) string {
	if l == mcpbridgev1.LoggingLevel_LOGGING_LEVEL_UNSPECIFIED {
		return ""
	}
	return strings.ToLower(strings.TrimPrefix(l.String(), "LOGGING_LEVEL_"))
}

// levelOfWord is the reverse of levelWord.
func levelOfWord(word string) mcpbridgev1.LoggingLevel {
	return mcpbridgev1.LoggingLevel(mcpbridgev1.LoggingLevel_value["LOGGING_LEVEL_"+strings.ToUpper(word)])
}
