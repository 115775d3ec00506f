package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/structpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

var (
	bridgeTarget = flag.String("bridge-target", "servers/up", "bridge modes: target of the calls")
	jsonText     = flag.Bool("json-text", true, "bridge modes: arguments and results as JSON text, not Struct")
)

// dialBridge makes callers of McpService.CallTool.
func dialBridge() (func(int) (caller, error), func()) {
	var cc []*grpc.ClientConn
	for range *conns {
		c, err := grpc.NewClient("passthrough:///"+*target, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20), grpc.MaxCallSendMsgSize(64<<20)))
		if err != nil {
			log.Fatal(err)
		}
		cc = append(cc, c)
	}
	req := &mcpbridgev1.CallToolRequest{Target: *bridgeTarget, Name: *tool}
	if *jsonText {
		req.ArgumentsJson, req.JsonFormat = args, mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT
	} else {
		req.Arguments = new(structpb.Struct)
		if err := req.Arguments.UnmarshalJSON([]byte(*args)); err != nil {
			log.Fatal(err)
		}
	}
	return func(i int) (caller, error) {
			client := mcpbridgev1.NewMcpServiceClient(cc[i%len(cc)])
			return func(ctx context.Context) (int, error) {
				out, err := client.CallTool(ctx, req)
				if err != nil {
					return 0, err
				}
				if len(out.GetContent()) == 0 || out.GetIsError() {
					return 0, errors.New("odd answer " + out.String())
				}
				s := out.GetContent()[0].GetText().GetText()
				return len(s), checkText(s)
			}, nil
		}, func() {
			for _, c := range cc {
				c.Close()
			}
		}
}

// listBridge makes callers of McpService.ListTools.
func listBridge() (func(int) (caller, error), func()) {
	_, done := dialBridge()
	c, err := grpc.NewClient("passthrough:///"+*target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	req := &mcpbridgev1.ListToolsRequest{Target: *bridgeTarget}
	if *jsonText {
		req.JsonFormat = mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT
	}
	return func(int) (caller, error) {
		client := mcpbridgev1.NewMcpServiceClient(c)
		return func(ctx context.Context) (int, error) {
			out, err := client.ListTools(ctx, req)
			if err != nil {
				return 0, err
			}
			if len(out.GetTools()) != 100 {
				return 0, fmt.Errorf("%d tools", len(out.GetTools()))
			}
			return len(out.GetTools()), nil
		}, nil
	}, func() { done(); c.Close() }
}

// idleBridge opens -sessions sessions by Connect and keeps them until told to
// end, reporting what the bridge (-pid) takes for each.
func idleBridge() {
	c, err := grpc.NewClient("passthrough:///"+*target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	client := mcpbridgev1.NewMcpServiceClient(c)
	connect := func() {
		if _, err := client.Connect(context.Background(), &mcpbridgev1.ConnectRequest{
			Peer: &mcpbridgev1.ConnectRequest_Server{Server: strings.TrimPrefix(*bridgeTarget, "servers/")},
		}); err != nil {
			log.Fatal(err)
		}
	}
	connect() // so that one-off costs are not counted
	time.Sleep(2 * time.Second)
	before, began := measure(*pids), time.Now()
	for range *nsess {
		connect()
	}
	took := time.Since(began)
	time.Sleep(3 * time.Second)
	after := measure(*pids)
	fmt.Printf(`{"sessions":%d,"open_us_each":%.0f,"rss_kib_before":%d,"rss_kib_each":%.1f}`+"\n",
		*nsess, float64(took.Microseconds())/float64(*nsess), before.rss, float64(after.rss-before.rss)/float64(*nsess))
}
