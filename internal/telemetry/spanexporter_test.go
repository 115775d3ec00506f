package telemetry

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A collector keeps what it is sent, as it would be on the wire.
type collector struct {
	sent [][]byte
	err  error
}

func (c *collector) Start(context.Context) error { return nil }
func (c *collector) Stop(context.Context) error  { return nil }

func (c *collector) UploadTraces(_ context.Context, all []*tracepb.ResourceSpans) error {
	for _, one := range all {
		b, err := proto.Marshal(one)
		if err != nil {
			return err
		}
		c.sent = append(c.sent, b)
	}
	return c.err
}

// messages are what the collector reads.
func (c *collector) messages(t *testing.T) []*tracepb.ResourceSpans {
	t.Helper()
	var all []*tracepb.ResourceSpans
	for _, b := range c.sent {
		one := new(tracepb.ResourceSpans)
		if err := proto.Unmarshal(b, one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

func spanContext(n byte, remote bool, state string) trace.SpanContext {
	ts, err := trace.ParseTraceState(state)
	if err != nil {
		panic(err)
	}
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, n}, SpanID: trace.SpanID{2, n}, TraceFlags: trace.FlagsSampled, Remote: remote, TraceState: ts,
	})
}

// span is one of a call, with what change makes of it.
func span(change func(*tracetest.SpanStub)) tracetest.SpanStub {
	began := time.Unix(1_700_000_000, 42)
	s := tracetest.SpanStub{
		Name: "tools/call echo", SpanContext: spanContext(1, false, ""), SpanKind: trace.SpanKindClient,
		StartTime: began, EndTime: began.Add(time.Second),
		Attributes:           []attribute.KeyValue{attribute.String("mcp.method.name", "tools/call"), attribute.Int("server.port", 8080)},
		Resource:             resource.NewWithAttributes("https://schema/1", attribute.String("service.name", "mcpbridge")),
		InstrumentationScope: instrumentation.Scope{Name: "a"},
	}
	if change != nil {
		change(&s)
	}
	return s
}

// What our own exporter sends is what the SDK's sends.
func TestSpanExporter(t *testing.T) {
	t.Parallel()
	res := span(nil).Resource
	like := func(change func(*tracetest.SpanStub)) tracetest.SpanStub {
		s := span(change)
		s.Resource = res
		return s
	}
	tests := map[string][]tracetest.SpanStub{
		"one":           {like(nil)},
		"nothing in it": {{Resource: res}},
		"parent":        {like(func(s *tracetest.SpanStub) { s.Parent = spanContext(2, false, "") })},
		"remote parent": {like(func(s *tracetest.SpanStub) { s.Parent = spanContext(2, true, "") })},
		"trace state":   {like(func(s *tracetest.SpanStub) { s.SpanContext = spanContext(1, false, "a=b,c=d") })},
		"failed":        {like(func(s *tracetest.SpanStub) { s.Status = sdktrace.Status{Code: otelcodes.Error, Description: "no"} })},
		"well":          {like(func(s *tracetest.SpanStub) { s.Status.Code = otelcodes.Ok })},
		"before 1970":   {like(func(s *tracetest.SpanStub) { s.StartTime = time.Unix(-1, 0) })},
		"dropped":       {like(func(s *tracetest.SpanStub) { s.DroppedAttributes = 300 })},
		"zero values": {like(func(s *tracetest.SpanStub) {
			s.Attributes = []attribute.KeyValue{attribute.String("a", ""), attribute.Int("b", 0), attribute.Bool("c", false), attribute.Float64("d", 0)}
		})},
		"values": {like(func(s *tracetest.SpanStub) {
			s.Attributes = []attribute.KeyValue{attribute.Int("b", -1), attribute.Bool("c", true), attribute.Float64("d", 1.5)}
		})},
		"long text": {like(func(s *tracetest.SpanStub) {
			s.Attributes = []attribute.KeyValue{
				attribute.String("a", strings.Repeat("x", 127)), attribute.String("b", strings.Repeat("x", 128)), attribute.String("c", strings.Repeat("x", 1<<21)),
			}
		})},
		"lists": {like(nil), like(func(s *tracetest.SpanStub) {
			s.Attributes = []attribute.KeyValue{attribute.StringSlice("a", []string{"b"})}
		})},
		"events": {like(func(s *tracetest.SpanStub) { s.Events = []sdktrace.Event{{Name: "exception"}} })},
		"links":  {like(func(s *tracetest.SpanStub) { s.Links = []sdktrace.Link{{SpanContext: spanContext(3, false, "")}} })},
		"scopes": {
			like(nil),
			like(func(s *tracetest.SpanStub) {
				s.InstrumentationScope = instrumentation.Scope{Name: "b", Version: "1", SchemaURL: "https://schema/2", Attributes: attribute.NewSet(attribute.Bool("x", true))}
			}),
			like(func(s *tracetest.SpanStub) { s.Name = "again" }),
		},
	}
	for kind := range trace.SpanKindConsumer + 1 {
		tests["kind "+kind.String()] = []tracetest.SpanStub{like(func(s *tracetest.SpanStub) { s.SpanKind = kind })}
	}
	for name, stubs := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compare(t, stubs)
		})
	}
	t.Run("resources", func(t *testing.T) {
		t.Parallel()
		var ours collector
		export(t, &ours, tracetest.SpanStubs{span(nil), span(func(s *tracetest.SpanStub) { s.Resource = resource.Empty() })}.Snapshots())
		if n := len(ours.sent); n != 2 {
			t.Errorf("%d resources", n)
		}
	})
}

