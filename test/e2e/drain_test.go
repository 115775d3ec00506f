package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// TestDrain stops a bridge with calls in flight, which end as they should while
// new ones are turned away.
func TestDrain(t *testing.T) {
	t.Parallel()
	const inFlight = 6
	proxy, calls := counted(t, peers.GoSDK(t, peers.GoSDKOptions{}), "tools/call")
	b := start(t, setup{servers: servers{
		"http": overHTTP(proxy), "stdio": stdio(peers.GoSDKCommand(t, peers.GoSDKOptions{})),
	}})
	client, web := b.client(t), newWeb(t)
	if _, err := client.Ping(bounded(t), &mcpbridgev1.PingRequest{Target: "servers/http"}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, inFlight)
	for range inFlight / 2 {
		go func() { ended <- sleepByGRPC(bounded(t), client) }()
		go func() { ended <- sleepByREST(bounded(t), web, b) }()
	}
	stream := followed(t, client)
	eventually(t, callBound, func() error {
		if n := calls.Load(); n != inFlight {
			return fmt.Errorf("%d calls have reached the server", n)
		}
		return nil
	})

	family := descendants(t, b.pid())
	b.signal(t, syscall.SIGTERM)
	newcomers(t, b)
	for range inFlight {
		if err := <-ended; err != nil {
			t.Errorf("a call in flight: %v", err)
		}
	}
	if last := receiveAll(t, stream.Recv); textOf(last[len(last)-1].GetResult()) != "did 30 steps" {
		t.Errorf("the stream in flight ended with %v", last[len(last)-1])
	}
	b.awaitEnd(t, family)
}

// counted puts a proxy in front of a modern server, which counts the requests of
// a method that have reached it.
func counted(t *testing.T, server, method string) (proxy string, calls *atomic.Int64) {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	calls = new(atomic.Int64)
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = u.Scheme, u.Host
		if r.In.Header.Get("Mcp-Method") == method {
			calls.Add(1)
		}
	}}
	listener := httptest.NewServer(forward)
	t.Cleanup(listener.Close)
	return listener.URL + u.Path, calls
}

// sleepTime is how long the calls in flight take: time to see that others are
// turned away.
const sleepTime = 3 * time.Second

func sleepArgs() string { return fmt.Sprintf(`{"ms":%d}`, sleepTime.Milliseconds()) }

func sleepByGRPC(ctx context.Context, client mcpbridgev1.McpServiceClient) error {
	argumentsJSON := sleepArgs()
	result, err := client.CallTool(ctx, &mcpbridgev1.CallToolRequest{Target: "servers/http", Name: "sleep", ArgumentsJson: &argumentsJSON})
	if err == nil && textOf(result) != "slept 3000 ms" {
		err = fmt.Errorf("the result is %v", result)
	}
	return err
}

func sleepByREST(ctx context.Context, web *web, b *bridge) error {
	r, err := web.send(ctx, http.MethodPost, b.restURL+"/v1/servers/http/tools/sleep:call", `{"arguments":`+sleepArgs()+`}`)
	if err == nil && r.status != http.StatusOK {
		err = fmt.Errorf("HTTP status %d: %s", r.status, r.body)
	}
	return err
}

// followed calls a tool of a child, and returns once it makes progress.
func followed(t *testing.T, client mcpbridgev1.McpServiceClient) grpc.ServerStreamingClient[event] {
	t.Helper()
	stream, err := client.CallToolStream(bounded(t), &mcpbridgev1.CallToolStreamRequest{
		Target: "servers/stdio", Name: "slow", Arguments: arguments(t, `{"steps":30,"interval_ms":100}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // ready, and the first step
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	return stream
}

// newcomers waits until a stopping bridge is no longer ready and turns calls
// away.
func newcomers(t *testing.T, b *bridge) {
	t.Helper()
	web, client := newWeb(t), b.client(t)
	eventually(t, callBound, func() error {
		r, err := web.send(bounded(t), http.MethodGet, b.adminURL+"/readyz", "")
		if err == nil && r.status != http.StatusServiceUnavailable {
			err = fmt.Errorf("readiness is %d", r.status)
		}
		return err
	})
	eventually(t, callBound, func() error {
		_, err := client.ListServers(bounded(t), &mcpbridgev1.ListServersRequest{})
		if code := status.Code(err); code != codes.Unavailable {
			return fmt.Errorf("a new call by gRPC: %v", code)
		}
		return nil
	})
	eventually(t, callBound, func() error {
		r, err := web.send(bounded(t), http.MethodGet, b.restURL+"/v1/servers", "")
		if err == nil && r.status != http.StatusServiceUnavailable {
			return fmt.Errorf("a new call by REST: %d", r.status)
		}
		return nil
	})
}

// TestDrainAnswers stops a bridge while calls wait for answers, which are let in.
func TestDrainAnswers(t *testing.T) {
	t.Parallel()
	a := askers()["go-sdk/http-stateful"]
	b := start(t, setup{servers: servers{"real": a.entry(t)}})
	client, web := b.client(t), newWeb(t)
	ctx := bounded(t)
	ask := func() (grpc.ServerStreamingClient[event], *mcpbridgev1.ServerRequest) {
		stream, err := client.CallToolStream(ctx, &mcpbridgev1.CallToolStreamRequest{
			Target: target, Name: a.tool, Answers: &mcpbridgev1.Answers{ElicitationForm: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		for {
			if e, err := stream.Recv(); err != nil {
				t.Fatal(err)
			} else if e.GetRequest() != nil {
				return stream, e.GetRequest()
			}
		}
	}
	one, first := ask()
	two, second := ask()

	family := descendants(t, b.pid())
	b.signal(t, syscall.SIGTERM)
	newcomers(t, b)
	if _, err := client.Respond(ctx, &mcpbridgev1.RespondRequest{Target: target, Id: first.GetId(), Response: adaResponse(t)}); err != nil {
		t.Errorf("an answer by gRPC: %v", err)
	}
	body := `{"response":{"elicitation":{"action":"ELICITATION_ACTION_ACCEPT","content":` + adaForm + `}}}`
	r := web.do(t, http.MethodPost, b.restURL+"/v1/"+target+"/requests/"+second.GetId()+":respond", body)
	if r.status != http.StatusOK {
		t.Errorf("an answer by REST: %d %s", r.status, r.body)
	}
	for _, stream := range []grpc.ServerStreamingClient[event]{one, two} {
		events := receiveAll(t, stream.Recv)
		a.want(t, events[len(events)-1].GetResult())
	}
	b.awaitEnd(t, family)
}

// TestPreStop checks that a bridge serves on for a while after it has said that
// it is about to stop, so that a load balancer can notice.
func TestPreStop(t *testing.T) {
	t.Parallel()
	b := start(t, setup{config: "shutdown: {pre_stop: 3s}\n"})
	client, health := b.client(t), healthv1.NewHealthClient(b.dial(t))
	if _, err := client.Ping(bounded(t), &mcpbridgev1.PingRequest{Target: "servers/demo"}); err != nil {
		t.Fatal(err)
	}
	b.signal(t, syscall.SIGTERM)
	eventually(t, callBound, func() error {
		state, err := health.Check(bounded(t), &healthv1.HealthCheckRequest{})
		if err == nil && state.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
			err = fmt.Errorf("the health is %v", state)
		}
		return err
	})
	if _, err := client.Ping(bounded(t), &mcpbridgev1.PingRequest{Target: "servers/demo"}); err != nil {
		t.Errorf("a call before the stop: %v", err)
	}
}
