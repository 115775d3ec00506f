package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/structpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

var (
	bridgeTarget = flag.String("bridge-target", "servers/up", "bridge modes: target of the calls")
	jsonText     = flag.Bool("json-text", true, "bridge modes: arguments and results as JSON text, not Struct")
	listMethod   = flag.String("list-method", mcpbridgev1.McpService_ListTools_FullMethodName, "bridge-list: what to call")
	wantItems    = flag.Int("want-items", 0, "bridge: members that the first member of the structured result must have")
)

// connections makes the gRPC connections that workers share.
func connections(n int) (cc []*grpc.ClientConn, done func()) {
	for range n {
		c, err := grpc.NewClient("passthrough:///"+*target, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20), grpc.MaxCallSendMsgSize(64<<20)))
		if err != nil {
			log.Fatal(err)
		}
		cc = append(cc, c)
	}
	return cc, func() {
		for _, c := range cc {
			c.Close()
		}
	}
}

// dialBridge makes callers of McpService.CallTool.
func dialBridge() (func(int) (caller, error), func()) {
	cc, done := connections(*conns)
	return func(i int) (caller, error) {
		return callBridge(mcpbridgev1.NewMcpServiceClient(cc[i%len(cc)]), *bridgeTarget), nil
	}, done
}

// callBridge calls the tool of the flags on target, again and again.
func callBridge(client mcpbridgev1.McpServiceClient, target string) caller {
	req := &mcpbridgev1.CallToolRequest{Target: target, Name: *tool}
	if *jsonText {
		req.ArgumentsJson, req.JsonFormat = args, mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT
	} else {
		req.Arguments = new(structpb.Struct)
		if err := req.Arguments.UnmarshalJSON([]byte(*args)); err != nil {
			log.Fatal(err)
		}
	}
	return func(ctx context.Context) (int, error) {
		out, err := client.CallTool(ctx, req)
		if err != nil {
			return 0, err
		}
		if len(out.GetContent()) == 0 || out.GetIsError() {
			return 0, errors.New("odd answer " + out.String())
		}
		s := out.GetContent()[0].GetText().GetText()
		return len(s), errors.Join(checkText(s), checkItems(out))
	}
}

// checkItems looks at the list in a structured result. Of a text it looks only
// at the length: the generator's own parsing is not what is measured.
func checkItems(out *mcpbridgev1.CallToolResponse) error {
	if *wantItems == 0 {
		return nil
	}
	if *jsonText {
		text := out.GetStructuredContentJson()
		if len(text) < 80**wantItems || text[len(text)-3:] != "}]}" {
			return fmt.Errorf("a structured result of %d bytes", len(text))
		}
		return nil
	}
	for _, list := range out.GetStructuredContent().GetStructValue().GetFields() {
		if n := len(list.GetListValue().GetValues()); n != *wantItems {
			return fmt.Errorf("%d items", n)
		}
		return nil
	}
	return errors.New("no structured result")
}

// listBridge makes callers of McpService.ListTools, or of what answers like it.
func listBridge() (func(int) (caller, error), func()) {
	cc, done := connections(*conns)
	req := &mcpbridgev1.ListToolsRequest{Target: *bridgeTarget}
	if *jsonText {
		req.JsonFormat = mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT
	}
	return func(i int) (caller, error) {
		return func(ctx context.Context) (int, error) {
			out := new(mcpbridgev1.ListToolsResponse)
			if err := cc[i%len(cc)].Invoke(ctx, *listMethod, req, out); err != nil {
				return 0, err
			}
			tools := out.GetTools()
			if len(tools) != 100 {
				return 0, fmt.Errorf("%d tools", len(tools))
			}
			last := tools[99]
			if last.GetName() != "tool_099" || !*jsonText && len(last.GetInputSchema().GetFields()) != 3 {
				return 0, fmt.Errorf("odd tool %v", last)
			}
			return len(tools), nil
		}, nil
	}, done
}
