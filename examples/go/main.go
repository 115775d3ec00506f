// Command go calls the bridge's demo server by gRPC: a call, one that asks
// something while it runs, and one that fails.
//
//	go run ./examples/go [address]
//
// The generated client is a package of this module:
//
//	go get github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

const demo = "servers/demo"

func main() {
	address := "127.0.0.1:9090"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	if err := run(address); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(address string) error {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	defer func() { _ = conn.Close() }()
	bridge := mcpbridgev1.NewMcpServiceClient(conn)

	// The deadline travels all the way to the tool.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := call(ctx, bridge); err != nil {
		return fmt.Errorf("call a tool: %w", err)
	}
	if err := converse(ctx, bridge); err != nil {
		return fmt.Errorf("call a tool that asks: %w", err)
	}
	explain(ctx, bridge)
	return nil
}

// call calls a tool. JSON goes as text in both directions, which is exact and
// needs no Struct.
func call(ctx context.Context, bridge mcpbridgev1.McpServiceClient) error {
	result, err := bridge.CallTool(ctx, &mcpbridgev1.CallToolRequest{
		Target:        demo,
		Name:          "calculate",
		ArgumentsJson: proto.String(`{"operation": "multiply", "a": 6, "b": 7}`),
		JsonFormat:    mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT,
	})
	if err != nil {
		return err
	}
	fmt.Println("6 * 7:", result.GetStructuredContentJson(), "failed:", result.GetIsError())
	return nil
}

// converse calls a tool and answers what it asks on the way.
func converse(ctx context.Context, bridge mcpbridgev1.McpServiceClient) error {
	stream, err := bridge.CallToolStream(ctx, &mcpbridgev1.CallToolStreamRequest{
		Target:        demo,
		Name:          "confirm",
		ArgumentsJson: proto.String(`{"question": "Shall we go on?"}`),
		JsonFormat:    mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT,
		Answers:       &mcpbridgev1.Answers{ElicitationForm: true},
	})
	if err != nil {
		return err
	}
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch event := event.GetEvent().(type) {
		case *mcpbridgev1.CallToolStreamResponse_Progress:
			fmt.Println("progress:", event.Progress.GetMessage())
		case *mcpbridgev1.CallToolStreamResponse_Request:
			if err := answer(ctx, bridge, event.Request); err != nil {
				return fmt.Errorf("answer: %w", err)
			}
		case *mcpbridgev1.CallToolStreamResponse_Result:
			fmt.Println("the tool says:", event.Result.GetStructuredContentJson())
		}
	}
}

// answer says yes, where a real program would ask a person.
func answer(ctx context.Context, bridge mcpbridgev1.McpServiceClient, asked *mcpbridgev1.ServerRequest) error {
	fmt.Println("the server asks:", asked.GetRequest().GetElicitation().GetMessage())
	_, err := bridge.Respond(ctx, &mcpbridgev1.RespondRequest{
		Target: demo,
		Id:     asked.GetId(),
		Response: &mcpbridgev1.InputResponse{Response: &mcpbridgev1.InputResponse_Elicitation{
			Elicitation: &mcpbridgev1.ElicitationResponse{
				Action:      mcpbridgev1.ElicitationAction_ELICITATION_ACTION_ACCEPT,
				ContentJson: proto.String(`{"confirmed": true}`),
			},
		}},
	})
	return err
}

// explain makes a call that fails, and shows what there is to know of an error.
// UNAVAILABLE alone means that calling again is safe.
func explain(ctx context.Context, bridge mcpbridgev1.McpServiceClient) {
	_, err := bridge.CallTool(ctx, &mcpbridgev1.CallToolRequest{Target: "servers/nobody", Name: "x"})
	failed := status.Convert(err)
	for _, detail := range failed.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			fmt.Printf("error: %v %s, %s: %s\n", failed.Code(), info.GetReason(), info.GetMetadata()["delivery"], failed.Message())
		}
	}
}
