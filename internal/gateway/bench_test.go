package gateway_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/protobuf/proto"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/gateway"
)

const benchBody = `{"arguments":{"city":"Zürich","days":3,"unit":"C"},"timeout":"5s"}`

// result is what the service of the benchmarks answers: half a kilobyte of text
// and structured content.
func result() *mcpbridgev1.CallToolResponse {
	text := &mcpbridgev1.TextContent{Text: strings.Repeat("Sunny, then rain.\n", 30)}
	return &mcpbridgev1.CallToolResponse{
		Content:               []*mcpbridgev1.ContentBlock{{Block: &mcpbridgev1.ContentBlock_Text{Text: text}}},
		StructuredContentJson: proto.String(`{"city":"Zürich","days":[{"day":1,"high":21.5,"low":12.0,"sky":"clear"}],"unit":"C"}`),
	}
}

func benchGateway(b *testing.B, change ...func(*gateway.Options)) *gateway.Gateway {
	b.Helper()
	return newGateway(b, &stub{callTool: func(context.Context, *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error) {
		return result(), nil
	}}, change...)
}

// record has traces, of which few are sampled, and metrics recorded.
func record(b *testing.B) func(*gateway.Options) {
	b.Helper()
	return func(o *gateway.Options) {
		o.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.01))))
		o.MeterProvider = metric.NewMeterProvider(metric.WithReader(metric.NewManualReader()))
		o.Propagator = propagation.TraceContext{}
		instrument(b, o)
	}
}

// BenchmarkLoopback makes calls over TCP, client and server in one process, and
// reports the CPU time of both. The gateway's share is what a call costs beyond
// the echo, which reads and writes as much.
func BenchmarkLoopback(b *testing.B) {
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			return
		}
		_, _ = w.Write(bytes.Repeat([]byte("x"), 700))
	})
	for _, handler := range []struct {
		name string
		http.Handler
	}{{"echo", echo}, {"gateway", benchGateway(b)}, {"recorded", benchGateway(b, record(b))}} {
		b.Run(handler.name, func(b *testing.B) {
			server := httptest.NewServer(handler)
			defer server.Close()
			transport := &http.Transport{MaxIdleConnsPerHost: 64}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport}
			b.ReportAllocs()
			before := cpu(b)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					call(b, client, server.URL+callPath)
				}
			})
			b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

func call(b *testing.B, client *http.Client, url string) {
	response, err := client.Post(url, "application/json", strings.NewReader(benchBody))
	if err != nil {
		b.Error(err)
		return
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
		b.Errorf("HTTP %d, %v", response.StatusCode, err)
	}
	_ = response.Body.Close()
}

// cpu returns the CPU time that the process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkServeHTTP is the gateway without net/http's part.
func BenchmarkServeHTTP(b *testing.B) {
	for name, g := range map[string]*gateway.Gateway{"gateway": benchGateway(b), "recorded": benchGateway(b, record(b))} {
		b.Run(name, func(b *testing.B) {
			r := newRequest(b, "POST", callPath, "", "Accept: */*", "Content-Type: application/json", "User-Agent: bench")
			r.ContentLength = int64(len(benchBody))
			b.ReportAllocs()
			before := cpu(b)
			for b.Loop() {
				r.Body = io.NopCloser(strings.NewReader(benchBody))
				w := httptest.NewRecorder()
				g.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
			b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}
