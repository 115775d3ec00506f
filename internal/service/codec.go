package service

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	protobuf "google.golang.org/protobuf/proto"
)

// Codec returns the codec to serve with: the standard one, but for sealed
// messages, which hold their wire bytes already. These are sent as they are, and
// not copied, which matters to results of megabytes.
func Codec() encoding.CodecV2 { return codec{encoding.GetCodecV2(proto.Name)} }

type codec struct{ encoding.CodecV2 }

// Marshal implements [encoding.CodecV2].
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if m, ok := v.(protobuf.Message); ok {
		wire := m.ProtoReflect().GetUnknown()
		if len(wire) > 0 && len(wire) == protobuf.Size(m) {
			return mem.BufferSlice{mem.SliceBuffer(wire)}, nil
		}
	}
	return c.CodecV2.Marshal(v) //nolint:wrapcheck // gRPC wraps it
}
