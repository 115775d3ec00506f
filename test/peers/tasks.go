package peers

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// TasksHTTP serves a server of 2026-07-28 with the tasks extension, which no SDK
// has yet, and returns its URL. Each of its tools is a task: "work" is done after
// a moment, "slow" after a minute, "ask" asks a person for a name first, "break"
// ends with an error.
func TasksHTTP(tb testing.TB) string {
	tb.Helper()
	s := &taskServer{tasks: make(map[string]*task)}
	server := httptest.NewServer(s)
	tb.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

type taskServer struct {
	mu    sync.Mutex // guards what follows
	tasks map[string]*task
	count int
}

type task struct {
	id, tool, status, name string
	due                    time.Time
}

type taskRequest struct {
	ID     json.RawMessage
	Method string
	Params struct {
		Name, TaskID   string
		InputResponses map[string]struct {
			Action  string
			Content struct{ Name string }
		}
		Notifications struct{ TaskIDs []string }
		Meta          map[string]json.RawMessage `json:"_meta"`
	}
}

// taskError is the error of a request.
type taskError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (s *taskServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var req taskRequest
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &req) != nil || len(req.ID) == 0 {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if req.Method == "subscriptions/listen" {
		s.report(w, r, &req)
		return
	}
	result, refusal := s.answer(r, &req)
	reply := map[string]any{"jsonrpc": "2.0", "id": req.ID}
	if refusal != nil {
		reply["error"] = refusal
	} else {
		reply["result"] = result
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(reply)
}

func (s *taskServer) answer(r *http.Request, req *taskRequest) (map[string]any, *taskError) {
	var declared struct {
		Extensions map[string]any
	}
	_ = json.Unmarshal(req.Params.Meta["io.modelcontextprotocol/clientCapabilities"], &declared)
	_, speaks := declared.Extensions["io.modelcontextprotocol/tasks"]
	s.mu.Lock()
	defer s.mu.Unlock()
	switch req.Method {
	case "server/discover":
		return map[string]any{
			"supportedVersions": []string{"2026-07-28"}, "capabilities": map[string]any{
				"tools": map[string]any{}, "extensions": map[string]any{"io.modelcontextprotocol/tasks": map[string]any{}},
			},
		}, nil
	case "tools/call":
		if !speaks {
			return nil, &taskError{-32021, "this server makes tasks"}
		}
		return s.begin(req.Params.Name).fields("task"), nil
	}
	t := s.tasks[req.Params.TaskID]
	switch {
	case t == nil:
		return nil, &taskError{-32602, "Task not found"}
	case decodeHeader(r.Header.Get("Mcp-Name")) != t.id || r.Header.Get("Mcp-Method") != req.Method || !speaks:
		return nil, &taskError{-32020, fmt.Sprintf("the headers are %v", r.Header)}
	}
	return t.serve(req)
}

// report tells of each change of the tasks that are asked for, until the request
// is over.
func (s *taskServer) report(w http.ResponseWriter, r *http.Request, req *taskRequest) {
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(method string, params map[string]any) {
		params["_meta"] = map[string]any{"io.modelcontextprotocol/subscriptionId": req.ID}
		text, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "method": method, "params": params})
		_, _ = fmt.Fprintf(w, "data: %s\n\n", text)
		_ = http.NewResponseController(w).Flush()
	}
	ids := req.Params.Notifications.TaskIDs
	send("notifications/subscriptions/acknowledged", map[string]any{"notifications": map[string]any{"taskIds": ids}})
	seen := make(map[string]string)
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		for _, f := range s.changes(ids, seen) {
			send("notifications/tasks", f)
		}
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		}
	}
}

// changes returns the tasks whose status is not the one seen.
func (s *taskServer) changes(ids []string, seen map[string]string) (changed []map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		t := s.tasks[id]
		if t == nil {
			continue
		}
		t.proceed()
		if t.status != seen[id] {
			seen[id] = t.status
			f := t.fields("")
			delete(f, "resultType")
			changed = append(changed, f)
		}
	}
	return changed
}

// decodeHeader undoes the encoding of header values (SEP-2243).
func decodeHeader(value string) string {
	encoded, ok := strings.CutPrefix(value, "=?base64?")
	if !ok {
		return value
	}
	text, _ := base64.StdEncoding.DecodeString(strings.TrimSuffix(encoded, "?="))
	return string(text)
}

// begin begins a task. The lock is held.
func (s *taskServer) begin(tool string) *task {
	s.count++
	t := &task{id: fmt.Sprintf("task/%d ü", s.count), tool: tool, status: "working", due: time.Now().Add(300 * time.Millisecond)}
	if tool == "slow" {
		t.due = time.Now().Add(time.Minute)
	}
	s.tasks[t.id] = t
	return t
}

func (t *task) serve(req *taskRequest) (map[string]any, *taskError) {
	switch req.Method {
	case "tasks/get":
		t.proceed()
		return t.fields("complete"), nil
	case "tasks/cancel":
		t.status = "cancelled"
	case "tasks/update":
		if answer := req.Params.InputResponses["who"]; answer.Action == "accept" {
			t.name, t.status = answer.Content.Name, "working"
		}
	default:
		return nil, &taskError{-32601, req.Method}
	}
	return map[string]any{"resultType": "complete"}, nil
}

func (t *task) proceed() {
	switch {
	case t.status != "working" || time.Now().Before(t.due):
	case t.tool == "ask" && t.name == "":
		t.status = "input_required"
	case t.tool == "break":
		t.status = "failed"
	default:
		t.status = "completed"
	}
}

func (t *task) fields(resultType string) map[string]any {
	f := map[string]any{
		"resultType": resultType, "taskId": t.id, "status": t.status, "statusMessage": "it is " + t.status,
		"createdAt": "2026-07-28T10:00:00Z", "lastUpdatedAt": "2026-07-28T10:00:01.5Z", "ttlMs": 60000, "pollIntervalMs": 100,
	}
	switch t.status {
	case "completed":
		f["result"] = map[string]any{"content": []any{map[string]any{"type": "text", "text": "done " + t.name}}}
	case "failed":
		f["error"] = map[string]any{"code": -32050, "message": "broken", "data": map[string]any{"n": 1}}
	case "input_required":
		f["inputRequests"] = map[string]any{"who": map[string]any{"method": "elicitation/create", "params": map[string]any{
			"mode": "form", "message": "Who?", "requestedSchema": map[string]any{
				"type": "object", "properties": map[string]any{"name": map[string]any{"type": "string"}}, "required": []string{"name"},
			},
		}}}
	}
	return f
}
