package transport

import (
	"context"
	"path/filepath"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"
)

// tracedStart starts the command of cfg, in a span of its own if that of ctx is
// being recorded. The span ends when the process runs: what the process needs to
// be ready is told by the span of the handshake. Arguments and environment are
// left out, as keys stand there.
func tracedStart(ctx context.Context, cfg *StdioConfig) (*process, error) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return startProcess(cfg)
	}
	name := filepath.Base(cfg.Command)
	_, span := parent.TracerProvider().Tracer(scopeName).Start(ctx, name,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(semconv.ProcessExecutableName(name)))
	defer span.End()
	proc, err := startProcess(cfg)
	if err != nil {
		span.SetAttributes(semconv.ErrorTypeOther)
		span.SetStatus(codes.Error, "")
		return nil, err
	}
	span.SetAttributes(semconv.ProcessPID(proc.cmd.Process.Pid))
	return proc, nil
}
