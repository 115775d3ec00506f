package mcp_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
	"github.com/mcpbridge/mcpbridge/internal/transport"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// A person answers as people do, and remembers what was asked.
type person struct {
	// mu guards asked.
	mu    sync.Mutex
	asked []mcp.Question
}

func (p *person) ask(_ context.Context, q mcp.Question) (mcp.Answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, q)
	mode, _ := rawjson.String(rawjson.Get(q.Params, "mode"))
	switch {
	case q.Method == mcp.MethodSampling:
		return mcp.Answer{Result: []byte(`{"role":"assistant","content":{"type":"text","text":"Hello."},"model":"person"}`)}, nil
	case q.Method == mcp.MethodRoots:
		return mcp.Answer{Result: []byte(`{"roots":[{"uri":"file:///home/ada","name":"home"}]}`)}, nil
	case mode == "url":
		return mcp.Answer{Result: []byte(`{"action":"accept"}`)}, nil
	}
	return mcp.Answer{Result: []byte(`{"action":"accept","content":{"name":"Ada"}}`)}, nil
}

// count returns how often that method was asked.
func (p *person) count(method string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, q := range p.asked {
		if q.Method == method {
			n++
		}
	}
	return n
}

func connectAs(t *testing.T, d transport.Dialer, p mcp.Profile) *mcp.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s, err := mcp.NewClient(d, mcp.Options{}).ConnectAs(ctx, &p)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { closeSession(t, s) })
	return s
}

// The official SDK's server asks in each era's way, over every transport.
func TestAskingServer(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]struct {
		dial func(t *testing.T) transport.Dialer
		era  mcp.Era
	}{
		"stdio, modern": {era: mcp.EraModern, dial: func(t *testing.T) transport.Dialer { return stdio(peers.GoSDKCommand(t, peers.GoSDKOptions{})) }},
		"stdio, legacy": {era: mcp.EraLegacy, dial: func(t *testing.T) transport.Dialer {
			return stdio(peers.GoSDKCommand(t, peers.GoSDKOptions{Versions: []string{mcp.Version20251125}}))
		}},
		"HTTP, modern":       {era: mcp.EraModern, dial: func(t *testing.T) transport.Dialer { return http(t, peers.GoSDK(t, peers.GoSDKOptions{})) }},
		"HTTP, modern, JSON": {era: mcp.EraModern, dial: func(t *testing.T) transport.Dialer { return http(t, peers.GoSDK(t, peers.GoSDKOptions{JSON: true})) }},
		"HTTP, legacy": {era: mcp.EraLegacy, dial: func(t *testing.T) transport.Dialer {
			return http(t, peers.GoSDK(t, peers.GoSDKOptions{Stateful: true}))
		}},
		// Over this transport the SDK's server says now one era and now the other.
		"HTTP+SSE": {dial: func(t *testing.T) transport.Dialer {
			return sse(t, peers.GoSDKSSE(t, peers.GoSDKOptions{}))
		}},
		"WebSocket, legacy": {era: mcp.EraLegacy, dial: func(t *testing.T) transport.Dialer {
			return socket(t, peers.GoSDKWebSocket(t, peers.GoSDKOptions{Versions: []string{mcp.Version20250618}}))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var session person
			s := connectAs(t, server.dial(t), mcp.Profile{Capabilities: everything(), Ask: session.ask})
			if got := s.Info().Era; server.era != mcp.EraUnknown && got != server.era {
				t.Fatalf("era %v", got)
			}
			for tool, want := range map[string]string{"ask": `"name":"Ada"`, "sample": "Hello.", "roots": "file:///home/ada"} {
				r, err := s.Call(t.Context(), mcp.CallTool(tool, []byte(`{}`)))
				if err != nil || !strings.Contains(text(t, r), want) {
					t.Errorf("%s: %v, %v", tool, r, err)
				}
			}
			var own person
			c := mcp.CallTool("ask", []byte(`{}`))
			c.Ask = own.ask
			if _, err := s.Call(t.Context(), c); err != nil || own.count(mcp.MethodElicitation) != 1 || session.count(mcp.MethodElicitation) != 1 {
				t.Errorf("the call's own Ask: %v, asked %v", err, own.asked)
			}
			c = mcp.CallTool("ask", []byte(`{}`))
			c.Ask = nobody
			_, err := s.Call(t.Context(), c)
			var required *mcp.InputRequiredError
			if !errors.As(err, &required) || !strings.Contains(string(required.Result), "What is your name?") {
				t.Errorf("nobody answers: %v", err)
			}
		})
	}
}

