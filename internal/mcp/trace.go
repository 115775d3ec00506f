package mcp

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// The attributes of OpenTelemetry's semantic conventions for MCP (repository
// open-telemetry/semantic-conventions-genai, docs/gen-ai/mcp.md, status
// Development). They are kept here because no released semconv package of the
// SDK's version has them.
//
// mcp.session.id, which they recommend for sessions of the legacy era, is left
// out: many servers take whoever knows it for the session's owner, so it belongs
// in traces no more than a token does.
const (
	attrMethod          = "mcp.method.name"
	attrProtocolVersion = "mcp.protocol.version"
	attrResourceURI     = "mcp.resource.uri"
	attrToolName        = "gen_ai.tool.name"
	attrPromptName      = "gen_ai.prompt.name"
	attrOperation       = "gen_ai.operation.name"
	attrToolArguments   = "gen_ai.tool.call.arguments"
	attrToolResult      = "gen_ai.tool.call.result"
	attrRequestID       = "jsonrpc.request.id"
	attrStatusCode      = "rpc.response.status_code"
	attrErrorType       = "error.type"
	attrNetwork         = "network.transport"
	attrProtocol        = "network.protocol.name"
	attrAddress         = "server.address"
	attrPort            = "server.port"

	metricDuration = "mcp.client.operation.duration"
	metricDropped  = "mcpbridge.notifications.dropped"
	scopeName      = "github.com/mcpbridge/mcpbridge/internal/mcp"
)

// durationBuckets are those that the conventions give for MCP operations, in
// seconds.
func durationBuckets() []float64 {
	return []float64{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300}
}

// maxSets bounds the attribute sets of one server that name a tool or prompt:
// callers and servers choose those names, and each new one costs memory for good.
const maxSets = 200

// other stands for what has no name of its own on a metric.
const other = "_OTHER"

// instruments make the span and the measurement of each operation with one
// server.
type instruments struct {
	tracer   trace.Tracer // nil: no spans
	duration metric.Float64Histogram
	// dropped counts the notifications that no call wanted.
	dropped metric.Int64Counter
	capture bool

	// mu guards sets.
	mu   sync.RWMutex
	sets map[setKey]metric.MeasurementOption
}

type setKey struct{ method, name, version, failure string }

func newInstruments(o Options) *instruments {
	meter := o.MeterProvider.Meter(scopeName)
	duration, err := meter.Float64Histogram(metricDuration,
		metric.WithUnit("s"),
		metric.WithDescription("Duration of the MCP request as observed by the client."),
		metric.WithExplicitBucketBoundaries(durationBuckets()...))
	if err != nil {
		o.Logger.Warn("metric not available", "metric", metricDuration, "error", err)
	}
	dropped, err := meter.Int64Counter(metricDropped,
		metric.WithUnit("{notification}"),
		metric.WithDescription("Notifications of servers that belong to no call that wants them."))
	if err != nil {
		o.Logger.Warn("metric not available", "metric", metricDropped, "error", err)
	}
	i := &instruments{
		duration: duration,
		dropped:  dropped,
		capture:  o.CaptureContent,
		sets:     make(map[setKey]metric.MeasurementOption),
	}
	if _, silent := o.TracerProvider.(noop.TracerProvider); !silent {
		i.tracer = o.TracerProvider.Tracer(scopeName)
	}
	return i
}

// An operation is one request while it runs.
type operation struct {
	inst    *instruments
	session *Session
	call    *Call
	ctx     context.Context //nolint:containedctx // lives as long as the call does
	span    trace.Span      // nil: there are none
	began   time.Time
}

// start begins the span of a call. The context that it returns carries it.
func (i *instruments) start(ctx context.Context, s *Session, c *Call, id int64) (context.Context, operation) {
	op := operation{inst: i, session: s, call: c, ctx: ctx, began: time.Now()}
	if i.tracer == nil {
		return ctx, op
	}
	name := c.Method
	if c.Method == methodToolsCall || c.Method == methodPromptsGet {
		name += " " + c.Name
	}
	ctx, span := i.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient))
	if span.IsRecording() {
		span.SetAttributes(i.details(s, c, id)...)
	}
	op.ctx, op.span = ctx, span
	return ctx, op
}

// details are the attributes of a span: all at once, as each time that a span
// is given some it copies those that it has.
func (i *instruments) details(s *Session, c *Call, id int64) []attribute.KeyValue {
	kv := append(s.attributes(c), attribute.String(attrRequestID, strconv.FormatInt(id, 10)))
	if c.Method == methodResourcesRead {
		kv = append(kv, attribute.String(attrResourceURI, c.Name))
	}
	if i.capture && c.Method == methodToolsCall {
		kv = append(kv, attribute.String(attrToolArguments, string(rawjson.Get(c.Params, "arguments"))))
	}
	return kv
}

