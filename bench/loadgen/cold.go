package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

var starts = flag.Int("starts", 10, "bridge-cold: how often to start")

// coldBridge starts the bridge of -cmd, which must listen on -target, calls a
// tool at once, stops it, and reports the median time to the first answer.
func coldBridge() {
	var took []time.Duration
	var rss int64
	for range *starts {
		began := time.Now()
		cmd := shellCommand()
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			log.Fatal(err)
		}
		awaitListener(began)
		firstCall()
		took = append(took, time.Since(began))
		rss = measure(strconv.Itoa(cmd.Process.Pid)).rss
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			log.Fatal(err)
		}
		_ = cmd.Wait() // how it ends is not what is measured
	}
	slices.Sort(took)
	fmt.Printf(`{"label":%q,"c":0,"errors":0,"cold_ms":%.1f,"cold_max_ms":%.1f,"rss_kib":%d}`+"\n", *label,
		float64(took[len(took)/2].Microseconds())/1000, float64(took[len(took)-1].Microseconds())/1000, rss)
}

// awaitListener waits until something listens on -target. gRPC's own wait would
// add its backoff to what is measured.
func awaitListener(began time.Time) {
	for {
		c, err := net.Dial("tcp", *target)
		if err == nil {
			c.Close()
			return
		}
		if time.Since(began) > 20*time.Second {
			log.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

func firstCall() {
	cc, done := connections(1)
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if _, err := callBridge(mcpbridgev1.NewMcpServiceClient(cc[0]), *bridgeTarget)(ctx); err != nil {
		log.Fatal(err)
	}
}
