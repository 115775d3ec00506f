package mcp

import (
	"context"
	"strconv"

	"go.opentelemetry.io/otel/trace"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// The reserved keys of _meta (spec 2026-07-28, basic/index#meta).
const (
	metaVersion        = "io.modelcontextprotocol/protocolVersion"
	metaClientInfo     = "io.modelcontextprotocol/clientInfo"
	metaCapabilities   = "io.modelcontextprotocol/clientCapabilities"
	metaLogLevel       = "io.modelcontextprotocol/logLevel"
	metaSubscriptionID = "io.modelcontextprotocol/subscriptionId"
	metaServerInfo     = "io.modelcontextprotocol/serverInfo"
	metaRelatedTask    = "io.modelcontextprotocol/related-task"
	metaProgressToken  = "progressToken"

	// extensionTasks is the tasks extension (SEP-2663).
	extensionTasks = "io.modelcontextprotocol/tasks"
)

// params returns the params of c with _meta in front: what the era demands,
// the progress token, our trace context, and what the caller wants there. Nil
// means that there is nothing to send.
func (s *Session) params(ctx context.Context, c *Call, id int64) []byte {
	era := s.era()
	who := era.meta()
	if c.Capabilities != nil && era.kind() == EraModern && *c.Capabilities != s.profile.Capabilities {
		who = identify(era.version(), s.opts.ClientInfo, *c.Capabilities)
	}
	m := metaWriter{buf: make([]byte, 0, len(c.Params)+len(c.Meta)+len(who)+160)}
	m.buf = append(m.buf, `{"_meta":{`...)
	m.raw(who)
	if level := s.levelOf(c); level != "" && era.kind() == EraModern {
		m.Set(metaLogLevel, level)
	}
	if c.Notify != nil {
		m.key(metaProgressToken)
		m.buf = strconv.AppendInt(m.buf, id, 10)
	}
	if !s.opts.WithoutTraceContext && trace.SpanContextFromContext(ctx).IsValid() {
		s.opts.Propagator.Inject(ctx, &m)
	}
	m.caller(c.Meta)
	if m.members == 0 {
		return c.Params
	}
	m.buf = append(m.buf, '}')
	if rest := rawjson.Trim(c.Params); len(rest) > 2 && len(rawjson.Trim(rest[1:len(rest)-1])) > 0 {
		m.buf = append(m.buf, ',')
		return append(m.buf, rest[1:]...)
	}
	return append(m.buf, '}')
}

// A metaWriter appends the members of a _meta object. It is the carrier that a
// propagator injects into (SEP-414: traceparent, tracestate and baggage stand
// in _meta under their plain names).
type metaWriter struct {
	buf     []byte
	members int
}

func (m *metaWriter) key(k string) {
	m.comma()
	m.buf = rawjson.AppendString(m.buf, k)
	m.buf = append(m.buf, ':')
}

func (m *metaWriter) comma() {
	if m.members > 0 {
		m.buf = append(m.buf, ',')
	}
	m.members++
}

// raw appends members that are already text.
func (m *metaWriter) raw(members []byte) {
	if len(members) > 0 {
		m.comma()
		m.buf = append(m.buf, members...)
	}
}

// caller appends the caller's members, except those that only the client may
// write.
func (m *metaWriter) caller(meta []byte) {
	if len(meta) == 0 {
		return
	}
	_ = rawjson.Object(meta, func(key, v []byte) error {
		switch string(key) {
		case metaVersion, metaClientInfo, metaCapabilities, metaLogLevel, metaProgressToken, "traceparent", "tracestate", "baggage":
			return nil
		}
		m.key(string(key))
		m.buf = append(m.buf, v...)
		return nil
	})
}

// Set implements propagation.TextMapCarrier.
func (m *metaWriter) Set(key, value string) {
	m.key(key)
	m.buf = rawjson.AppendString(m.buf, value)
}

// Get implements propagation.TextMapCarrier. Nothing is read back.
func (m *metaWriter) Get(string) string { return "" }

// Keys implements propagation.TextMapCarrier. Nothing is read back.
func (m *metaWriter) Keys() []string { return nil }
