package mcp_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
)

// Each round has a span. One in which a modern server asks back has not failed; a
// call of a legacy server that ends because of a question has.
func TestRoundSpans(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		script *script
		ask    mcp.Ask
		want   []codes.Code
	}{
		"answered":   {&script{modern: true, handle: inTurn(asks(mcp.MethodRoots, `{}`), complete)}, answers(`{}`), []codes.Code{codes.Unset, codes.Unset}},
		"unanswered": {&script{modern: true, handle: inTurn(asks(mcp.MethodRoots, `{}`))}, nobody, []codes.Code{codes.Unset}},
		"legacy":     {&script{handle: hangs}, nobody, []codes.Code{codes.Error}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				spans := tracetest.NewSpanRecorder()
				provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
				session := tt.script.open(t, mcp.Options{TracerProvider: provider}, mcp.Profile{Capabilities: everything(), Ask: tt.ask})
				go func() { _, _ = session.Call(t.Context(), mcp.CallTool("tool", nil)) }()
				synctest.Wait()
				if !tt.script.modern {
					tt.script.ask(tt.script.made()[0].ID, `1`, mcp.MethodRoots, "")
					synctest.Wait()
				}
				var got []codes.Code
				for _, span := range spans.Ended() {
					if span.Name() == "tools/call tool" {
						got = append(got, span.Status().Code)
					}
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("the statuses are %v", got)
				}
			})
		})
	}
}
