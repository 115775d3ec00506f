package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	neturl "net/url"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	mgclient "github.com/mark3labs/mcp-go/client"
	mgtransport "github.com/mark3labs/mcp-go/client/transport"
	mg "github.com/mark3labs/mcp-go/mcp"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

var httpClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8192, MaxIdleConns: 8192}}

func dialer(c int) (dial func(int) (caller, error), done func()) {
	u, err := neturl.Parse(*url)
	if err != nil {
		log.Fatal(err)
	}
	done = func() {}
	switch *mode {
	case "raw-mcp-http":
		return dialRawMCP(u), done
	case "nethttp-mcp":
		return dialNetHTTP(u), done
	case "rest":
		return dialREST(u), done
	case "bridge":
		return dialBridge()
	case "bridge-list":
		return listBridge()
	case "bridge-owned":
		return ownedBridge()
	case "grpc-bytes", "grpc-struct":
		return dialGRPC()
	case "go-sdk", "mcp-go":
		n := *nsess
		if n == 0 {
			n = c
		}
		var calls []caller
		var closers []func() error
		for range n {
			var f caller
			var cl func() error
			if *mode == "go-sdk" {
				f, cl, err = goSDK()
			} else {
				f, cl, err = mcpGo()
			}
			if err != nil {
				log.Fatal(err)
			}
			calls, closers = append(calls, f), append(closers, cl)
		}
		return func(i int) (caller, error) { return calls[i%n], nil }, func() {
			for _, f := range closers {
				f()
			}
		}
	}
	log.Fatalf("no mode %q", *mode)
	return nil, nil
}

func connectSDK(ctx context.Context) (*mcp.ClientSession, error) {
	c := mcp.NewClient(&mcp.Implementation{Name: "loadgen", Version: "1"}, nil)
	var tr mcp.Transport = &mcp.StreamableClientTransport{Endpoint: *url, HTTPClient: httpClient, DisableStandaloneSSE: *noSSE}
	if *command != "" {
		tr = &mcp.CommandTransport{Command: shellCommand()}
	}
	return c.Connect(ctx, tr, nil)
}

func goSDK() (caller, func() error, error) {
	cs, err := connectSDK(context.Background())
	if err != nil {
		return nil, nil, err
	}
	arg := json.RawMessage(*args)
	return func(ctx context.Context) (int, error) {
		res, err := cs.CallTool(ctx, &mcp.CallToolParams{Name: *tool, Arguments: arg})
		if err != nil {
			return 0, err
		}
		t, ok := res.Content[0].(*mcp.TextContent)
		if !ok || res.IsError {
			return 0, fmt.Errorf("odd answer %v", res.Content)
		}
		return len(t.Text), checkText(t.Text)
	}, cs.Close, nil
}

func checkText(s string) error {
	if *want != "" && !strings.Contains(s[:min(len(s), 64<<10)], *want) {
		return fmt.Errorf("answer lacks %q: %.300s", *want, s)
	}
	return nil
}

