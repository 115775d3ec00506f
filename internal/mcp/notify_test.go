package mcp_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// A notification goes to the call that it belongs to, else to those who listen;
// a change goes to both.
func TestNotify(t *testing.T) {
	t.Parallel()
	const (
		call = 99 // stands for the call's id
		none = 0
	)
	tests := map[string]struct {
		from           int64
		method, params string
		shared         bool
		calls, profile bool
	}{
		"log of a call":                {from: call, method: "message", params: `{"data":1}`, calls: true},
		"log of nobody's":              {from: none, method: "message", params: `{"data":1}`, calls: true}, // one call is in flight
		"log of nobody's, shared":      {from: none, method: "message", params: `{"data":1}`, shared: true},
		"log of another call":          {from: 77, method: "message", params: `{"data":1}`, profile: true},
		"log of another call, shared":  {from: 77, method: "message", params: `{"data":1}`, shared: true},
		"progress of nobody's":         {from: none, method: "progress", params: `{"progressToken":77}`},
		"change":                       {from: none, method: "tools/list_changed", params: `{}`, profile: true},
		"change, shared":               {from: none, method: "resources/updated", params: `{"uri":"a"}`, shared: true, profile: true},
		"change on a call's stream":    {from: call, method: "prompts/list_changed", params: `{}`, calls: true, profile: true},
		"change on another's stream":   {from: 77, method: "resources/list_changed", params: `{}`, profile: true},
		"task":                         {from: none, method: "tasks/status", params: `{"taskId":"t"}`, profile: true},
		"task, shared":                 {from: none, method: "tasks/status", params: `{"taskId":"t"}`, shared: true},
		"elicitation":                  {from: none, method: "elicitation/complete", params: `{"elicitationId":"e"}`, profile: true},
		"unknown":                      {from: none, method: "x/y", params: `[1]`, profile: true},
		"unknown, on a call's stream":  {from: call, method: "x/y", params: `[1]`, calls: true},
		"cancelled, of nothing":        {from: none, method: "cancelled", params: `{"requestId":77}`},
		"cancelled, without an id":     {from: none, method: "cancelled", params: ``},
		"acknowledgement of nothing":   {from: none, method: "subscriptions/acknowledged", params: `{}`},
		"acknowledgement for a call":   {from: call, method: "subscriptions/acknowledged", params: `{}`},
		"change without any params":    {from: none, method: "tools/list_changed", profile: true},
		"change with params of no use": {from: none, method: "tools/list_changed", params: `"x"`, profile: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &puppet{}
				s.call = func(_ context.Context, s *puppet, req *transport.Request) (*transport.Response, error) {
					from := tt.from
					if from == call {
						from = req.ID
					}
					s.say(from, "notifications/"+tt.method, tt.params)
					return nil, nil
				}
				session, told := s.open(t, mcp.Options{Shared: tt.shared})
				got := false
				c := mcp.CallTool("run", nil)
				c.Notify = func(m jsonrpc.Message) { got = m.Method == "notifications/"+tt.method }
				if _, err := session.Call(t.Context(), c); err != nil {
					t.Fatal(err)
				}
				if got != tt.calls {
					t.Errorf("the call got it: %v", got)
				}
				if news := told.news(); (len(news) == 1) != tt.profile || len(news) > 1 {
					t.Errorf("the profile was told %q", news)
				}
			})
		})
	}
}

func TestSetLevel(t *testing.T) {
	t.Parallel()
	level := func(req *transport.Request) string {
		return string(rawjson.Get(rawjson.Get(req.Params, "_meta"), "io.modelcontextprotocol/logLevel"))
	}
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		s := &puppet{modern: true, call: func(_ context.Context, s *puppet, req *transport.Request) (*transport.Response, error) {
			seen = append(seen, req.Method+" "+level(req))
			if req.Method == "subscriptions/listen" {
				s.acknowledge(req.ID, "{}")
			}
			return nil, nil
		}}
		session, told := s.open(t, mcp.Options{})
		own := mcp.CallTool("run", nil)
		own.LogLevel = "debug"
		for _, set := range []string{"warning", ""} {
			if err := session.SetLevel(t.Context(), set); err != nil {
				t.Fatal(err)
			}
			for _, c := range []*mcp.Call{mcp.CallTool("run", nil), own} {
				if _, err := session.Call(t.Context(), c); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := session.SetLevel(t.Context(), "info"); err != nil {
			t.Fatal(err)
		}
		if _, err := listen(t, session, told).Set(t.Context(), mcp.Filter{Tools: true}); err != nil {
			t.Fatal(err)
		}
		wantAll(t, "levels", seen, `tools/call "warning"`, `tools/call "debug"`, `tools/call `, `tools/call "debug"`, `subscriptions/listen `)
	})
	synctest.Test(t, func(t *testing.T) {
		s := &puppet{capabilities: `{"logging":{}}`}
		session, _ := s.open(t, mcp.Options{})
		if err := session.SetLevel(t.Context(), "warning"); err != nil {
			t.Fatal(err)
		}
		wantAll(t, "heard", s.heard(), `logging/setLevel level="warning"`)
	})
}

// Of many notifications a call gets as many as it may, and is told of the others.
func TestManyNotifications(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &puppet{}
		s.call = func(_ context.Context, s *puppet, req *transport.Request) (*transport.Response, error) {
			for range 5 {
				s.say(req.ID, "notifications/x", `{}`)
			}
			return nil, nil
		}
		session, _ := s.open(t, mcp.Options{CallNotifications: 3})
		c := mcp.CallTool("run", nil)
		got := ""
		c.Notify = func(jsonrpc.Message) { got += "x" }
		c.Lost = func() { got += "-" }
		if _, err := session.Call(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if got != "xxx--" {
			t.Errorf("the call got %s", got)
		}
	})
}