// maxAttributes is the most that an operation has.
const maxAttributes = 10

// attributes are those that spans and metrics of a call share.
func (s *Session) attributes(c *Call) []attribute.KeyValue {
	kv := make([]attribute.KeyValue, 0, maxAttributes)
	kv = append(kv, attribute.String(attrMethod, c.Method), attribute.String(attrNetwork, s.peer.Network))
	if v := s.era().version(); v != "" {
		kv = append(kv, attribute.String(attrProtocolVersion, v))
	}
	if s.peer.Protocol != "" {
		kv = append(kv, attribute.String(attrProtocol, s.peer.Protocol))
	}
	if s.peer.Address != "" {
		kv = append(kv, attribute.String(attrAddress, s.peer.Address), attribute.Int(attrPort, s.peer.Port))
	}
	switch c.Method {
	case methodToolsCall:
		kv = append(kv, attribute.String(attrToolName, c.Name), attribute.String(attrOperation, "execute_tool"))
	case methodPromptsGet:
		kv = append(kv, attribute.String(attrPromptName, c.Name))
	}
	return kv
}

// end finishes the operation with what became of it. A modern server that asks
// back or begins a task has answered; the round has not failed.
func (o operation) end(result *Result, err error) {
	failure := ""
	switch {
	case err != nil && startedBy(err) != nil:
	case err != nil:
		failure = errorType(err)
	case result != nil && o.call.Method == methodToolsCall && toolFailed(result.JSON):
		failure = "tool_error"
	}
	if failure == inputRequired && o.session.era().kind() == EraModern {
		failure = ""
	}
	o.inst.duration.Record(o.ctx, time.Since(o.began).Seconds(), o.inst.set(o.session, o.call, failure))
	if o.span == nil {
		return
	}
	if o.span.IsRecording() {
		o.describe(result, err, failure)
	}
	o.span.End()
}

func (o operation) describe(result *Result, err error, failure string) {
	if o.inst.capture && result != nil && o.call.Method == methodToolsCall {
		o.span.SetAttributes(attribute.String(attrToolResult, string(result.JSON)))
	}
	if failure == "" {
		return
	}
	o.span.SetAttributes(attribute.String(attrErrorType, failure))
	var je *jsonrpc.Error
	if errors.As(err, &je) {
		o.span.SetAttributes(attribute.String(attrStatusCode, failure))
		o.span.SetStatus(codes.Error, cut(je.Message, 1024))
		return
	}
	o.span.SetStatus(codes.Error, failure)
}

// set returns the attributes of a measurement, built once for each combination.
func (i *instruments) set(s *Session, c *Call, failure string) metric.MeasurementOption {
	failure = metricFailure(failure)
	key := setKey{method: c.Method, version: s.era().version(), failure: failure}
	if c.Method == methodToolsCall || c.Method == methodPromptsGet {
		key.name = c.Name
	}
	i.mu.RLock()
	opt, ok := i.sets[key]
	if !ok && key.name != "" && len(i.sets) >= maxSets {
		key.name = other
		opt, ok = i.sets[key]
	}
	i.mu.RUnlock()
	if ok {
		return opt
	}
	call := *c
	call.Name = key.name
	kv := s.attributes(&call)
	if failure != "" {
		kv = append(kv, attribute.String(attrErrorType, failure))
	}
	opt = metric.WithAttributeSet(attribute.NewSet(kv...))
	i.mu.Lock()
	defer i.mu.Unlock()
	i.sets[key] = opt
	return opt
}

// inputRequired is the error.type of a call during which the server asked what
// nobody answered.
const inputRequired = "input_required"

// errorType is error.type as the conventions have it.
func errorType(err error) string {
	var je *jsonrpc.Error
	var te *transport.Error
	var required *InputRequiredError
	switch {
	case errors.As(err, &je):
		return strconv.FormatInt(je.Code, 10)
	case errors.As(err, &required):
		return inputRequired
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.As(err, &te) && te.Status != 0:
		return strconv.Itoa(te.Status)
	case errors.As(err, &te):
		return te.Kind.String()
	default:
		return other
	}
}

// metricFailure keeps error.type to words that are known beforehand: the codes
// of JSON-RPC errors are the server's choice.
func metricFailure(failure string) string {
	if failure == "" {
		return "" // nearly always
	}
	code, err := strconv.ParseInt(failure, 10, 64)
	if err != nil || code >= 100 && code <= 599 || code >= -32100 && code <= -32000 || code >= -32700 && code <= -32600 {
		return failure
	}
	return other
}

func toolFailed(result []byte) bool {
	v := rawjson.Get(result, "isError")
	return len(v) > 0 && v[0] == 't'
}
