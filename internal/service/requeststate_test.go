package service

import (
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

func TestRequestState(t *testing.T) {
	t.Parallel()
	s := newStateSealer()
	call := mcp.CallTool("transfer", []byte(`{"amount":1.0}`))
	in := &requestState{
		Principal: "alice", Target: "servers/bank", Call: digestOf(call), Expires: time.Now().Add(time.Minute),
		Server:    []byte(`"a\u003cb<  \/"`),
		Questions: map[string]askedFor{"k": {Method: mcp.MethodElicitation, Params: json.RawMessage(`{"message":"m"}`)}},
	}
	token, err := s.seal(in)
	if err != nil {
		t.Fatal(err)
	}
	withMeta := mcp.CallTool("transfer", []byte(`{"amount":1.0}`))
	withMeta.Meta = []byte(`{"x":1}`)
	out, err := s.open(token, "alice", "servers/bank", withMeta)
	if err != nil {
		t.Fatal(err)
	}
	if string(out.Server) != string(in.Server) || out.Questions["k"].Method != mcp.MethodElicitation {
		t.Errorf("got %+v", out)
	}
	altered := []byte(token)
	altered[len(altered)/2] ^= 1
	for name, open := range map[string]func() (*requestState, error){
		"another principal": func() (*requestState, error) { return s.open(token, "bob", "servers/bank", call) },
		"another target":    func() (*requestState, error) { return s.open(token, "alice", "servers/other", call) },
		"another tool": func() (*requestState, error) {
			return s.open(token, "alice", "servers/bank", mcp.CallTool("give", []byte(`{"amount":1.0}`)))
		},
		"other arguments": func() (*requestState, error) {
			return s.open(token, "alice", "servers/bank", mcp.CallTool("transfer", []byte(`{"amount":1}`)))
		},
		"another method": func() (*requestState, error) {
			return s.open(token, "alice", "servers/bank", mcp.GetPrompt("transfer", []byte(`{"amount":1.0}`)))
		},
		"altered":         func() (*requestState, error) { return s.open(string(altered), "alice", "servers/bank", call) },
		"cut":             func() (*requestState, error) { return s.open(token[:20], "alice", "servers/bank", call) },
		"empty":           func() (*requestState, error) { return s.open("", "alice", "servers/bank", call) },
		"another process": func() (*requestState, error) { return newStateSealer().open(token, "alice", "servers/bank", call) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := open(); !errors.Is(err, errStateLost) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestRequestStateExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, call := newStateSealer(), mcp.CallTool("x", nil)
		token, err := s.seal(&requestState{Principal: "a", Target: "t", Call: digestOf(call), Expires: time.Now().Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if _, err := s.open(token, "a", "t", call); err != nil {
			t.Errorf("before it expires: %v", err)
		}
		time.Sleep(time.Nanosecond)
		if _, err := s.open(token, "a", "t", call); !errors.Is(err, errStateLost) {
			t.Errorf("after it has expired: %v", err)
		}
	})
}
