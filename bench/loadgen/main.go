// Command loadgen drives closed-loop load against an MCP server, a proxy in
// front of one, a gRPC bridge or a REST door, and prints one JSON line for each
// concurrency level: rate, latency quantiles, and CPU and RSS of the processes
// named by -pid and -up.
//
// Modes:
//
//	raw-mcp-http  hand-written HTTP/1.1 client, JSON-RPC tools/call
//	nethttp-mcp   net/http client, JSON-RPC tools/call
//	go-sdk        github.com/modelcontextprotocol/go-sdk (-url, or -cmd for stdio)
//	mcp-go        github.com/mark3labs/mcp-go            (-url, or -cmd for stdio)
//	grpc-bytes    unary -method with wrapperspb.BytesValue in and out
//	grpc-struct   unary -method with structpb.Struct in and out
//	rest          POST -url with -body by the hand-written client
//	bridge        CallTool of the bridge (-target, -bridge-target)
//	bridge-list   ListTools of the bridge, or -list-method
//	bridge-owned  open -sessions sessions at the bridge, then CallTool on -c of them
//	bridge-idle   open -sessions sessions at the bridge, report its memory, and leave
//	bridge-cold   start -cmd -starts times, and report the time to the first answer
//	idle          open -sessions go-sdk sessions, report memory, and leave
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/bits"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	mode     = flag.String("mode", "raw-mcp-http", "see the package comment")
	url      = flag.String("url", "http://127.0.0.1:7001/mcp", "MCP or REST address")
	target   = flag.String("target", "127.0.0.1:7100", "gRPC address")
	method   = flag.String("method", "/perf.Bridge/Call", "gRPC method")
	command  = flag.String("cmd", "", "stdio server command (go-sdk and mcp-go modes)")
	tool     = flag.String("tool", "echo", "tool name")
	args     = flag.String("args", `{"m":"hello world"}`, "tool arguments")
	body     = flag.String("body", "", "REST body (default: -args)")
	want     = flag.String("want", "", "bytes each answer must hold (default: hello world for echo)")
	conc     = flag.String("c", "1,16,64,256", "concurrency levels")
	dur      = flag.Duration("d", 10*time.Second, "measured time per level")
	warm     = flag.Duration("warm", time.Second, "warm-up per level")
	nsess    = flag.Int("sessions", 1, "MCP sessions shared by the workers (0: one per worker)")
	conns    = flag.Int("conns", 1, "gRPC connections shared by the workers")
	pids     = flag.String("pid", "", "comma-separated pids of the middle process(es)")
	up       = flag.String("up", "", "comma-separated pids of the upstream")
	ours     = flag.String("ours", "", "comma-separated ids of process sessions (setsid) that count as ours, not as other load")
	label    = flag.String("label", "", "label copied into the output")
	protocol = flag.String("protocol", "2025-06-18", "protocol version of the raw handshake")
	noSSE    = flag.Bool("no-sse", false, "go-sdk: disable the standalone event stream")
	bearer   = flag.String("bearer", "", "Authorization bearer of the raw clients")
	header   = flag.String("header", "", "one extra 'Name: value' for the raw clients")
	profile  = flag.String("profile", "", "write heap-allocs and CPU profiles of this client to PREFIX.{cpu,mem}")
	gomax    = flag.Int("procs", 0, "GOMAXPROCS of the generator")
)

// caller is one worker's way to make a call; it returns the answer's size.
type caller func(context.Context) (int, error)

// hist counts nanoseconds in log buckets of 1/64 relative width.
type hist [64 * 64]uint32

func (h *hist) add(d time.Duration) {
	v := uint64(d)
	if v < 64 {
		h[v]++
		return
	}
	e := bits.Len64(v) - 7
	h[(e+1)*64+int(v>>e)-64]++
}

func (h *hist) quantile(q float64, n uint64) time.Duration {
	at, seen := uint64(q*float64(n)), uint64(0)
	for i, c := range h {
		if seen += uint64(c); seen > at {
			if i < 64 {
				return time.Duration(i)
			}
			e := i/64 - 1
			return time.Duration(uint64(i%64+64) << e)
		}
	}
	return 0
}

