package pool

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const (
	metricUpstreams = "mcpbridge.pool.upstreams"
	metricConnects  = "mcpbridge.pool.connects"
	metricFailures  = "mcpbridge.pool.failures"
	metricCircuit   = "mcpbridge.pool.circuit.open"
	scopeName       = "github.com/mcpbridge/mcpbridge/internal/pool"

	attrServer = "mcpbridge.server"
	attrState  = "mcpbridge.state"
	attrKind   = "error.type"

	// What failed: an attempt to connect, or a session.
	failedConnect = "connect"
	failedSession = "session"
)

// metrics measure the pool. Their attributes name configured servers only: what
// callers bring has no name.
type metrics struct {
	pool               *Pool
	upstreams, circuit metric.Int64ObservableGauge
	connects, failures metric.Int64Counter
	registration       metric.Registration
	// sets are the attributes of each server's measurements.
	sets map[*Server]serverSets
}

type serverSets struct {
	server metric.MeasurementOption
	kinds  map[string]metric.MeasurementOption
	states [states]metric.MeasurementOption
}

func newMetrics(p *Pool) *metrics {
	m := &metrics{pool: p, sets: make(map[*Server]serverSets, len(p.servers))}
	for _, s := range p.servers {
		m.sets[s] = newServerSets(s.Name)
	}
	meter := p.opts.MeterProvider.Meter(scopeName)
	var err error
	note := func(name string) {
		if err != nil {
			p.opts.Logger.Warn("metric not available", "metric", name, "error", err)
		}
	}
	m.connects, err = meter.Int64Counter(metricConnects, metric.WithUnit("{session}"),
		metric.WithDescription("MCP sessions opened."))
	note(metricConnects)
	m.failures, err = meter.Int64Counter(metricFailures, metric.WithUnit("{failure}"),
		metric.WithDescription("Sessions that could not be opened, or were lost."))
	note(metricFailures)
	m.upstreams, err = meter.Int64ObservableGauge(metricUpstreams, metric.WithUnit("{upstream}"),
		metric.WithDescription("Upstreams by state; those that are ready count once for each session."))
	note(metricUpstreams)
	m.circuit, err = meter.Int64ObservableGauge(metricCircuit, metric.WithUnit("1"),
		metric.WithDescription("1 while a server has failed so often that nobody may connect to it, 0 otherwise."))
	note(metricCircuit)
	m.registration, err = meter.RegisterCallback(m.observe, m.upstreams, m.circuit)
	note(metricUpstreams)
	return m
}

func newServerSets(name string) serverSets {
	server := attribute.String(attrServer, name)
	with := func(kv ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(append(kv, server)...))
	}
	s := serverSets{server: with(), kinds: make(map[string]metric.MeasurementOption)}
	for _, kind := range []string{failedConnect, failedSession} {
		s.kinds[kind] = with(attribute.String(attrKind, kind))
	}
	for i := range s.states {
		s.states[i] = with(attribute.String(attrState, strings.ToLower(State(i).String())))
	}
	return s
}

// connected counts an opened session.
func (m *metrics) connected(s *Server) {
	if sets, ok := m.sets[s]; ok {
		m.connects.Add(context.Background(), 1, sets.server)
	}
}

// failed counts a failure.
func (m *metrics) failed(s *Server, kind string) {
	if sets, ok := m.sets[s]; ok {
		m.failures.Add(context.Background(), 1, sets.kinds[kind])
	}
}

// observe measures what there is.
func (m *metrics) observe(_ context.Context, o metric.Observer) error {
	p := m.pool
	counts := make(map[*Server]*[states]int64, len(m.sets))
	for s := range m.sets {
		counts[s] = new([states]int64)
	}
	p.lock()
	for u := range p.upstreams {
		if n, ok := counts[u.server]; ok {
			st := u.Status()
			n[st.State] += int64(max(st.Sessions, 1))
		}
	}
	p.unlock()
	for s, n := range counts {
		sets := m.sets[s]
		for state, count := range n {
			o.ObserveInt64(m.upstreams, count, sets.states[state])
		}
		o.ObserveInt64(m.circuit, s.circuit.observe(&p.opts), sets.server)
	}
	return nil
}

// close ends the measuring of what there is.
func (m *metrics) close() {
	if m.registration != nil {
		_ = m.registration.Unregister() // the readings of a closed pool are no loss
	}
}
