package mcp

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

// The questions of a server, by their MCP method.
const (
	MethodSampling    = "sampling/createMessage"
	MethodElicitation = "elicitation/create"
	MethodRoots       = "roots/list"
)

// A Question is something that a server asks of its client, in either era: a
// request of a legacy server, or an entry of a modern server's inputRequests.
type Question struct {
	// Key tells it from the other questions of the same call: the key in
	// inputRequests, or the JSON text of the request's id.
	Key string
	// Method is one of the MCP methods above.
	Method string
	// Params is the text of the params object; nil if there is none.
	Params json.RawMessage
}

// An Answer is what a question is answered with: Result, which is the text of
// an MCP result object, or Error.
type Answer struct {
	Result json.RawMessage
	Error  *jsonrpc.Error
}

// An Ask finds the answer to a question. It runs on a goroutine of its own and
// may take as long as people do. ctx ends when the answer is not wanted any
// more: the server or the caller took its request back, the call or the session
// is over, or [Options.AskTimeout] has passed. It returns soon after that, since
// the end of the call and of the session wait for it. It may be called
// concurrently, for several questions. It returns [ErrNobody] if there is nobody
// to ask.
type Ask func(ctx context.Context, q Question) (Answer, error)

// ErrNobody says that there is nobody to answer a question.
var ErrNobody = errors.New("nobody answers the server's questions")
