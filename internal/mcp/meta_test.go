package mcp

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

func TestParams(t *testing.T) {
	t.Parallel()
	traced := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	}))
	const parent = `"traceparent":"00-01000000000000000000000000000000-0200000000000000-01"`
	const head = `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}`
	notify := func(jsonrpc.Message) {}
	tests := map[string]struct {
		ctx    context.Context
		modern bool
		call   Call
		want   string
	}{
		"nothing to add":                 {ctx: t.Context(), call: Call{Params: []byte(`{"name":"x"}`)}, want: `{"name":"x"}`},
		"no params at all":               {ctx: t.Context(), call: Call{}, want: ``},
		"progress token":                 {ctx: t.Context(), call: Call{Params: []byte(`{"name":"x"}`), Notify: notify}, want: `{"_meta":{"progressToken":7},"name":"x"}`},
		"empty params":                   {ctx: t.Context(), call: Call{Params: []byte(` { } `), Notify: notify}, want: `{"_meta":{"progressToken":7}}`},
		"trace context":                  {ctx: traced, call: Call{}, want: `{"_meta":{` + parent + `}}`},
		"the caller's members":           {ctx: t.Context(), call: Call{Meta: []byte(`{"a":1.0,"progressToken":"mine","traceparent":"x"}`)}, want: `{"_meta":{"a":1.0}}`},
		"modern":                         {ctx: t.Context(), modern: true, call: Call{Params: []byte(`{"uri":"u"}`)}, want: `{"_meta":{` + head + `},"uri":"u"}`},
		"reserved keys are ours":         {ctx: t.Context(), modern: true, call: Call{Meta: []byte(`{"io.modelcontextprotocol/protocolVersion":"1999","x":{}}`)}, want: `{"_meta":{` + head + `,"x":{}}}`},
		"log level":                      {ctx: t.Context(), modern: true, call: Call{LogLevel: "info"}, want: `{"_meta":{` + head + `,"io.modelcontextprotocol/logLevel":"info"}}`},
		"no log level in the legacy era": {ctx: t.Context(), call: Call{LogLevel: "info"}, want: ``},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := Options{ClientInfo: Implementation{Name: "c", Version: "1"}}.WithDefaults()
			s := &Session{base: &base{opts: &o, profile: new(Profile), knowledge: new(knowledge)}, peer: &transport.Peer{Protocol: "http"}}
			s.settle(legacy{revision: Version20251125}, Info{})
			if tt.modern {
				s.settle(newModern(Version20260728, o.ClientInfo, Capabilities{}, false), Info{})
			}
			if got := string(s.params(tt.ctx, &tt.call, 7)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
