package e2e

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/hostile"
)

// TestCircuit calls a server that ends at once, until nobody may try any more.
func TestCircuit(t *testing.T) {
	t.Parallel()
	b := start(t, setup{
		servers: servers{"broken": hostileEntry(t, "stdio", hostile.Options{Mode: "exit-at-once"})},
		env: []string{
			"MCPBRIDGE_CONNECT_BACKOFF_BASE=1s", "MCPBRIDGE_CONNECT_BACKOFF_MULTIPLIER=60",
			"MCPBRIDGE_CONNECT_BREAKER_FAILURES=2",
		},
	})
	client := b.client(t)
	ping := func() (metadata.MD, error) {
		var trailer metadata.MD
		_, err := client.Ping(bounded(t), &mcpbridgev1.PingRequest{Target: "servers/broken"}, grpc.Trailer(&trailer))
		return trailer, err
	}
	var trailer metadata.MD
	var err error
	eventually(t, 20*time.Second, func() error {
		if trailer, err = ping(); first(trailer.Get("mcpbridge-reason")) != "CIRCUIT_OPEN" {
			return errors.New("no circuit is open: " + status.Convert(err).Message())
		}
		return nil
	})
	wantStatus(t, err, trailer, codes.Unavailable, "CIRCUIT_OPEN", "not_sent")
	if wait := detail[*errdetails.RetryInfo](status.Convert(err)).GetRetryDelay().AsDuration(); wait <= 0 || wait > time.Minute {
		t.Errorf("RetryInfo says %v", wait)
	}
	web := newWeb(t)
	r := web.do(t, http.MethodPost, b.restURL+"/v1/servers/broken:ping", "")
	r.wantFailure(t, http.StatusServiceUnavailable, codes.Unavailable, "CIRCUIT_OPEN", "not_sent")
	if r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	server, err := client.GetServer(bounded(t), &mcpbridgev1.GetServerRequest{Name: "servers/broken"})
	if got := server.GetServer(); err != nil || got.GetState() != mcpbridgev1.State_STATE_TRANSIENT_FAILURE || got.GetLastFailure().GetReason() == "" {
		t.Errorf("the server is shown as %v, %v", got, err)
	}
	metrics := string(web.do(t, http.MethodGet, b.adminURL+"/metrics", "").body)
	for _, want := range []string{
		`mcpbridge_pool_circuit_open`, `mcpbridge_pool_upstreams`, `mcpbridge_pool_failures`, `mcpbridge_state="transient_failure"`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("/metrics has no %s", want)
		}
	}
}
