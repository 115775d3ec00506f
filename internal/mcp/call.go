package mcp

import (
	"encoding/json"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// The methods of MCP that this client calls.
const (
	methodDiscover      = "server/discover"
	methodInitialize    = "initialize"
	methodPing          = "ping"
	methodToolsList     = "tools/list"
	methodToolsCall     = "tools/call"
	methodResourcesList = "resources/list"
	methodTemplatesList = "resources/templates/list"
	methodResourcesRead = "resources/read"
	methodPromptsList   = "prompts/list"
	methodPromptsGet    = "prompts/get"
	methodComplete      = "completion/complete"
	methodSubscribe     = "resources/subscribe"
	methodUnsubscribe   = "resources/unsubscribe"
	methodListen        = "subscriptions/listen"
	methodSetLevel      = "logging/setLevel"
	methodTasksList     = "tasks/list"
	methodTasksGet      = "tasks/get"
	methodTasksResult   = "tasks/result"
	methodTasksUpdate   = "tasks/update"
	methodTasksCancel   = "tasks/cancel"

	notificationInitialized      = "notifications/initialized"
	notificationCancelled        = "notifications/cancelled"
	notificationProgress         = "notifications/progress"
	notificationMessage          = "notifications/message"
	notificationRootsChanged     = "notifications/roots/list_changed"
	notificationAcknowledged     = "notifications/subscriptions/acknowledged"
	notificationToolsChanged     = "notifications/tools/list_changed"
	notificationPromptsChanged   = "notifications/prompts/list_changed"
	notificationResourcesChanged = "notifications/resources/list_changed"
	notificationUpdated          = "notifications/resources/updated"
	notificationTaskStatus       = "notifications/tasks/status"
	notificationTask             = "notifications/tasks"
)

// A Call is one request to a server, before an id and an era's additions. The
// functions that return one name the method; the fields may be set before it
// is passed to [Session.Call], and it is not changed by that.
type Call struct {
	// Method is the MCP method.
	Method string
	// Params is the JSON text of the params object, without _meta. Nil: {}.
	Params []byte
	// Meta is the JSON text of the caller's _meta object. Nil: none. Members
	// that the client writes itself win over the caller's.
	Meta []byte
	// Name is the tool, prompt or resource that the call is about.
	Name string
	// LogLevel asks a modern server for log messages of that level and above
	// during the call; without it there are none. Legacy servers have a level
	// per session instead.
	LogLevel string
	// Capabilities, if set, is what a modern server is told that this call's
	// caller answers; nil: what the session's profile says. A legacy server goes
	// by what the session was opened with, and is refused what this leaves out of
	// that.
	Capabilities *Capabilities
	// Ask answers the questions that the server asks during the call; nil: the
	// Ask of the session's profile does.
	Ask Ask
	// Manual: the caller answers questions by a call of its own; see
	// [Call.Resume]. A modern server's end the call with an
	// [*InputRequiredError], and so do the URLs that a legacy server wants to be
	// opened before the call is made again.
	Manual bool
	// Task, if set, makes the call return as soon as the server has made a task of
	// it: with [Result.Task], or with the result from a modern server that chose
	// to make none. Nil: Call waits for the result, task or not.
	Task *TaskOptions
	// OnSend is called once, before the first byte of the first round can reach
	// the server; see [transport.Request].
	OnSend func()
	// Notify, if set, asks for progress, and gets every notification that
	// belongs to the call. It is called from the reading goroutine, in order,
	// never after Call has returned, and must not block.
	Notify func(jsonrpc.Message)
	// Lost, if set, is called like Notify for each notification that Notify does
	// not get because of [Options.CallNotifications].
	Lost func()

	// life is that of the task that the request begins or is about; nil: none.
	life *life
}

// CallTool calls a tool (tools/call). arguments is the text of a JSON object;
// nil leaves them out.
func CallTool(name string, arguments []byte) *Call {
	return &Call{Method: methodToolsCall, Params: named("name", name, arguments), Name: name}
}

// GetPrompt gets a prompt (prompts/get). arguments is the text of a JSON object
// whose values are strings; nil leaves them out.
func GetPrompt(name string, arguments []byte) *Call {
	return &Call{Method: methodPromptsGet, Params: named("name", name, arguments), Name: name}
}

// ReadResource reads a resource (resources/read).
func ReadResource(uri string) *Call {
	return &Call{Method: methodResourcesRead, Params: named("uri", uri, nil), Name: uri}
}

// Resume makes c, which is otherwise as it was at first, go on where a modern
// server asked for input: responses is the text of the object inputResponses, nil
// for none, and state the text of requestState exactly as the server sent it, nil
// for none.
func (c *Call) Resume(responses, state json.RawMessage) {
	c.Params = withInput(c.Params, responses, state)
}

// Rename makes c a call of the tool, prompt or resource of that name, which is
// otherwise as it was.
func (c *Call) Rename(name string) {
	key := "name"
	if c.Method == methodResourcesRead {
		key = "uri"
	}
	c.Name = name
	c.Params = named(key, name, rawjson.Get(c.Params, "arguments"))
}

// A Completion is an argument that is being typed: of a prompt, or of the
// resource template or resource of that URI.
type Completion struct {
	Prompt, Resource string
	Argument, Value  string
	// Context holds the arguments that are known already.
	Context map[string]string
}

// About returns the same completion for another prompt, template or resource.
func (c Completion) About(name string) Completion {
	if c.Prompt != "" {
		c.Prompt = name
	} else {
		c.Resource = name
	}
	return c
}

// Complete asks for suggestions (completion/complete).
func Complete(c Completion) *Call {
	ref := map[string]string{"type": "ref/prompt", "name": c.Prompt}
	if c.Prompt == "" {
		ref = map[string]string{"type": "ref/resource", "uri": c.Resource}
	}
	params := map[string]any{"ref": ref, "argument": map[string]string{"name": c.Argument, "value": c.Value}}
	if len(c.Context) > 0 {
		params["context"] = map[string]any{"arguments": c.Context}
	}
	return &Call{Method: methodComplete, Params: marshal(params)}
}

// A List names one of the paginated lists of a server.
type List struct {
	method string
	// Member is the member of the result that holds the items, key the member of
	// an item that tells it from the others.
	Member, key string
}

// ListTools is the list of tools.
func ListTools() List { return List{methodToolsList, "tools", "name"} }

// ListResources is the list of resources.
func ListResources() List { return List{methodResourcesList, "resources", "uri"} }

// ListResourceTemplates is the list of resource templates.
func ListResourceTemplates() List {
	return List{methodTemplatesList, "resourceTemplates", "uriTemplate"}
}

// ListPrompts is the list of prompts.
func ListPrompts() List { return List{methodPromptsList, "prompts", "name"} }

// ListTasks is the list of tasks of a legacy server. Modern ones have none.
func ListTasks() List { return List{methodTasksList, "tasks", "taskId"} }

// params asks for one page. A nil cursor asks for the first; an empty cursor is a
// cursor like any other.
func (l List) params(cursor *string) []byte {
	if cursor == nil {
		return nil
	}
	return append(rawjson.AppendString([]byte(`{"cursor":`), *cursor), '}')
}

// named builds {"<key>":"<name>","arguments":<arguments>}.
func named(key, name string, arguments []byte) []byte {
	b := make([]byte, 0, len(key)+len(name)+len(arguments)+32)
	b = append(b, `{"`...)
	b = append(b, key...)
	b = append(b, `":`...)
	b = rawjson.AppendString(b, name)
	if arguments != nil {
		b = append(b, `,"arguments":`...)
		b = append(b, arguments...)
	}
	return append(b, '}')
}

// A Result is what a server answered.
type Result struct {
	// JSON is the text of the result object, exactly as sent. It is not to be
	// changed: others may have been given the same.
	JSON json.RawMessage
	// Cached: the server was not asked, since it has said before that this would
	// be good for a while.
	Cached bool
	// OutputError says how the structured content of a tool's result breaks the
	// tool's outputSchema. Empty: it does not, or it was not checked.
	OutputError string
	// Task is how the task stands that goes on with the call; nil: this is the
	// result. Only with [Call.Task].
	Task *Task
}
