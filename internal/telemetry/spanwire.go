package telemetry

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of the fields that are written: opentelemetry/proto/trace/v1,
// common/v1 and resource/v1.
const (
	fieldResource       protowire.Number = 1
	fieldScopeSpans     protowire.Number = 2
	fieldResourceSchema protowire.Number = 3

	fieldResourceAttributes protowire.Number = 1

	fieldScope       protowire.Number = 1
	fieldSpans       protowire.Number = 2
	fieldScopeSchema protowire.Number = 3

	fieldScopeName       protowire.Number = 1
	fieldScopeVersion    protowire.Number = 2
	fieldScopeAttributes protowire.Number = 3

	fieldTraceID      protowire.Number = 1
	fieldSpanID       protowire.Number = 2
	fieldTraceState   protowire.Number = 3
	fieldParentSpanID protowire.Number = 4
	fieldName         protowire.Number = 5
	fieldKind         protowire.Number = 6
	fieldStart        protowire.Number = 7
	fieldEnd          protowire.Number = 8
	fieldAttributes   protowire.Number = 9
	fieldDropped      protowire.Number = 10
	fieldStatus       protowire.Number = 15
	fieldFlags        protowire.Number = 16

	fieldStatusMessage protowire.Number = 2
	fieldStatusCode    protowire.Number = 3

	fieldKey   protowire.Number = 1
	fieldValue protowire.Number = 2

	fieldString protowire.Number = 1
	fieldBool   protowire.Number = 2
	fieldInt    protowire.Number = 3
	fieldDouble protowire.Number = 4
)

const (
	// flagRemoteKnown and flagRemote are SpanFlags beside those of W3C.
	flagRemoteKnown, flagRemote = 0x100, 0x200
	// wireOK and wireError are the codes of a Status.
	wireOK, wireError = 1, 2
)

// A spanWire writes spans as OTLP has them on the wire. It is kept for its
// room, and is not to be shared.
type spanWire struct{ b []byte }

// resourceSpans writes a ResourceSpans without its tag. The spans, which must
// be plain and of one resource, are put together by their scopes, in place.
func (w *spanWire) resourceSpans(spans []sdktrace.ReadOnlySpan) []byte {
	w.b = w.b[:0]
	res := spans[0].Resource()
	at := w.open(fieldResource)
	w.attributes(fieldResourceAttributes, res.Attributes())
	w.close(at)
	for len(spans) > 0 {
		n := together(spans)
		w.scopeSpans(spans[:n])
		spans = spans[n:]
	}
	w.text(fieldResourceSchema, res.SchemaURL())
	return w.b
}

// together moves the spans of the first one's scope to the front, and counts
// them.
func together(spans []sdktrace.ReadOnlySpan) int {
	scope, n := spans[0].InstrumentationScope(), 0
	for i, span := range spans {
		if span.InstrumentationScope() == scope {
			spans[n], spans[i] = spans[i], spans[n]
			n++
		}
	}
	return n
}

func (w *spanWire) scopeSpans(spans []sdktrace.ReadOnlySpan) {
	scope := spans[0].InstrumentationScope()
	at := w.open(fieldScopeSpans)
	w.scope(scope)
	for _, span := range spans {
		w.span(span)
	}
	w.text(fieldScopeSchema, scope.SchemaURL)
	w.close(at)
}

func (w *spanWire) scope(scope instrumentation.Scope) {
	if scope == (instrumentation.Scope{}) {
		return
	}
	at := w.open(fieldScope)
	w.text(fieldScopeName, scope.Name)
	w.text(fieldScopeVersion, scope.Version)
	w.attributes(fieldScopeAttributes, scope.Attributes.ToSlice())
	w.close(at)
}

func (w *spanWire) span(span sdktrace.ReadOnlySpan) {
	at := w.open(fieldSpans)
	sc, parent := span.SpanContext(), span.Parent()
	traceID, spanID, parentID := sc.TraceID(), sc.SpanID(), parent.SpanID()
	w.bytes(fieldTraceID, traceID[:])
	w.bytes(fieldSpanID, spanID[:])
	w.text(fieldTraceState, sc.TraceState().String())
	if parentID.IsValid() {
		w.bytes(fieldParentSpanID, parentID[:])
	}
	w.text(fieldName, span.Name())
	// The kinds of the SDK are numbered as those of OTLP.
	w.number(fieldKind, uint64(span.SpanKind())) //nolint:gosec // never negative
	w.fixed64(fieldStart, uint64(max(0, span.StartTime().UnixNano())))
	w.fixed64(fieldEnd, uint64(max(0, span.EndTime().UnixNano())))
	w.attributes(fieldAttributes, span.Attributes())
	w.number(fieldDropped, uint64(max(0, span.DroppedAttributes())))
	w.status(span.Status())
	flags := uint32(sc.TraceFlags()) | flagRemoteKnown
	if parent.IsRemote() {
		flags |= flagRemote
	}
	w.b = binary.LittleEndian.AppendUint32(protowire.AppendTag(w.b, fieldFlags, protowire.Fixed32Type), flags)
	w.close(at)
}

