package oauth

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// traced runs f in a span of the trace that ctx belongs to. The span says how a
// token was to be had and what kept it from coming, and nothing that is secret.
func (x *access) traced(ctx context.Context, f func(context.Context) error) error {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return f(ctx)
	}
	ctx, span := parent.TracerProvider().Tracer("github.com/mcpbridge/mcpbridge/internal/oauth").Start(ctx, "mcpbridge.oauth.authorize",
		trace.WithAttributes(attribute.String("mcpbridge.oauth.flow", string(x.a.cfg.Credentials.Grant))))
	defer span.End()
	err := f(ctx)
	if err != nil {
		span.SetStatus(codes.Error, "")
		span.SetAttributes(attribute.String("error.type", kindOf(err)))
	}
	return err
}

// kindOf tells failures apart by one word.
func kindOf(err error) string {
	var required *RequiredError
	var refused *RefusedError
	switch {
	case errors.As(err, &required):
		return "consent_required"
	case errors.As(err, &refused):
		return "refused"
	default:
		return "unreachable"
	}
}
