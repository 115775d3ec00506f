// Package mcp speaks MCP as a client: it finds out which era a server belongs
// to, opens the session in that era's way, and makes calls on it. It knows no
// gRPC, starts no process and opens no connection; it is given a
// [transport.Dialer].
//
// JSON passes through as text. Only the members that the client itself acts on
// are read.
package mcp

import (
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// The protocol revisions that this client speaks.
const (
	Version20241105 = "2024-11-05"
	Version20250326 = "2025-03-26"
	Version20250618 = "2025-06-18"
	Version20251125 = "2025-11-25"
	Version20260728 = "2026-07-28"
)

// legacyVersions are the revisions that begin with initialize, best first.
var legacyVersions = []string{Version20251125, Version20250618, Version20250326, Version20241105} //nolint:gochecknoglobals // a constant list

// modernVersions are the stateless revisions, best first.
var modernVersions = []string{Version20260728} //nolint:gochecknoglobals // a constant list

// An Era is one of the two kinds of MCP session.
type Era uint8

const (
	// EraUnknown is the era of a server that has not been reached yet.
	EraUnknown Era = iota
	// EraLegacy covers the revisions 2024-11-05 to 2025-11-25: initialize, and
	// state on the server for as long as the session lasts.
	EraLegacy
	// EraModern covers 2026-07-28: every request stands for itself.
	EraModern
)

// String returns "legacy", "modern" or "unknown".
func (e Era) String() string {
	switch e {
	case EraLegacy:
		return "legacy"
	case EraModern:
		return "modern"
	default:
		return "unknown"
	}
}

// An Implementation names a client or server, as clientInfo and serverInfo do.
type Implementation struct {
	Name    string `json:"name"`
	Title   string `json:"title,omitempty"`
	Version string `json:"version"`
}

// Options configure a [Client]. The zero value is usable.
type Options struct {
	// ClientInfo is what the server is told about us. Default: mcpbridge.
	ClientInfo Implementation
	// Protocol pins the protocol: a revision, or empty to find out.
	Protocol string
	// Shared says that calls of different principals share a session. A log
	// message that does not say which call it belongs to is dropped then.
	Shared bool
	// ProbeTimeout bounds how long a server on a stream transport may be silent
	// on the probe before it is taken for a legacy one. Default 10 s.
	ProbeTimeout time.Duration
	// InitializeTimeout bounds each step of the handshake. Default 15 s.
	InitializeTimeout time.Duration
	// CallNotifications bounds the notifications of one call; what comes beyond
	// is dropped and counted; see [Call.Lost]. Default 10,000.
	CallNotifications int
	// AskTimeout bounds how long the answer to one question of the server may
	// take. Default 5 min.
	AskTimeout time.Duration
	// WithoutOutputValidation leaves the structured content of tools unchecked;
	// see [Result.OutputError].
	WithoutOutputValidation bool
	// WithoutCache asks the server every time, however long it said that its
	// lists and resources would be good.
	WithoutCache bool
	// WithoutTraceContext keeps our trace context out of params._meta.
	WithoutTraceContext bool
	// Propagator writes the trace context. Default: W3C trace context, without
	// baggage, which would leave the trust boundary.
	Propagator propagation.TextMapPropagator
	// CaptureContent records arguments and results on spans.
	CaptureContent bool

	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	Logger         *slog.Logger
}

// The defaults of [Options].
const (
	DefaultProbeTimeout      = 10 * time.Second
	DefaultInitializeTimeout = 15 * time.Second
	DefaultCallNotifications = 10_000
	DefaultAskTimeout        = 5 * time.Minute
)

// WithDefaults returns o with the defaults in place of zeros.
func (o Options) WithDefaults() Options {
	if o.ClientInfo.Name == "" {
		o.ClientInfo = Implementation{Name: "mcpbridge", Version: "0.1.0"}
	}
	if o.ProbeTimeout <= 0 {
		o.ProbeTimeout = DefaultProbeTimeout
	}
	if o.InitializeTimeout <= 0 {
		o.InitializeTimeout = DefaultInitializeTimeout
	}
	if o.CallNotifications <= 0 {
		o.CallNotifications = DefaultCallNotifications
	}
	if o.AskTimeout <= 0 {
		o.AskTimeout = DefaultAskTimeout
	}
	if o.Propagator == nil {
		o.Propagator = propagation.TraceContext{}
	}
	if o.TracerProvider == nil {
		o.TracerProvider = tracenoop.NewTracerProvider()
	}
	if o.MeterProvider == nil {
		o.MeterProvider = metricnoop.NewMeterProvider()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
