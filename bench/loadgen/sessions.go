package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

var (
	admin = flag.String("admin", "http://127.0.0.1:8081", "bridge-idle: admin address, with profiles on")
	watch = flag.Bool("watch", false, "bridge-idle: watch the events of each session")
)

// perConnection is how many sessions share a gRPC connection, which may carry
// no more than 256 streams at a time.
const perConnection = 200

// open opens n sessions of the server that -bridge-target names.
func open(cc []*grpc.ClientConn, n int) (sessions []string) {
	for i := range n {
		client := mcpbridgev1.NewMcpServiceClient(cc[i%len(cc)])
		resp, err := client.Connect(context.Background(), &mcpbridgev1.ConnectRequest{
			Peer: &mcpbridgev1.ConnectRequest_Server{Server: strings.TrimPrefix(*bridgeTarget, "servers/")},
		})
		if err != nil {
			log.Fatalf("session %d: %v", i, err)
		}
		name := resp.GetSession().GetName()
		sessions = append(sessions, name)
		if *watch {
			watchEvents(client, name)
		}
	}
	return sessions
}

// watchEvents opens the event stream of a session, which stays open.
func watchEvents(client mcpbridgev1.McpServiceClient, session string) {
	stream, err := client.WatchEvents(context.Background(), &mcpbridgev1.WatchEventsRequest{Target: session})
	if err != nil {
		log.Fatal(err)
	}
	first, err := stream.Recv()
	if err != nil {
		log.Fatalf("watch %s: %v", session, err)
	}
	if first.GetReady() == nil {
		log.Fatalf("watch %s: first event %v", session, first)
	}
}

// ownedBridge opens -sessions sessions and calls on as many as there are
// workers, which are spread over all of them.
func ownedBridge() (func(int) (caller, error), func()) {
	cc, done := connections(*conns)
	sessions := open(cc, *nsess)
	return func(i int) (caller, error) {
		session := sessions[i*max(len(sessions)/100, 1)%len(sessions)]
		return callBridge(mcpbridgev1.NewMcpServiceClient(cc[i%len(cc)]), session), nil
	}, done
}

// idleBridge opens -sessions sessions and reports what the bridge (-pid,
// -admin) holds for each: resident memory, and the live heap and stacks in it.
func idleBridge() {
	cc, done := connections(*nsess/perConnection + 1)
	defer done()
	// So that one-off costs, the connections, and the garbage that any bridge at
	// work has lying around, are not counted.
	open(cc, 2*len(cc))
	workUp(cc)
	before, began := atRest(), time.Now()
	open(cc, *nsess)
	took, after, n := time.Since(began), atRest(), float64(*nsess)
	fmt.Printf(`{"label":%q,"c":0,"errors":0,"sessions":%d,"open_us_each":%.0f,"rss_kib_each":%.1f,"live_kib_each":%.1f,"goroutines_each":%.2f,"rss_kib":%d}`+"\n",
		*label, *nsess, float64(took.Microseconds())/n, float64(after.rss-before.rss)/n,
		(after.live-before.live)/1024/n, (after.goroutines-before.goroutines)/n, before.rss)
}

// workUp makes some thousand calls.
func workUp(cc []*grpc.ClientConn) {
	var wg sync.WaitGroup
	for _, c := range cc {
		call := callBridge(mcpbridgev1.NewMcpServiceClient(c), *bridgeTarget)
		wg.Go(func() {
			for range 10_000 / len(cc) {
				if _, err := call(context.Background()); err != nil {
					log.Fatal(err)
				}
			}
		})
	}
	wg.Wait()
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
