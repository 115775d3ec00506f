package e2e

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A collector takes spans by OTLP over HTTP. Its methods may be called
// concurrently.
type collector struct {
	url string

	mu    sync.Mutex // guards spans
	spans []span
}

// A span is one that was exported.
type span struct {
	trace, id, parent string // in hex; the parent of a root is empty
	name              string
	kind              tracev1.Span_SpanKind
	status            tracev1.Status_StatusCode
	attributes        map[string]string
}

// newCollector starts a collector, which ends with the test.
func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// env is what makes a bridge export to the collector, at once.
func (c *collector) env() []string {
	return []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.url, "OTEL_METRICS_EXPORTER=none", "OTEL_BSP_SCHEDULE_DELAY=20"}
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	request := new(collectorv1.ExportTraceServiceRequest)
	if err == nil {
		err = proto.Unmarshal(body, request)
	}
	if r.URL.Path != "/v1/traces" || err != nil {
		http.Error(w, fmt.Sprint(r.URL.Path, ": ", err), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range request.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				c.spans = append(c.spans, readSpan(s))
			}
		}
	}
}

func readSpan(s *tracev1.Span) span {
	attributes := make(map[string]string)
	for _, a := range s.GetAttributes() {
		attributes[a.GetKey()] = valueText(a.GetValue())
	}
	return span{
		trace: hex.EncodeToString(s.GetTraceId()), id: hex.EncodeToString(s.GetSpanId()), parent: hex.EncodeToString(s.GetParentSpanId()),
		name: s.GetName(), kind: s.GetKind(), status: s.GetStatus().GetCode(), attributes: attributes,
	}
}

func valueText(v *commonv1.AnyValue) string {
	switch v := v.GetValue().(type) {
	case *commonv1.AnyValue_StringValue:
		return v.StringValue
	case *commonv1.AnyValue_IntValue:
		return fmt.Sprint(v.IntValue)
	default:
		return fmt.Sprint(v)
	}
}

// A trace is the spans of one.
type trace []span

// trace returns what has arrived of a trace.
func (c *collector) trace(id string) trace {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found trace
	for _, s := range c.spans {
		if s.trace == id {
			found = append(found, s)
		}
	}
	return found
}

// child waits for the one span of that name with that parent.
func (c *collector) child(t *testing.T, id, parent, name string) span {
	t.Helper()
	var found trace
	eventually(t, callBound, func() error {
		found = nil
		whole := c.trace(id)
		for _, s := range whole {
			if s.parent == parent && s.name == name {
				found = append(found, s)
			}
		}
		if len(found) != 1 {
			return fmt.Errorf("%d spans %q under %s in trace %s:\n%s", len(found), name, parent, id, whole)
		}
		return nil
	})
	return found[0]
}

func (tr trace) String() string {
	var text strings.Builder
	for _, s := range tr {
		fmt.Fprintf(&text, "%s %s in %s: %v %v\n", s.name, s.id, s.parent, s.kind, s.attributes)
	}
	return text.String()
}

// wants checks kind and attributes. The value "*" stands for any but none.
func (s span) wants(t *testing.T, kind tracev1.Span_SpanKind, attributes map[string]string) {
	t.Helper()
	if s.kind != kind {
		t.Errorf("span %q is a %v, want %v", s.name, s.kind, kind)
	}
	for key, want := range attributes {
		got := s.attributes[key]
		if got != want && (want != "*" || got == "") {
			t.Errorf("span %q has %s=%q, want %q", s.name, key, got, want)
		}
	}
}
