package transport

import (
	"context"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// A child's start shows in the trace of who asked for it, without its arguments.
func TestStdioDialIsTraced(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	ctx, outer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test").Start(t.Context(), "caller")
	cfg := childConfig(t, "serve")
	cfg.Args = append(cfg.Args, "--key=hunter2")
	tr, err := NewStdio(cfg).Dial(ctx, ignore)
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	if _, err := NewStdio(StdioConfig{Command: "/nowhere/server"}).Dial(ctx, ignore); err == nil {
		t.Fatal("started nothing")
	}
	outer.End()
	got := spans.Ended()
	if len(got) != 3 || got[1].Name() != "server" {
		t.Fatalf("got %v", got)
	}
	started, failed := keys(got[0].Attributes()), keys(got[1].Attributes())
	if !slices.Equal(started, []attribute.Key{"process.executable.name", "process.pid"}) || got[0].Status().Code != codes.Unset {
		t.Errorf("got %v, %v", started, got[0].Status())
	}
	if !slices.Equal(failed, []attribute.Key{"process.executable.name", "error.type"}) || got[1].Status().Code != codes.Error {
		t.Errorf("got %v, %v", failed, got[1].Status())
	}
}

func keys(list []attribute.KeyValue) (all []attribute.Key) {
	for _, kv := range list {
		all = append(all, kv.Key)
	}
	return all
}
