package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/hostile"
)

const (
	// shortTimeout is that of calls which are to run out of time. It leaves
	// time to reach the server.
	shortTimeout = time.Second
	// cancelBound is for a server to learn that a caller has gone; it takes
	// milliseconds on a machine with nothing else to do.
	cancelBound = 20 * time.Second
)

// A waiter is a bridge in front of a server that keeps its callers waiting.
type waiter struct {
	bridge  *bridge
	journal hostile.Journal
	web     *web
	grpc    mcpbridgev1.McpServiceClient
}

// TestCancellation lets callers give up in every way they have, and asks the
// server whether it was told.
func TestCancellation(t *testing.T) {
	t.Parallel()
	for _, era := range []hostile.Era{hostile.Legacy, hostile.Modern} {
		for _, transport := range []string{"stdio", "http"} {
			t.Run(fmt.Sprintf("%s/%s", era, transport), func(t *testing.T) {
				t.Parallel()
				options := hostile.Options{Mode: "silent-call", Era: era, Journal: hostile.NewJournal(t)}
				b := start(t, setup{servers: servers{"server": hostileEntry(t, transport, options)}, config: profiled})
				w := &waiter{bridge: b, journal: options.Journal, web: newWeb(t), grpc: b.client(t)}
				w.test(t)
			})
		}
	}
}

func (w *waiter) test(t *testing.T) {
	if _, err := w.grpc.Ping(bounded(t), &mcpbridgev1.PingRequest{Target: "servers/server"}); err != nil {
		t.Fatal(err)
	}
	w.web.do(t, http.MethodGet, w.bridge.restURL+"/v1/servers", "")
	gauge := w.bridge.gauge(t)
	before := gauge.settled(t)
	for name, giveUp := range map[string]func(t *testing.T, nonce string){
		"grpc cancels":           w.cancelByGRPC,
		"grpc stream cancels":    w.cancelStream,
		"grpc deadline":          w.deadlineByGRPC,
		"grpc timeout":           w.timeoutByGRPC,
		"rest hangs up":          w.cancelByREST,
		"rest stream hangs up":   w.cancelRESTStream,
		"rest timeout":           w.timeoutByREST,
		"rest header of timeout": w.timeoutByHeader,
	} {
		t.Run(name, func(t *testing.T) {
			giveUp(t, name)
			eventually(t, cancelBound, func() error {
				if w.journal.Count(t, hostile.Cancelled, name) == 0 {
					return errors.New("the server does not know that its caller has gone")
				}
				return nil
			})
			if n := w.journal.Count(t, hostile.Executed, name); n != 1 {
				t.Errorf("the tool ran %d times", n)
			}
		})
	}
	gauge.backAt(t, before)
}

// running returns once the tool runs for the nonce.
func (w *waiter) running(t *testing.T, nonce string) {
	t.Helper()
	eventually(t, callBound, func() error {
		if w.journal.Count(t, hostile.Executed, nonce) == 0 {
			return errors.New("the tool does not run")
		}
		return nil
	})
}

func (w *waiter) request(nonce string) *mcpbridgev1.CallToolRequest {
	argumentsJSON := fmt.Sprintf(`{"nonce":%q}`, nonce)
	return &mcpbridgev1.CallToolRequest{Target: "servers/server", Name: "run", ArgumentsJson: &argumentsJSON}
}

func (w *waiter) url(verb string) string {
	return w.bridge.restURL + "/v1/servers/server/tools/run:" + verb
}

func (w *waiter) body(nonce, more string) string {
	return fmt.Sprintf(`{"arguments":{"nonce":%q}%s}`, nonce, more)
}

func (w *waiter) cancelByGRPC(t *testing.T, nonce string) {
	ctx, cancel := context.WithCancel(bounded(t))
	ended := make(chan error, 1)
	go func() {
		_, err := w.grpc.CallTool(ctx, w.request(nonce))
		ended <- err
	}()
	w.running(t, nonce)
	cancel()
	if err := <-ended; status.Code(err) != codes.Canceled {
		t.Errorf("the call ended with %v", err)
	}
}

func (w *waiter) cancelStream(t *testing.T, nonce string) {
	ctx, cancel := context.WithCancel(bounded(t))
	defer cancel()
	argumentsJSON := fmt.Sprintf(`{"nonce":%q}`, nonce)
	stream, err := w.grpc.CallToolStream(ctx, &mcpbridgev1.CallToolStreamRequest{
		Target: "servers/server", Name: "run", ArgumentsJson: &argumentsJSON,
	})
	if err != nil {
		t.Fatal(err)
	}
	if e, err := stream.Recv(); err != nil || e.GetReady() == nil {
		t.Fatalf("the first event is %v, %v", e, err)
	}
	w.running(t, nonce)
	cancel()
	if _, err := stream.Recv(); status.Code(err) != codes.Canceled {
		t.Errorf("the stream ended with %v", err)
	}
}

func (w *waiter) deadlineByGRPC(t *testing.T, nonce string) {
	ctx, cancel := context.WithTimeout(t.Context(), shortTimeout)
	defer cancel()
	if _, err := w.grpc.CallTool(ctx, w.request(nonce)); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("the call ended with %v", err)
	}
}

// timeoutByGRPC sets no deadline, so that what it is told is the bridge's word.
func (w *waiter) timeoutByGRPC(t *testing.T, nonce string) {
	request := w.request(nonce)
	request.Timeout = durationpb.New(shortTimeout)
	var trailer metadata.MD
	_, err := w.grpc.CallTool(bounded(t), request, grpc.Trailer(&trailer))
	wantStatus(t, err, trailer, codes.DeadlineExceeded, "DEADLINE_EXCEEDED", "unknown")
}

func (w *waiter) cancelByREST(t *testing.T, nonce string) {
	ctx, cancel := context.WithCancel(bounded(t))
	ended := make(chan error, 1)
	go func() {
		_, err := w.web.send(ctx, http.MethodPost, w.url("call"), w.body(nonce, ""))
		ended <- err
	}()
	w.running(t, nonce)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the request ended with %v", err)
	}
}

func (w *waiter) cancelRESTStream(t *testing.T, nonce string) {
	ctx, cancel := context.WithCancel(bounded(t))
	defer cancel()
	response, err := w.web.open(ctx, http.MethodPost, w.url("stream"), w.body(nonce, ""), "Accept: text/event-stream")
	if err != nil {
		t.Fatal(err)
	}
	w.running(t, nonce)
	_ = response.Body.Close() // which is how a client hangs up
}

func (w *waiter) timeoutByREST(t *testing.T, nonce string) {
	r := w.web.do(t, http.MethodPost, w.url("call"), w.body(nonce, `,"timeout":"1s"`))
	r.wantFailure(t, http.StatusGatewayTimeout, codes.DeadlineExceeded, "DEADLINE_EXCEEDED", "unknown")
}

func (w *waiter) timeoutByHeader(t *testing.T, nonce string) {
	r := w.web.do(t, http.MethodPost, w.url("call"), w.body(nonce, ""), "Request-Timeout: 1")
	r.wantFailure(t, http.StatusGatewayTimeout, codes.DeadlineExceeded, "DEADLINE_EXCEEDED", "unknown")
}
