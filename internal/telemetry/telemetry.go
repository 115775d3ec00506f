// Package telemetry sets up tracing, metrics and logging from the standard
// OTEL_* variables. Nothing here is global: whoever needs a provider is given it.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/contrib/propagators/autoprop"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// Telemetry holds the providers of one process. Whoever made it shuts it down.
type Telemetry struct {
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	// Propagator reads the trace context of callers.
	Propagator propagation.TextMapPropagator
	// Metrics serves what has been measured in Prometheus' format.
	Metrics http.Handler

	closers []func(context.Context) error
}

// Start sets up the providers. Traces and pushed metrics go where OTEL_* says;
// where it says nothing they go nowhere, rather than to a collector that is not
// there. Metrics can always be scraped.
func Start(ctx context.Context, version string) (*Telemetry, error) {
	res, err := newResource(ctx, version)
	if err != nil {
		return nil, fmt.Errorf("telemetry resource: %w", err)
	}
	t := &Telemetry{Propagator: autoprop.NewTextMapPropagator(), TracerProvider: tracenoop.NewTracerProvider()}
	if err := t.startTraces(ctx, res); err != nil {
		return nil, errors.Join(err, t.Shutdown(ctx))
	}
	if err := t.startMetrics(ctx, res); err != nil {
		return nil, errors.Join(err, t.Shutdown(ctx))
	}
	return t, nil
}

// newResource describes this process; OTEL_SERVICE_NAME and
// OTEL_RESOURCE_ATTRIBUTES win.
func newResource(ctx context.Context, version string) (*resource.Resource, error) {
	return resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName("mcpbridge"), semconv.ServiceVersion(version)),
		resource.WithFromEnv(), resource.WithTelemetrySDK(), resource.WithHost())
}

// wanted reports whether the environment asks for an exporter of that signal.
func wanted(signal string) bool {
	if os.Getenv("OTEL_SDK_DISABLED") == "true" {
		return false
	}
	if exporter := os.Getenv("OTEL_" + signal + "_EXPORTER"); exporter != "" {
		return exporter != "none"
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != ""
}

func (t *Telemetry) startTraces(ctx context.Context, res *resource.Resource) error {
	if !wanted("TRACES") {
		return nil
	}
	exporter, err := newSpanExporter(ctx)
	if err != nil {
		return fmt.Errorf("trace exporter: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(res),
		sdktrace.WithoutPanicRecording()) // the text of a panic may tell what is secret
	t.TracerProvider = provider
	t.closers = append(t.closers, provider.Shutdown)
	return nil
}

func (t *Telemetry) startMetrics(ctx context.Context, res *resource.Resource) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	scraped, err := otelprom.New(otelprom.WithRegisterer(registry))
	if err != nil {
		return fmt.Errorf("metrics for Prometheus: %w", err)
	}
	options := []sdkmetric.Option{sdkmetric.WithReader(scraped), sdkmetric.WithResource(res)}
	// Prometheus is served on the admin address in any case; the exporter of
	// that name would open a port of its own.
	if wanted("METRICS") && os.Getenv("OTEL_METRICS_EXPORTER") != "prometheus" {
		pushed, err := autoexport.NewMetricReader(ctx)
		if err != nil {
			return fmt.Errorf("metric exporter: %w", err)
		}
		options = append(options, sdkmetric.WithReader(pushed))
	}
	provider := sdkmetric.NewMeterProvider(options...)
	t.MeterProvider = provider
	t.Metrics = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	t.closers = append(t.closers, provider.Shutdown)
	return nil
}

// Shutdown sends what has not been sent yet, within ctx.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var errs []error
	for _, shut := range t.closers {
		errs = append(errs, shut(ctx))
	}
	t.closers = nil
	return errors.Join(errs...)
}
