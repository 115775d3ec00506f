package pool_test

import (
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// read returns what is measured, by name and the values of its attributes.
func read(t *testing.T, reader sdkmetric.Reader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	values := make(map[string]int64)
	add := func(name string, points []metricdata.DataPoint[int64]) {
		for _, point := range points {
			key := name
			for _, attr := range []attribute.Key{"mcpbridge.server", "mcpbridge.state", "error.type"} {
				if v, ok := point.Attributes.Value(attr); ok {
					key += " " + v.AsString()
				}
			}
			values[key] = point.Value
		}
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Gauge[int64]:
				add(m.Name, data.DataPoints)
			case metricdata.Sum[int64]:
				add(m.Name, data.DataPoints)
			}
		}
	}
	return values
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reader := sdkmetric.NewManualReader()
		o := quick()
		o.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
		d := new(fakeDialer)
		p := newPool(t, d, &pool.Server{MaxUpstreams: 2, WarmUpstreams: 2}, o)
		if _, err := ping(t.Context(), of(t, p, "a")); err != nil {
			t.Fatal(err)
		}
		// What callers bring shows nowhere.
		if _, err := p.Open(t.Context(), pool.OpenParams{Server: &pool.Server{Client: mcp.NewClient(d, mcp.Options{})}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		d.transports()[0].die(errLost)
		_ = of(t, p, "a").Status() // which notices it
		d.setDown(errRefused)
		failUntilOpen(t, of(t, p, "b"))
		got := read(t, reader)
		for key, want := range map[string]int64{
			"mcpbridge.pool.upstreams s ready":             1,
			"mcpbridge.pool.upstreams s transient_failure": 1,
			"mcpbridge.pool.upstreams s idle":              0,
			"mcpbridge.pool.connects s":                    2,
			"mcpbridge.pool.failures s connect":            4,
			"mcpbridge.pool.failures s session":            1,
			"mcpbridge.pool.circuit.open s":                1,
		} {
			if v, ok := got[key]; !ok || v != want {
				t.Errorf("%s: %d, want %d (%v)", key, v, want, got)
			}
		}
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		for key := range read(t, reader) {
			if key == "mcpbridge.pool.upstreams s ready" {
				t.Error("a closed pool is measured")
			}
		}
	})
}