type report struct {
	Label   string  `json:"label,omitempty"`
	Mode    string  `json:"mode"`
	C       int     `json:"c"`
	Calls   uint64  `json:"calls"`
	Errors  uint64  `json:"errors"`
	Rate    float64 `json:"rate"`
	MBs     float64 `json:"mb_s"`
	P50     float64 `json:"p50_us"`
	P90     float64 `json:"p90_us"`
	P99     float64 `json:"p99_us"`
	P999    float64 `json:"p999_us"`
	MidCPU  float64 `json:"mid_cpu_s_per_1k"`
	MidRSS  float64 `json:"mid_rss_mib"`
	MidHWM  float64 `json:"mid_hwm_mib"`
	UpCPU   float64 `json:"up_cpu_s_per_1k"`
	GenCPU  float64 `json:"gen_cpu_s_per_1k"`
	GenRSS  float64 `json:"gen_rss_mib"`
	GenHWM  float64 `json:"gen_hwm_mib"`
	AllocKB float64 `json:"gen_alloc_kb_per_call"`
	Mallocs float64 `json:"gen_mallocs_per_call"`
	Other   float64 `json:"other_cores"` // cores kept busy by anything else on the machine
	FirstEr string  `json:"first_error,omitempty"`
}

func level(c int, dial func(int) (caller, error)) report {
	r := report{Label: *label, Mode: *mode, C: c}
	calls := make([]caller, c)
	for i := range calls {
		f, err := dial(i)
		if err != nil {
			log.Fatalf("worker %d: %v", i, err)
		}
		calls[i] = f
	}
	var (
		phase  atomic.Int32 // 0 warm-up, 1 measured, 2 over
		wg     sync.WaitGroup
		mu     sync.Mutex
		total  hist
		nbytes uint64
	)
	for i := range calls {
		wg.Go(func() {
			var h hist
			var n, bad, size uint64
			var first error
			for {
				p := phase.Load()
				if p == 2 {
					break
				}
				t := time.Now()
				k, err := calls[i](context.Background())
				d := time.Since(t)
				if err != nil {
					if first == nil {
						first = err
					}
					if bad++; bad > 20 && n == 0 {
						break
					}
					continue
				}
				if p == 1 {
					n++
					size += uint64(k)
					h.add(d)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for i, c := range h {
				total[i] += c
			}
			r.Calls += n
			r.Errors += bad
			nbytes += size
			if first != nil && r.FirstEr == "" {
				r.FirstEr = first.Error()
			}
		})
	}
	self := strconv.Itoa(os.Getpid())
	time.Sleep(*warm)
	var m0, m1 runtime.MemStats
	runtime.ReadMemStats(&m0)
	b0, o0, u0, p0, g0, t0 := busy(), mine(), measure(*pids), measure(*up), measure(self), time.Now()
	phase.Store(1)
	time.Sleep(*dur)
	phase.Store(2)
	el := time.Since(t0).Seconds()
	b1, o1, u1, p1, g1 := busy(), mine(), measure(*pids), measure(*up), measure(self)
	runtime.ReadMemStats(&m1)
	r.Other = (b1 - b0 - (o1 - o0)) / el
	wg.Wait()
	k := float64(max(r.Calls, 1)) / 1000
	r.Rate = float64(r.Calls) / el
	r.MBs = float64(nbytes) / el / 1e6
	us := func(q float64) float64 { return float64(total.quantile(q, r.Calls)) / 1e3 }
	r.P50, r.P90, r.P99, r.P999 = us(.5), us(.9), us(.99), us(.999)
	r.MidCPU, r.UpCPU, r.GenCPU = (u1.cpu-u0.cpu)/k, (p1.cpu-p0.cpu)/k, (g1.cpu-g0.cpu)/k
	r.MidRSS, r.MidHWM = float64(u1.rss)/1024, float64(u1.hwm)/1024
	r.GenRSS, r.GenHWM = float64(g1.rss)/1024, float64(g1.hwm)/1024
	r.AllocKB = float64(m1.TotalAlloc-m0.TotalAlloc) / 1024 / (k * 1000)
	r.Mallocs = float64(m1.Mallocs-m0.Mallocs) / (k * 1000)
	return r
}

func main() {
	flag.Parse()
	log.SetFlags(0)
	if *gomax > 0 {
		runtime.GOMAXPROCS(*gomax)
	}
	if *body == "" {
		*body = *args
	}
	if *want == "" && *tool == "echo" {
		*want = "hello world"
	}
	switch *mode {
	case "idle":
		idle()
		return
	case "bridge-idle":
		idleBridge()
		return
	case "bridge-cold":
		coldBridge()
		return
	}
	stop := startProfile()
	for s := range strings.SplitSeq(*conc, ",") {
		c, err := strconv.Atoi(s)
		if err != nil {
			log.Fatal(err)
		}
		dial, done := dialer(c)
		b, _ := json.Marshal(level(c, dial))
		fmt.Println(string(b))
		done()
	}
	stop()
}

func shellCommand() *exec.Cmd {
	f := strings.Fields(*command)
	return exec.Command(f[0], f[1:]...)
}
