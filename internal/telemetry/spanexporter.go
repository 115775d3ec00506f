package telemetry

import (
	"context"
	"fmt"
	"os"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// newSpanExporter returns the exporter that OTEL_* names: OTLP's of our own
// for the protocols that it knows, else what the SDK has.
func newSpanExporter(ctx context.Context) (sdktrace.SpanExporter, error) {
	if exporter := os.Getenv("OTEL_TRACES_EXPORTER"); exporter == "" || exporter == "otlp" {
		protocol := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
		if protocol == "" {
			protocol = os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL")
		}
		switch protocol {
		case "", "http/protobuf":
			return startSpanExporter(ctx, otlptracehttp.NewClient())
		case "grpc":
			return startSpanExporter(ctx, otlptracegrpc.NewClient())
		}
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("from the environment: %w", err)
	}
	return exporter, nil
}

// A spanExporter sends spans by OTLP. The SDK's makes some seventy objects of
// each call's spans in order to marshal them, which was half of what tracing
// costs; so plain spans, which are all but a few, are written without them. The
// rest, and the connection, is the SDK's.
//
// ExportSpans is called by one goroutine at a time, as the SDK promises.
type spanExporter struct {
	*otlptrace.Exporter

	client otlptrace.Client
	wire   spanWire
}

var _ sdktrace.SpanExporter = (*spanExporter)(nil)

func startSpanExporter(ctx context.Context, client otlptrace.Client) (sdktrace.SpanExporter, error) {
	exporter, err := otlptrace.New(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("start OTLP: %w", err)
	}
	return &spanExporter{Exporter: exporter, client: client}, nil
}

// ExportSpans sends spans.
func (e *spanExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	if !plain(spans) {
		return e.Exporter.ExportSpans(ctx, spans) //nolint:wrapcheck // it stands for that exporter
	}
	all := new(tracepb.ResourceSpans)
	// A message goes out with the bytes that it is said not to know, which are
	// all of this one.
	all.ProtoReflect().SetUnknown(e.wire.resourceSpans(spans))
	if err := e.client.UploadTraces(ctx, []*tracepb.ResourceSpans{all}); err != nil {
		return fmt.Errorf("traces export: %w", err)
	}
	return nil
}

// plain reports whether a spanWire can write all these spans: they are of one
// resource and have neither events, nor links, nor lists.
func plain(spans []sdktrace.ReadOnlySpan) bool {
	res := spans[0].Resource()
	for _, span := range spans {
		if span.Resource() != res || len(span.Events()) > 0 || len(span.Links()) > 0 ||
			span.DroppedEvents() > 0 || span.DroppedLinks() > 0 || !simple(span.Attributes()) {
			return false
		}
	}
	return simple(res.Attributes())
}