func (w *spanWire) status(status sdktrace.Status) {
	at := w.open(fieldStatus)
	w.text(fieldStatusMessage, status.Description)
	switch status.Code {
	case codes.Ok:
		w.number(fieldStatusCode, wireOK)
	case codes.Error:
		w.number(fieldStatusCode, wireError)
	case codes.Unset:
	}
	w.close(at)
}

// attributes writes those of simple types. See [simple].
func (w *spanWire) attributes(field protowire.Number, list []attribute.KeyValue) {
	for i := range list {
		at := w.open(field)
		w.string(fieldKey, string(list[i].Key))
		value := w.open(fieldValue)
		w.value(&list[i].Value)
		w.close(value)
		w.close(at)
	}
}

func (w *spanWire) value(v *attribute.Value) {
	switch v.Type() { //nolint:exhaustive // attributes are of simple types
	case attribute.STRING:
		w.string(fieldString, v.AsString())
	case attribute.BOOL:
		w.tag(fieldBool, protowire.VarintType)
		w.varint(protowire.EncodeBool(v.AsBool()))
	case attribute.INT64:
		w.tag(fieldInt, protowire.VarintType)
		w.varint(uint64(v.AsInt64())) //nolint:gosec // as protobuf has it
	case attribute.FLOAT64:
		w.fixed64(fieldDouble, math.Float64bits(v.AsFloat64()))
	}
}

// simple reports whether [spanWire.value] writes all these values.
func simple(list []attribute.KeyValue) bool {
	for i := range list {
		switch list[i].Value.Type() {
		case attribute.STRING, attribute.BOOL, attribute.INT64, attribute.FLOAT64:
		default:
			return false
		}
	}
	return true
}

func (w *spanWire) text(field protowire.Number, s string) {
	if s != "" {
		w.string(field, s)
	}
}

func (w *spanWire) string(field protowire.Number, s string) {
	s = utf8Of(s)
	w.tag(field, protowire.BytesType)
	w.varint(uint64(len(s)))
	w.b = append(w.b, s...)
}

// utf8Of mends a text that is not UTF-8, such as the path of a request may be:
// a collector may refuse all spans that come with it.
func utf8Of(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func (w *spanWire) bytes(field protowire.Number, b []byte) {
	w.tag(field, protowire.BytesType)
	w.varint(uint64(len(b)))
	w.b = append(w.b, b...)
}

func (w *spanWire) number(field protowire.Number, n uint64) {
	if n != 0 {
		w.tag(field, protowire.VarintType)
		w.varint(n)
	}
}

func (w *spanWire) fixed64(field protowire.Number, n uint64) {
	w.tag(field, protowire.Fixed64Type)
	w.b = protowire.AppendFixed64(w.b, n)
}

// tag begins a field whose number is below 16.
func (w *spanWire) tag(field protowire.Number, kind protowire.Type) {
	w.b = append(w.b, byte(field)<<3|byte(kind)) //nolint:gosec // it fits
}

func (w *spanWire) varint(n uint64) {
	if n < 1<<7 {
		w.b = append(w.b, byte(n))
		return
	}
	w.b = protowire.AppendVarint(w.b, n)
}

// open begins a message. It returns where, for close.
func (w *spanWire) open(field protowire.Number) int {
	// Most are shorter than 128 bytes: their length takes the one that is left.
	w.tag(field, protowire.BytesType)
	w.b = append(w.b, 0)
	return len(w.b)
}

// close ends the message that began there, by putting its length before it.
func (w *spanWire) close(at int) {
	n := len(w.b) - at
	if n < 1<<7 {
		w.b[at-1] = byte(n) //nolint:gosec // it is below 128
		return
	}
	var length [binary.MaxVarintLen64]byte
	w.b = slices.Replace(w.b, at-1, at, length[:binary.PutUvarint(length[:], uint64(n))]...)
}
