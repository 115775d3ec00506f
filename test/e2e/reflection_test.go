package e2e

import (
	"testing"

	"google.golang.org/grpc"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// A reflectedService calls a service of which only the server knows the .proto
// files, as grpcurl does.
type reflectedService struct {
	conn *grpc.ClientConn
	desc protoreflect.ServiceDescriptor
}

// reflected asks the server for the description of a service.
func reflected(t *testing.T, conn *grpc.ClientConn, service protoreflect.FullName) reflectedService {
	t.Helper()
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	request := &reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: string(service)},
	}
	if err := stream.Send(request); err != nil {
		t.Fatal(err)
	}
	response, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	set := new(descriptorpb.FileDescriptorSet)
	for _, data := range response.GetFileDescriptorResponse().GetFileDescriptorProto() {
		file := new(descriptorpb.FileDescriptorProto)
		if err := proto.Unmarshal(data, file); err != nil {
			t.Fatal(err)
		}
		set.File = append(set.File, file)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatal(err)
	}
	desc, err := files.FindDescriptorByName(service)
	if err != nil {
		t.Fatal(err)
	}
	return reflectedService{conn: conn, desc: desc.(protoreflect.ServiceDescriptor)}
}

// call makes a unary call with JSON and returns JSON without white space.
func (s reflectedService) call(t *testing.T, method protoreflect.Name, request string) (response string) {
	t.Helper()
	desc := s.desc.Methods().ByName(method)
	in, out := dynamicpb.NewMessage(desc.Input()), dynamicpb.NewMessage(desc.Output())
	if err := protojson.Unmarshal([]byte(request), in); err != nil {
		t.Fatal(err)
	}
	if err := s.conn.Invoke(bounded(t), "/"+string(s.desc.FullName())+"/"+string(method), in, out); err != nil {
		t.Fatal(err)
	}
	text, err := protojson.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return compact(t, text)
}
