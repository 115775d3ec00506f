package gateway

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/proto"

	"github.com/mcpbridge/mcpbridge/internal/gateway/restjson"
)

const (
	typeJSON   = "application/json"
	typeLines  = "application/x-ndjson"
	typeEvents = "text/event-stream"

	// usualResponse is how much is allocated for a response to begin with.
	usualResponse = 1 << 10
)

// A marshaler is the codec as grpc-gateway uses it. It ends each message of a
// stream by itself, so that one Write is one event.
type marshaler struct {
	codec  *restjson.Codec
	events bool // streams are Server-Sent Events rather than lines of JSON
}

var (
	_ runtime.Marshaler         = (*marshaler)(nil)
	_ runtime.Delimited         = (*marshaler)(nil)
	_ runtime.StreamContentType = (*marshaler)(nil)
)

func (m *marshaler) ContentType(any) string { return typeJSON }

func (m *marshaler) StreamContentType(any) string {
	if m.events {
		return typeEvents
	}
	return typeLines
}

// Delimiter is empty, see marshaler.
func (m *marshaler) Delimiter() []byte { return nil }

// Marshal writes a message or, of a stream, what grpc-gateway wraps into a map:
// a result or an error.
func (m *marshaler) Marshal(v any) ([]byte, error) {
	switch v := v.(type) {
	case proto.Message:
		return m.codec.Append(make([]byte, 0, usualResponse), v)
	case map[string]any:
		if result, ok := v["result"].(proto.Message); ok {
			return m.event("result", result)
		}
	case map[string]proto.Message:
		if status := v["error"]; status != nil {
			return m.event("error", status)
		}
	}
	return nil, fmt.Errorf("cannot write a %T as JSON", v)
}

// event writes one message of a stream under key.
func (m *marshaler) event(key string, message proto.Message) ([]byte, error) {
	out, end := make([]byte, 0, usualResponse), "}\n"
	if m.events {
		out = append(out, "event: "+eventName(key, message)+"\ndata: "...)
		end = "}\n\n"
	}
	out = append(out, `{"`+key+`":`...)
	out, err := m.codec.Append(out, message)
	return append(out, end...), err
}

// eventName is what the message has in its oneof "event".
func eventName(key string, message proto.Message) string {
	r := message.ProtoReflect()
	if events := r.Descriptor().Oneofs().ByName("event"); events != nil {
		if set := r.WhichOneof(events); set != nil {
			return set.JSONName()
		}
	}
	return key
}

// Unmarshal reads a message.
func (m *marshaler) Unmarshal(data []byte, v any) error {
	message, err := target(v)
	if err != nil {
		return err
	}
	return m.codec.Decode(data, message)
}

// NewDecoder returns a decoder that reads one message, which is all of r. It
// returns io.EOF if there is nothing in r.
func (m *marshaler) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error {
		b, ok := r.(*body)
		if !ok {
			return fmt.Errorf("%T is not the body of a request", r)
		}
		return b.decode(m.codec, v)
	})
}

// NewEncoder returns an encoder that writes what Marshal does.
func (m *marshaler) NewEncoder(w io.Writer) runtime.Encoder {
	return runtime.EncoderFunc(func(v any) error {
		out, err := m.Marshal(v)
		if err != nil {
			return err
		}
		_, err = w.Write(out)
		return err
	})
}

// target returns the message that v points to, which is v itself or, where the
// body is one field of the request, a message that *v is made to point to.
func target(v any) (proto.Message, error) {
	if m, ok := v.(proto.Message); ok {
		return m, nil
	}
	field := reflect.ValueOf(v).Elem()
	field.Set(reflect.New(field.Type().Elem()))
	m, ok := reflect.TypeAssert[proto.Message](field)
	if !ok {
		return nil, fmt.Errorf("cannot read JSON into a %T", v)
	}
	return m, nil
}

// wantsEvents reports whether the client asks for Server-Sent Events.
func wantsEvents(h http.Header) bool {
	for _, accept := range h["Accept"] {
		if !strings.Contains(strings.ToLower(accept), typeEvents) {
			continue
		}
		for part := range strings.SplitSeq(accept, ",") {
			if t, _, err := mime.ParseMediaType(part); err == nil && t == typeEvents {
				return true
			}
		}
	}
	return false
}
