package mcp

import (
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// An era is what differs between the two kinds of session once one is open.
type era interface {
	// kind names the era.
	kind() Era
	// version is the negotiated revision.
	version() string
	// meta is the text of the members that every request carries in _meta.
	meta() []byte
	// envelope is what the transport writes around a message with that method
	// and name.
	envelope(name string) transport.Envelope
	// cancels reports whether a call that we give up must be cancelled by a
	// notification. Otherwise the end of its stream says so.
	cancels() bool
	// augments reports whether a call must say if it is to be a task, as the
	// server's tools want it.
	augments() bool
	// pingMethod is the request that a healthy server answers at once.
	pingMethod() string
	// accept judges a result.
	accept(method string, result []byte) error
}

// legacy is the era of initialize. Its revisions differ in features, not in
// the way that calls are made.
type legacy struct {
	revision string
	// tasks: the server makes tasks of tool calls.
	tasks bool
}

func (e legacy) kind() Era          { return EraLegacy }
func (e legacy) version() string    { return e.revision }
func (e legacy) meta() []byte       { return nil }
func (e legacy) cancels() bool      { return true }
func (e legacy) augments() bool     { return e.tasks }
func (e legacy) pingMethod() string { return methodPing }

func (e legacy) envelope(string) transport.Envelope {
	return transport.Envelope{Version: e.revision}
}

func (e legacy) accept(method string, result []byte) error {
	if len(result) == 0 || result[0] != '{' {
		return &ResultError{Method: method, Problem: "the result is not an object"}
	}
	return nil
}

// modern is the stateless era: each request says who is asking and what that
// client can do (spec 2026-07-28, basic/index).
type modern struct {
	revision string
	members  []byte
	stream   bool
}

func newModern(version string, who Implementation, answers Capabilities, stream bool) modern {
	return modern{revision: version, stream: stream, members: identify(version, who, answers)}
}

// identify is the text of the members of _meta with which a modern request
// introduces its client.
func identify(version string, who Implementation, answers Capabilities) []byte {
	b := rawjson.AppendString(nil, metaVersion)
	b = append(b, ':')
	b = rawjson.AppendString(b, version)
	b = append(b, `,"`+metaClientInfo+`":`...)
	b = append(b, marshal(who)...)
	b = append(b, `,"`+metaCapabilities+`":`...)
	return append(b, extended(marshal(answers))...)
}

// extended adds the extensions of the client to its capabilities. Tasks are
// always among them, since calls are followed until they end.
func extended(capabilities []byte) []byte {
	b := capabilities[:len(capabilities)-1]
	if len(b) > 1 {
		b = append(b, ',')
	}
	return append(b, `"extensions":{"`+extensionTasks+`":{}}}`...)
}

func (e modern) kind() Era       { return EraModern }
func (e modern) version() string { return e.revision }
func (e modern) meta() []byte    { return e.members }

// cancels: over HTTP, "closing the response stream is the cancel" (spec
// 2026-07-28, basic/patterns/cancellation); streams need the notification.
func (e modern) cancels() bool      { return e.stream }
func (e modern) augments() bool     { return false }
func (e modern) pingMethod() string { return methodDiscover }

func (e modern) envelope(name string) transport.Envelope {
	return transport.Envelope{Version: e.revision, Modern: true, Name: name}
}

// accept: an absent resultType means complete; what is neither known nor asked
// for is invalid (spec 2026-07-28, basic/index#results).
func (e modern) accept(method string, result []byte) error {
	if len(result) == 0 || result[0] != '{' {
		return &ResultError{Method: method, Problem: "the result is not an object"}
	}
	raw := rawjson.Get(result, "resultType")
	if raw == nil {
		return nil
	}
	switch kind, _ := rawjson.String(raw); kind {
	case "complete":
		return nil
	case "input_required":
		switch method {
		case methodToolsCall, methodPromptsGet, methodResourcesRead:
			return &InputRequiredError{Method: method, Result: result}
		}
		return &ResultError{Method: method, Problem: "resultType input_required is not allowed here"}
	case "task":
		return acceptTask(method, result)
	default:
		return &ResultError{Method: method, Problem: "unknown resultType " + cut(string(raw), 64)}
	}
}
