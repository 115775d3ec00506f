package e2e

import (
	"context"
	"fmt"
	"net/http"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/hostile"
)

// TestCutOff stops bridges with calls that take longer than there is time.
func TestCutOff(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		config  string
		signals int
	}{
		"after the grace":   {config: "shutdown: {grace: 200ms}\n", signals: 1},
		"by another signal": {config: "shutdown: {grace: 10m}\n", signals: 2},
	} {
		for _, transport := range []string{"stdio", "http"} {
			for _, era := range []hostile.Era{hostile.Legacy, hostile.Modern} {
				t.Run(fmt.Sprintf("%s/%s/%s", name, transport, era), func(t *testing.T) {
					t.Parallel()
					options := hostile.Options{Mode: "silent-call", Era: era, Journal: hostile.NewJournal(t)}
					b := start(t, setup{servers: servers{"server": hostileEntry(t, transport, options)}, config: tt.config})
					w := &waiter{bridge: b, journal: options.Journal, web: newWeb(t), grpc: b.client(t)}
					w.testCutOff(t, tt.signals)
				})
			}
		}
	}
}

func (w *waiter) testCutOff(t *testing.T, signals int) {
	ctx := bounded(t)
	endings := make(chan ending, 3)
	go func() { endings <- w.endByGRPC(ctx) }()
	go func() { endings <- w.endByREST(ctx) }()
	go func() { endings <- w.endOfStream(ctx) }()
	for _, nonce := range []string{"grpc", "rest", "stream"} {
		w.running(t, nonce)
	}
	family := descendants(t, w.bridge.pid())
	w.bridge.signal(t, syscall.SIGTERM)
	w.bridge.log.wait(t, w.bridge.ended, "draining")
	for range signals - 1 {
		w.bridge.signal(t, syscall.SIGTERM)
	}
	for range 3 {
		e := <-endings
		t.Run(e.nonce, e.wantUnknown)
	}
	w.bridge.awaitEnd(t, family)
}

// An ending is what came of a call during a stop.
type ending struct {
	nonce   string
	err     error
	trailer metadata.MD // by gRPC
	reply   reply       // by REST
}

func (w *waiter) endByGRPC(ctx context.Context) ending {
	e := ending{nonce: "grpc"}
	_, e.err = w.grpc.CallTool(ctx, w.request(e.nonce), grpc.Trailer(&e.trailer))
	return e
}

func (w *waiter) endByREST(ctx context.Context) ending {
	e := ending{nonce: "rest"}
	e.reply, e.err = w.web.send(ctx, http.MethodPost, w.url("call"), w.body(e.nonce, ""))
	return e
}

func (w *waiter) endOfStream(ctx context.Context) ending {
	e := ending{nonce: "stream"}
	var stream grpc.ServerStreamingClient[event]
	stream, e.err = w.grpc.CallToolStream(ctx, &mcpbridgev1.CallToolStreamRequest{
		Target: "servers/server", Name: "run", ArgumentsJson: w.request(e.nonce).ArgumentsJson,
	})
	for e.err == nil {
		_, e.err = stream.Recv()
	}
	if stream != nil {
		e.trailer = stream.Trailer()
	}
	return e
}

// wantUnknown checks that the caller was told that the tool may have run.
func (e ending) wantUnknown(t *testing.T) {
	if e.nonce != "rest" {
		wantStatus(t, e.err, e.trailer, codes.Unknown, "OUTCOME_UNKNOWN", "unknown")
		return
	}
	if e.err != nil {
		t.Fatal(e.err)
	}
	e.reply.wantFailure(t, http.StatusInternalServerError, codes.Unknown, "OUTCOME_UNKNOWN", "unknown")
}

// TestStubbornChildren checks that nothing is left of children that do not end
// when they are told to, nor of theirs.
func TestStubbornChildren(t *testing.T) {
	t.Parallel()
	needProcesses(t)
	b := start(t, setup{servers: servers{
		"stubborn":   hostileEntry(t, "stdio", hostile.Options{Mode: "stubborn"}),
		"grandchild": hostileEntry(t, "stdio", hostile.Options{Mode: "grandchild"}),
	}})
	client := b.client(t)
	for _, server := range []string{"stubborn", "grandchild"} {
		if _, err := client.Ping(bounded(t), &mcpbridgev1.PingRequest{Target: "servers/" + server}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(descendants(t, b.pid())); n != 3 {
		t.Errorf("the bridge has %d descendants", n)
	}
	b.stop(t)
}