func mcpGo() (caller, func() error, error) {
	ctx := context.Background()
	var c *mgclient.Client
	var err error
	if *command != "" {
		f := strings.Fields(*command)
		c, err = mgclient.NewStdioMCPClient(f[0], nil, f[1:]...)
	} else {
		c, err = mgclient.NewStreamableHttpClient(*url, mgtransport.WithHTTPBasicClient(httpClient))
		if err == nil {
			err = c.Start(ctx)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	var init mg.InitializeRequest
	init.Params.ProtocolVersion = mg.LATEST_PROTOCOL_VERSION
	init.Params.ClientInfo = mg.Implementation{Name: "loadgen", Version: "1"}
	if _, err = c.Initialize(ctx, init); err != nil {
		return nil, nil, err
	}
	arg := json.RawMessage(*args)
	return func(ctx context.Context) (int, error) {
		var req mg.CallToolRequest
		req.Params.Name, req.Params.Arguments = *tool, arg
		res, err := c.CallTool(ctx, req)
		if err != nil {
			return 0, err
		}
		if len(res.Content) == 0 {
			return 0, errors.New("empty answer")
		}
		t, ok := res.Content[0].(mg.TextContent)
		if !ok || res.IsError {
			return 0, fmt.Errorf("odd answer %v", res.Content)
		}
		return len(t.Text), checkText(t.Text)
	}, c.Close, nil
}

func dialGRPC() (func(int) (caller, error), func()) {
	var cc []*grpc.ClientConn
	for range *conns {
		c, err := grpc.NewClient("passthrough:///"+*target, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20), grpc.MaxCallSendMsgSize(64<<20)))
		if err != nil {
			log.Fatal(err)
		}
		cc = append(cc, c)
	}
	var arg map[string]any
	json.Unmarshal([]byte(*args), &arg)
	return func(i int) (caller, error) {
			c := cc[i%len(cc)]
			if *mode == "grpc-bytes" {
				in := wrapperspb.Bytes([]byte(*args))
				return func(ctx context.Context) (int, error) {
					out := new(wrapperspb.BytesValue)
					if err := c.Invoke(ctx, *method, in, out); err != nil {
						return 0, err
					}
					return len(out.Value), check(200, out.Value)
				}, nil
			}
			in, err := structpb.NewStruct(map[string]any{"name": *tool, "arguments": arg})
			if err != nil {
				return nil, err
			}
			return func(ctx context.Context) (int, error) {
				out := new(structpb.Struct)
				if err := c.Invoke(ctx, *method, in, out); err != nil {
					return 0, err
				}
				l := out.Fields["content"].GetListValue().GetValues()
				if len(l) == 0 {
					return 0, errors.New("empty answer")
				}
				s := l[0].GetStructValue().GetFields()["text"].GetStringValue()
				return len(s), checkText(s)
			}, nil
		}, func() {
			for _, c := range cc {
				c.Close()
			}
		}
}

// idle opens -sessions go-sdk sessions and reports what they cost at rest.
func idle() {
	ctx := context.Background()
	rest := func() (usage, int, runtime.MemStats) {
		time.Sleep(2 * time.Second)
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return measure(strconv.Itoa(os.Getpid())), runtime.NumGoroutine(), m
	}
	first, err := connectSDK(ctx) // so that one-off costs are not counted
	if err != nil {
		log.Fatal(err)
	}
	u0, g0, m0 := rest()
	t := time.Now()
	keep := []*mcp.ClientSession{first}
	for range *nsess {
		cs, err := connectSDK(ctx)
		if err != nil {
			log.Fatalf("after %d: %v", len(keep), err)
		}
		keep = append(keep, cs)
	}
	el := time.Since(t)
	u1, g1, m1 := rest()
	n := float64(*nsess)
	b, _ := json.Marshal(map[string]any{
		"label": *label, "sessions": *nsess, "open_us_each": float64(el.Microseconds()) / n,
		"rss_kib_each": float64(u1.rss-u0.rss) / n, "goroutines_each": float64(g1-g0) / n,
		"heap_kib_each": float64(m1.HeapInuse-m0.HeapInuse) / 1024 / n, "stack_kib_each": float64(m1.StackInuse-m0.StackInuse) / 1024 / n,
		"rss_mib": float64(u1.rss) / 1024, "up_rss_mib": float64(measure(*up).rss) / 1024,
	})
	fmt.Println(string(b))
	if *profile != "" {
		f, _ := os.Create(*profile + ".goroutine")
		pprof.Lookup("goroutine").WriteTo(f, 1)
		f.Close()
		f, _ = os.Create(*profile + ".heap")
		pprof.Lookup("heap").WriteTo(f, 0)
		f.Close()
	}
	os.Exit(0)
}

func startProfile() func() {
	if *profile == "" {
		return func() {}
	}
	runtime.MemProfileRate = 16 << 10
	f, err := os.Create(*profile + ".cpu")
	if err != nil {
		log.Fatal(err)
	}
	pprof.StartCPUProfile(f)
	return func() {
		pprof.StopCPUProfile()
		f.Close()
		m, _ := os.Create(*profile + ".mem")
		pprof.Lookup("allocs").WriteTo(m, 0)
		m.Close()
	}
}