// A caller who is not there any more when the answer comes goes on by hand.
func TestResumeByHand(t *testing.T) {
	t.Parallel()
	s := connectAs(t, http(t, peers.GoSDK(t, peers.GoSDKOptions{})), mcp.Profile{Capabilities: everything()})
	c := mcp.CallTool("ask", []byte(`{}`))
	c.Manual = true
	_, err := s.Call(t.Context(), c)
	var required *mcp.InputRequiredError
	if !errors.As(err, &required) {
		t.Fatal(err)
	}
	again := mcp.CallTool("ask", []byte(`{}`))
	again.Resume([]byte(`{"name":{"action":"accept","content":{"name":"Ada"}}}`), rawjson.Get(required.Result, "requestState"))
	r, err := s.Call(t.Context(), again)
	if err != nil || !strings.Contains(text(t, r), "Ada") {
		t.Errorf("got %v, %v", r, err)
	}
}

// A modern server may insist on a capability: that is its error, and no question.
func TestCapabilityRequired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{modern: true, handle: func(context.Context, *transport.Request) (*transport.Response, error) {
			return refusal(-32021, `{"requiredCapabilities":{"sampling":{}}}`), nil
		}}
		session := s.open(t, mcp.Options{}, mcp.Profile{Ask: new(person).ask})
		_, err := session.Call(t.Context(), mcp.CallTool("tool", nil))
		var je *jsonrpc.Error
		if !errors.As(err, &je) || je.Code != -32021 || mcp.DeliveryOf(err) != transport.Answered {
			t.Errorf("got %v", err)
		}
	})
}

// The reference server asks in the middle of a call, and for the roots whenever
// it likes.
func TestEverythingAsks(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		dial func(t *testing.T) transport.Dialer
		// unasked: there is a way for what belongs to no call.
		unasked bool
	}{
		"stdio":    {dial: func(t *testing.T) transport.Dialer { return stdio(peers.EverythingCommand(t)) }, unasked: true},
		"HTTP":     {dial: func(t *testing.T) transport.Dialer { return http(t, peers.EverythingHTTP(t)) }},
		"HTTP+SSE": {dial: func(t *testing.T) transport.Dialer { return sse(t, peers.EverythingSSE(t)) }, unasked: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p person
			s := connectAs(t, tt.dial(t), mcp.Profile{Capabilities: everything(), Ask: p.ask})
			for _, tt := range []struct{ tool, arguments, want string }{
				{"trigger-elicitation-request", `{}`, "Ada"},
				{"trigger-sampling-request", `{"prompt":"Say hello."}`, "Hello."},
				{"trigger-url-elicitation", `{"url":"https://example.com/"}`, "completed"},
				{"trigger-url-elicitation", `{"url":"https://example.com/first","errorPath":true}`, "completed"},
			} {
				r, err := s.Call(t.Context(), mcp.CallTool(tt.tool, []byte(tt.arguments)))
				if err != nil {
					t.Errorf("%s: %v", tt.tool, err)
				} else if !strings.Contains(string(r.JSON), tt.want) {
					t.Errorf("%s: %s", tt.tool, r.JSON)
				}
			}
			if n := p.count(mcp.MethodElicitation); n != 4 {
				t.Errorf("elicited %d times", n)
			}
			if tt.unasked {
				asksForRoots(t, s, &p)
			}
		})
	}
}

// asksForRoots waits until the server has asked for the roots by itself, and has
// asked again after they changed.
func asksForRoots(t *testing.T, s *mcp.Session, p *person) {
	t.Helper()
	until(t, "asked for the roots", func() bool { return p.count(mcp.MethodRoots) > 0 })
	before := p.count(mcp.MethodRoots)
	if err := s.RootsChanged(t.Context()); err != nil {
		t.Error(err)
	}
	until(t, "asked again", func() bool { return p.count(mcp.MethodRoots) > before })
	until(t, "listed the roots", func() bool {
		r, err := s.Call(t.Context(), mcp.CallTool("get-roots-list", []byte(`{}`)))
		return err == nil && strings.Contains(string(r.JSON), "file:///home/ada")
	})
}

// until waits for what another process does.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("the server has not %s", what)
		}
	}
}

// The TypeScript SDK's own way of asking, in 2026-07-28.
func TestTypeScriptAsks(t *testing.T) {
	t.Parallel()
	for name, dial := range map[string]func(t *testing.T) transport.Dialer{
		"stdio": func(t *testing.T) transport.Dialer { return stdio(peers.V2Command(t)) },
		"HTTP":  func(t *testing.T) transport.Dialer { return http(t, peers.V2HTTP(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := connectAs(t, dial(t), mcp.Profile{Capabilities: everything(), Ask: new(person).ask})
			if got := s.Info().Era; got != mcp.EraModern {
				t.Fatalf("era %v", got)
			}
			r, err := s.Call(t.Context(), mcp.CallTool("ask", []byte(`{}`)))
			if err != nil || text(t, r) != "Ada" {
				t.Errorf("accepted: %v, %v", r, err)
			}
			c := mcp.CallTool("ask", []byte(`{}`))
			c.Ask = answers(`{"action":"decline"}`)
			if r, err = s.Call(t.Context(), c); err != nil || text(t, r) != "nobody" {
				t.Errorf("declined: %v, %v", r, err)
			}
		})
	}
}
