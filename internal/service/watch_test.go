package service

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/oauth"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// A recorder is a stream that keeps what is sent.
type recorder struct {
	watchStream
	sent []*watchEvent
}

func (r *recorder) Context() context.Context { return context.Background() }

func (r *recorder) Send(e *watchEvent) error {
	r.sent = append(r.sent, e)
	return nil
}

func TestWatchReaderPass(t *testing.T) {
	t.Parallel()
	sent := func(method, params string) pool.Event {
		m := &jsonrpc.Message{Method: method}
		if params != "" {
			m.Params = []byte(params)
		}
		return pool.Event{Notification: m}
	}
	q := &question{Question: mcp.Question{Method: mcp.MethodRoots}, id: "q", shown: make(chan struct{})}
	tests := map[string]struct {
		in   pool.Event
		want string
	}{
		"tools":      {sent("notifications/tools/list_changed", ""), `{"toolsChanged":{}}`},
		"prompts":    {sent("notifications/prompts/list_changed", `{"_meta":{"a":1}}`), `{"promptsChanged":{"meta":{"a":1}}}`},
		"resources":  {sent("notifications/resources/list_changed", `{}`), `{"resourcesChanged":{}}`},
		"a resource": {sent("notifications/resources/updated", `{"uri":"u","title":"t"}`), `{"resourceUpdated":{"uri":"u","extra":{"title":"t"}}}`},
		"log": {
			sent("notifications/message", `{"level":"warning","logger":"l","data":[1]}`),
			`{"log":{"level":"LOGGING_LEVEL_WARNING","logger":"l","data":[1]}}`,
		},
		"progress":  {sent("notifications/progress", `{"progressToken":"p","progress":1}`), `{"progress":{"progress":1,"progressToken":"p"}}`},
		"elicited":  {sent("notifications/elicitation/complete", `{"elicitationId":"e"}`), `{"elicitationComplete":{"elicitationId":"e"}}`},
		"task":      {sent("notifications/tasks/status", `{"taskId":"t","status":"working"}`), `{"taskStatus":{"taskId":"t","status":"TASK_STATUS_WORKING"}}`},
		"unknown":   {sent("notifications/acme", `{"x":1.0}`), `{"notification":{"method":"notifications/acme","paramsJson":"{\"x\":1.0}"}}`},
		"malformed": {sent("notifications/tools/list_changed", `[1]`), `{"notification":{"method":"notifications/tools/list_changed","paramsJson":"[1]"}}`},
		"assumed": {
			pool.Event{Assumed: &pool.Assumed{Method: "notifications/resources/updated", URI: "u"}}, `{"resourceUpdated":{"uri":"u","assumed":true}}`,
		},
		"assumed list": {pool.Event{Assumed: &pool.Assumed{Method: "notifications/tools/list_changed"}}, `{"toolsChanged":{"assumed":true}}`},
		"dropped":      {pool.Event{Dropped: 7}, `{"gap":{"dropped":"7"}}`},
		"state": {
			pool.Event{Change: &pool.Change{From: pool.Idle, To: pool.Ready, Generation: 2}},
			`{"stateChanged":{"previous":"STATE_IDLE","state":"STATE_READY","generation":"2"}}`,
		},
		"question":   {pool.Event{Own: q}, `{"request":{"id":"q","request":{"roots":{}},"expireTime":"0001-01-01T00:00:00Z"}}`},
		"withdrawal": {pool.Event{Own: withdrawal{id: "q", reason: "r"}}, `{"requestCancelled":{"id":"q","reason":"r"}}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stream := new(recorder)
			reader := watchReader{stream: stream, told: make(map[string]struct{})}
			tt.in.Time = time.Unix(1, 0)
			if err := reader.pass(tt.in); err != nil {
				t.Fatal(err)
			}
			want := new(watchEvent)
			if err := protojson.Unmarshal([]byte(tt.want), want); err != nil {
				t.Fatal(err)
			}
			if len(stream.sent) != 1 || stream.sent[0].GetTime().GetSeconds() != 1 {
				t.Fatalf("sent %v", stream.sent)
			}
			if stream.sent[0].Time = nil; !proto.Equal(stream.sent[0], want) {
				t.Errorf("got\n%s\nwant\n%s", protojson.Format(stream.sent[0]), protojson.Format(want))
			}
		})
	}
}

// A failure is told of in the words of a failed call.
func TestStateChangedForAReason(t *testing.T) {
	t.Parallel()
	err := &transport.Error{Kind: transport.KindExited, Err: errors.New("exit status 1 of /secret/path")}
	got := stateChange(&pool.Change{To: pool.TransientFailure, Err: err})
	if f := got.GetFailure(); f.GetReason() != mcpbridgev1.Reason_REASON_UPSTREAM_EXITED.String()[len("REASON_"):] || f.GetMessage() != "the server's process has ended" {
		t.Errorf("got %v", got)
	}
}

// A question that is told when the stream begins is told once.
func TestQuestionToldOnce(t *testing.T) {
	t.Parallel()
	stream := new(recorder)
	reader := watchReader{stream: stream, told: make(map[string]struct{})}
	q := &question{Question: mcp.Question{Method: mcp.MethodRoots}, id: "q", shown: make(chan struct{})}
	for range 2 {
		if err := reader.pass(pool.Event{Own: q}); err != nil {
			t.Fatal(err)
		}
	}
	if len(stream.sent) != 1 {
		t.Errorf("told %d times", len(stream.sent))
	}
	select {
	case <-q.shown:
	default:
		t.Error("the question does not know that it was told")
	}
}

// What a person has to do is told once, and again when it is something else.
func TestConsentToldOnce(t *testing.T) {
	t.Parallel()
	stream := new(recorder)
	reader := watchReader{stream: stream, target: "servers/a"}
	tell := func(target, url string) {
		reader.target = target
		if err := reader.pass(pool.Event{Consent: &pool.ConnectError{Err: &oauth.RequiredError{URL: url}}}); err != nil {
			t.Error(err)
		}
	}
	tell("servers/a", "1")
	tell("servers/b", "2")
	tell("servers/a", "1")
	tell("servers/a", "3")
	var got []string
	for _, e := range stream.sent {
		got = append(got, e.GetAuthorizationRequired().GetTarget()+" "+e.GetAuthorizationRequired().GetAuthorizationUrl())
	}
	if want := []string{"servers/a 1", "servers/b 2", "servers/a 3"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestCheckURIs(t *testing.T) {
	t.Parallel()
	many := slices.Repeat([]string{"x://a"}, maxWatchedURIs)
	for name, tt := range map[string]struct {
		uris []string
		want string
	}{
		"none":     {},
		"the most": {uris: many},
		"too many": {uris: append(many, "x://b"), want: "resource_uris: are more than 256"},
		"empty":    {uris: []string{"x://a", ""}, want: "resource_uris: has an empty URI"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if err := checkURIs(tt.uris); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
