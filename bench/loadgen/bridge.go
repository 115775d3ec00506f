package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/structpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

var (
	bridgeTarget = flag.String("bridge-target", "servers/up", "bridge modes: target of the calls")
	admin        = flag.String("admin", "http://127.0.0.1:8081", "bridge-idle: admin address, with profiles on")
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

// idleBridge opens -sessions sessions by Connect and reports what the bridge
// (-pid, -admin) holds for each: live heap and stacks after a collection, which
// is what a session costs, and resident memory, which garbage comes and goes in.
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
	before, began := atRest(), time.Now()
	for range *nsess {
		connect()
	}
	took, after, n := time.Since(began), atRest(), float64(*nsess)
	fmt.Printf(`{"sessions":%d,"open_us_each":%.0f,"live_kib_each":%.1f,"goroutines_each":%.1f,"rss_kib":%d}`+"\n",
		*nsess, float64(took.Microseconds())/n, (after.live-before.live)/1024/n, (after.goroutines-before.goroutines)/n, before.rss)
}

// rest is what a bridge without calls holds.
type rest struct {
	live, goroutines float64
	rss              int64 // KiB
}

// atRest has the bridge collect its garbage and reads what is left.
func atRest() rest {
	for range 3 {
		get("/debug/pprof/heap?gc=1")
		time.Sleep(time.Second)
	}
	values := make(map[string]float64)
	for line := range strings.SplitSeq(get("/metrics"), "\n") {
		if name, value, ok := strings.Cut(line, " "); ok {
			values[name], _ = strconv.ParseFloat(value, 64)
		}
	}
	return rest{
		live:       values["go_memstats_heap_alloc_bytes"] + values["go_memstats_stack_inuse_bytes"],
		goroutines: values["go_goroutines"],
		rss:        measure(*pids).rss,
	}
}

func get(path string) string {
	resp, err := http.Get(*admin + path)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		log.Fatalf("%s: HTTP %d, %v", path, resp.StatusCode, err)
	}
	return string(b)
}
