package api_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// TestTwins checks that every field that holds free-form JSON is followed by
// its twin for the exact text, and the other way round.
func TestTwins(t *testing.T) {
	t.Parallel()

	for _, message := range messages() {
		fields := message.Fields()
		for i := range fields.Len() {
			field := fields.Get(i)
			if isJSON(field) {
				twin := fields.ByName(field.Name() + "_json")
				if twin == nil || twin.Number() != field.Number()+1 || !twin.HasOptionalKeyword() {
					t.Errorf("%s has no twin, an optional string with the next number", field.FullName())
				}
			}
			// The parts of a message of unknown shape are there as text alone.
			name, isText := strings.CutSuffix(string(field.Name()), "_json")
			if !isText || name == "unknown" || name == "params" {
				continue
			}
			if twin := fields.ByName(protoreflect.Name(name)); twin == nil || !isJSON(twin) {
				t.Errorf("%s is the twin of nothing", field.FullName())
			}
		}
	}
}

// TestJSONFormat checks that a caller can choose the form of JSON wherever a
// response has any.
func TestJSONFormat(t *testing.T) {
	t.Parallel()

	methods := mcpbridgev1.File_mcpbridge_v1_mcp_service_proto.Services().ByName("McpService").Methods()
	for i := range methods.Len() {
		method := methods.Get(i)
		want := holdsJSON(method.Output(), map[protoreflect.FullName]bool{})
		if got := method.Input().Fields().ByName("json_format") != nil; got != want {
			t.Errorf("%s: json_format in the request is %t, JSON in the response is %t", method.Name(), got, want)
		}
	}
}

// TestTargets checks that a request has either a target or a name, and has it
// first.
func TestTargets(t *testing.T) {
	t.Parallel()

	for _, message := range messages() {
		if !strings.HasSuffix(string(message.Name()), "Request") {
			continue
		}
		for _, name := range []protoreflect.Name{"target", "name"} {
			if field := message.Fields().ByName(name); field != nil {
				if field.Number() != 1 {
					t.Errorf("%s has number %d, want 1", field.FullName(), field.Number())
				}
				break
			}
		}
	}
}

// TestCallsHaveTheSameFields checks the promise that CallTool and
// CallToolStream take the same fields under the same numbers.
func TestCallsHaveTheSameFields(t *testing.T) {
	t.Parallel()

	unary := (&mcpbridgev1.CallToolRequest{}).ProtoReflect().Descriptor().Fields()
	stream := (&mcpbridgev1.CallToolStreamRequest{}).ProtoReflect().Descriptor().Fields()
	if unary.Len() != stream.Len() {
		t.Errorf("CallToolRequest has %d fields, CallToolStreamRequest %d", unary.Len(), stream.Len())
	}
	for i := range unary.Len() {
		field := unary.Get(i)
		if other := stream.ByNumber(field.Number()); other == nil || signature(field) != signature(other) {
			t.Errorf("field %d: %s in CallToolRequest, not so in CallToolStreamRequest", field.Number(), signature(field))
		}
	}
}

// signature tells apart fields that differ in more than their message.
func signature(field protoreflect.FieldDescriptor) string {
	kind := field.Kind().String()
	if message := field.Message(); message != nil && !field.IsMap() {
		kind = string(message.FullName())
	}
	return strings.Join([]string{field.Cardinality().String(), kind, string(field.Name())}, " ")
}

// messages lists the messages of the API.
func messages() []protoreflect.MessageDescriptor {
	var all []protoreflect.MessageDescriptor
	name := mcpbridgev1.File_mcpbridge_v1_mcp_service_proto.Package()
	protoregistry.GlobalFiles.RangeFilesByPackage(name, func(file protoreflect.FileDescriptor) bool {
		for i := range file.Messages().Len() {
			all = append(all, file.Messages().Get(i))
		}
		return true
	})
	return all
}

// holdsJSON tells whether a message has a field of free-form JSON, at any depth.
func holdsJSON(message protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) bool {
	if seen[message.FullName()] {
		return false
	}
	seen[message.FullName()] = true
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		if isJSON(field) || field.Message() != nil && holdsJSON(field.Message(), seen) {
			return true
		}
	}
	return false
}

// isJSON tells whether a field holds free-form JSON.
func isJSON(field protoreflect.FieldDescriptor) bool {
	message := field.Message()
	return message != nil &&
		(message.FullName() == "google.protobuf.Struct" || message.FullName() == "google.protobuf.Value")
}
