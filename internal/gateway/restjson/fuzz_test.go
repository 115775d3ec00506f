package restjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// types returns the message types of the API in a stable order.
func types() []protoreflect.MessageType {
	var all []protoreflect.MessageType
	messages(func(mt protoreflect.MessageType) { all = append(all, mt) })
	slices.SortFunc(all, func(a, b protoreflect.MessageType) int {
		return strings.Compare(string(a.Descriptor().FullName()), string(b.Descriptor().FullName()))
	})
	return all
}

// walk calls visit with m and every message in it. It does not descend into
// those of package google.protobuf.
func walk(m protoreflect.Message, visit func(protoreflect.Message)) {
	if specialOf(m.Descriptor()) != ordinary {
		return
	}
	visit(m)
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap() && fd.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				walk(v.Message(), visit)
				return true
			})
		case fd.IsMap() || fd.Message() == nil:
		case fd.IsList():
			for i := range v.List().Len() {
				walk(v.List().Get(i).Message(), visit)
			}
		default:
			walk(v.Message(), visit)
		}
		return true
	})
}

// plain takes from m what protojson writes otherwise or not at all.
func plain(m protoreflect.Message) {
	walk(m, func(m protoreflect.Message) {
		m.Range(func(fd protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
			if isRaw(fd) {
				m.Clear(fd)
			}
			return true
		})
	})
}

// texts replaces the free-form JSON in m by text.
func texts(m protoreflect.Message, text string) {
	walk(m, func(m protoreflect.Message) {
		m.Range(func(fd protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
			switch {
			case isRaw(fd):
				m.Set(fd, protoreflect.ValueOfString(text))
			case isFreeForm(fd):
				m.Clear(fd)
			}
			return true
		})
	})
}

// seeds are messages with a bit of everything.
func seeds(f *testing.F) {
	f.Helper()
	all := types()
	for i, mt := range all {
		m := mt.New()
		fill(m, 3)
		b, err := proto.Marshal(m.Interface())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint(i), b)
	}
}

// fill sets every field of m, to so many levels.
func fill(m protoreflect.Message, levels int) {
	if v, ok := m.Interface().(*structpb.Value); ok {
		proto.Merge(v, structpb.NewNumberValue(1e21))
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		switch {
		case fd.IsMap() || levels == 0 && fd.Message() != nil:
		case fd.IsList() && fd.Message() != nil:
			fill(m.Mutable(fd).List().AppendMutable().Message(), levels-1)
		case fd.IsList():
			m.Mutable(fd).List().Append(sample(fd))
		case fd.Message() != nil:
			fill(m.Mutable(fd).Message(), levels-1)
		default:
			m.Set(fd, sample(fd))
		}
	}
}

func sample(fd protoreflect.FieldDescriptor) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString("{\"a\": 1}\n")
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{0xff, 0})
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(1)
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(-1e-7)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(-7)
	default:
		return protoreflect.ValueOfInt64(1 << 60)
	}
}

// FuzzAppend holds Append against protojson wherever both write the same.
func FuzzAppend(f *testing.F) {
	seeds(f)
	all, codec := types(), &Codec{}
	options := protojson.MarshalOptions{EmitDefaultValues: true}
	f.Fuzz(func(t *testing.T, which uint, wire []byte) {
		m := all[which%uint(len(all))].New()
		if (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(wire, m.Interface()) != nil {
			return
		}
		plain(m)
		want, err := options.Marshal(m.Interface())
		if err != nil {
			return
		}
		got, err := codec.Append(nil, m.Interface())
		if err != nil || !json.Valid(got) || bytes.ContainsAny(got, "\r\n") {
			t.Fatalf("got %s, %v; protojson says %s", got, err, want)
		}
		if !reflect.DeepEqual(tokens(t, got), tokens(t, want)) {
			t.Fatalf("got %s\nwant %s", got, want)
		}
	})
}

// FuzzRoundTrip decodes what Append has written, free-form JSON included.
func FuzzRoundTrip(f *testing.F) {
	seeds(f)
	all, codec := types(), &Codec{}
	f.Fuzz(func(t *testing.T, which uint, wire []byte) {
		m := all[which%uint(len(all))].New()
		if (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(wire, m.Interface()) != nil {
			return
		}
		texts(m, `{"z":9007199254740993,"a":[1.0,null]}`)
		text, err := codec.Append(nil, m.Interface())
		if err != nil {
			return
		}
		back := m.New()
		if err := codec.Decode(text, back.Interface()); err != nil || !proto.Equal(back.Interface(), m.Interface()) {
			t.Fatalf("%s became %v, %v; want %v", text, back, err, m)
		}
	})
}

// FuzzDecode holds Decode against protojson: on text without free-form JSON
// they agree, and with it Decode accepts nothing that is not JSON.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"name":"a","timeout":"1.5s","inputResponses":{"a":{"error":{"code":"-1","message":"x"}},"b":{"roots":{"roots":[{"uri":"u"}]}}}}`,
		`{"arguments":{"a":9007199254740993,"b":1.0},"metaJson":"{}","logLevel":3,"answers":{"roots":true}}`,
		`{"inputResponses":{"k":{"sampling":{"content":[{"image":{"data":"_-8="}},{"unknown":{}}],"role":"ROLE_USER"}}}}`,
		`{"name":null,"inputResponses":null}`, `{"name":"a","name":"b"}`, `{"inputResponses":{"k":{"error":{"code":1e2}}}}`,
	} {
		f.Add([]byte(s))
	}
	codec := &Codec{}
	f.Fuzz(func(t *testing.T, text []byte) {
		var got, want mcpbridgev1.CallToolRequest
		err := codec.Decode(text, &got)
		if err == nil && rawjson.Check(text, defaultDepth+frameDepth) != nil {
			t.Fatalf("Decode took %q", text)
		}
		free := false
		walk(got.ProtoReflect(), func(m protoreflect.Message) {
			m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
				if isRaw(fd) {
					free = true
					if err == nil && rawjson.Check([]byte(v.String()), defaultDepth) != nil {
						t.Fatalf("%s holds %q", fd.FullName(), v)
					}
				}
				return true
			})
		})
		wantErr := protojson.Unmarshal(text, &want)
		switch {
		case free || wantErr == nil && hasFreeForm(&want):
		case errors.Is(err, rawjson.ErrDepth) || bytes.Contains(bytes.ToLower(text), []byte(`\ud`)):
			// protojson allows more levels, and no surrogates without a partner
		case err == nil && wantErr != nil:
			t.Fatalf("Decode took %q, protojson says %v", text, wantErr)
		case err != nil && wantErr == nil:
			t.Fatalf("Decode(%q): %v, protojson takes it", text, err)
		case err == nil && !proto.Equal(&got, &want):
			t.Fatalf("Decode(%q) = %v, want %v", text, &got, &want)
		}
	})
}

func hasFreeForm(m proto.Message) bool {
	found := false
	walk(m.ProtoReflect(), func(m protoreflect.Message) {
		m.Range(func(fd protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
			found = found || isFreeForm(fd) || isRaw(fd)
			return true
		})
	})
	return found
}
