package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	grpchealth "google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/config"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// healthState says how the bridge and its servers are: by grpc.health.v1 under
// "" and the service's name for the bridge, and under "servers/{server}" for
// each server; and by /readyz.
type healthState struct {
	server *grpchealth.Server
	up     atomic.Bool
}

func newHealthState(servers []*pool.Server) *healthState {
	h := &healthState{server: grpchealth.NewServer()}
	h.bridge(healthv1.HealthCheckResponse_NOT_SERVING)
	for _, s := range servers {
		h.server.SetServingStatus("servers/"+s.Name, healthv1.HealthCheckResponse_SERVING)
	}
	return h
}

func (h *healthState) bridge(s healthv1.HealthCheckResponse_ServingStatus) {
	h.server.SetServingStatus("", s)
	h.server.SetServingStatus(mcpbridgev1.McpService_ServiceDesc.ServiceName, s)
}

// ready says that the bridge serves.
func (h *healthState) ready() {
	h.up.Store(true)
	h.bridge(healthv1.HealthCheckResponse_SERVING)
}

// drain says that the bridge is about to stop, for good.
func (h *healthState) drain() {
	h.up.Store(false)
	h.server.Shutdown()
}

// onChange follows the pooled connections. A server that is not connected
// counts as healthy: the next call connects it.
func (h *healthState) onChange(c pool.Change) {
	if !c.Key.Pooled() || c.Key.Server == "" {
		return
	}
	status := healthv1.HealthCheckResponse_SERVING
	if c.To == pool.TransientFailure {
		status = healthv1.HealthCheckResponse_NOT_SERVING
	}
	h.server.SetServingStatus("servers/"+c.Key.Server, status)
}

// health asks a running bridge how it is, for containers that have no other
// program to ask with.
func health(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("health", flag.ContinueOnError)
	addr := flags.String("addr", envOr("MCPBRIDGE_GRPC_ADDR", string(config.Default().GRPC.Addr)), "gRPC address of the bridge")
	name := flags.String("service", "", `what to ask about: "servers/{server}" for a server, empty for the bridge`)
	if err := flags.Parse(args); err != nil {
		return err
	}
	conn, err := grpc.NewClient(*addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("health of %s: %w", *addr, err)
	}
	defer conn.Close() //nolint:errcheck // nothing depends on it
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	resp, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{Service: *name})
	if err != nil {
		return fmt.Errorf("health of %s: %w", *addr, err)
	}
	if resp.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		return fmt.Errorf("health of %s: %s", *addr, resp.GetStatus())
	}
	return nil
}

func envOr(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}