// Text that is not UTF-8 is mended, as a collector may refuse it.
func TestSpanExporterMendsText(t *testing.T) {
	t.Parallel()
	var to collector
	export(t, &to, tracetest.SpanStubs{span(func(s *tracetest.SpanStub) {
		s.Name = "a\xffb"
		s.Attributes = []attribute.KeyValue{attribute.String("url.path", "/\xff")}
	})}.Snapshots())
	got := to.messages(t)[0].GetScopeSpans()[0].GetSpans()[0]
	if got.GetName() != "a\uFFFDb" || got.GetAttributes()[0].GetValue().GetStringValue() != "/\uFFFD" {
		t.Errorf("got %v", got)
	}
}

func compare(t *testing.T, stubs tracetest.SpanStubs) {
	t.Helper()
	var ours, theirs collector
	// Twice, as the room is used again.
	export(t, &ours, stubs.Snapshots(), stubs.Snapshots())
	if err := otlptrace.NewUnstarted(&theirs).ExportSpans(t.Context(), stubs.Snapshots()); err != nil {
		t.Fatal(err)
	}
	want := theirs.messages(t)
	for _, got := range slices.Collect(slices.Chunk(ours.messages(t), len(want))) {
		for i := range want {
			if !proto.Equal(got[i], want[i]) {
				t.Errorf("got %v\nwant %v", got[i], want[i])
			}
		}
	}
}

func export(t *testing.T, to *collector, batches ...[]sdktrace.ReadOnlySpan) {
	t.Helper()
	exporter, err := startSpanExporter(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	for _, spans := range batches {
		if err := exporter.ExportSpans(t.Context(), spans); err != nil {
			t.Fatal(err)
		}
	}
	if err := exporter.ExportSpans(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

func TestSpanExporterTellsFailures(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	exporter, err := startSpanExporter(t.Context(), &collector{err: gone})
	if err != nil {
		t.Fatal(err)
	}
	if err := exporter.ExportSpans(t.Context(), tracetest.SpanStubs{span(nil)}.Snapshots()); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
}

func TestNewSpanExporter(t *testing.T) {
	tests := map[string]struct {
		exporter, protocol, traces string
		ours, fails                bool
	}{
		"default":         {ours: true},
		"grpc":            {exporter: "otlp", protocol: "grpc", ours: true},
		"http":            {exporter: "otlp", protocol: "http/protobuf", ours: true},
		"traces win":      {protocol: "nonsense", traces: "grpc", ours: true},
		"console":         {exporter: "console"},
		"nothing of both": {exporter: "nonsense", fails: true},
		"no protocol":     {protocol: "nonsense", fails: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_TRACES_EXPORTER", test.exporter)
			t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", test.protocol)
			t.Setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", test.traces)
			exporter, err := newSpanExporter(t.Context())
			if (err != nil) != test.fails {
				t.Fatal(err)
			}
			if _, ours := exporter.(*spanExporter); ours != test.ours {
				t.Errorf("got %T", exporter)
			}
			if exporter != nil {
				if err := exporter.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// BenchmarkSpanExporter writes the spans of a call: our own way, and the SDK's.
func BenchmarkSpanExporter(b *testing.B) {
	one := span(func(s *tracetest.SpanStub) {
		for _, key := range []string{"network.transport", "mcp.protocol.version", "network.protocol.name", "gen_ai.tool.name"} {
			s.Attributes = append(s.Attributes, attribute.String(key, "some value"))
		}
		s.Parent = spanContext(2, false, "")
	})
	spans := tracetest.SpanStubs{one, one, one}.Snapshots()
	b.Run("ours", func(b *testing.B) {
		var to collector
		exporter, err := startSpanExporter(b.Context(), &to)
		if err != nil {
			b.Fatal(err)
		}
		benchmarkExport(b, exporter, &to, spans)
	})
	b.Run("SDK", func(b *testing.B) {
		var to collector
		benchmarkExport(b, otlptrace.NewUnstarted(&to), &to, spans)
	})
}

func benchmarkExport(b *testing.B, exporter sdktrace.SpanExporter, to *collector, spans []sdktrace.ReadOnlySpan) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		to.sent = to.sent[:0]
		if err := exporter.ExportSpans(b.Context(), spans); err != nil {
			b.Fatal(err)
		}
	}
	if len(to.sent) != 1 || len(to.sent[0]) < 500 {
		b.Fatalf("sent %q", to.sent)
	}
}
