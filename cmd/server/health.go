package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"flag"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	grpchealth "google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/auth"
	"github.com/mcpbridge/mcpbridge/internal/config"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// healthPrefix begins the names of servers in grpc.health.v1; unknownService is
// none of any.
const (
	healthPrefix   = "servers/"
	unknownService = "\x00"
)

// healthState says how the bridge and its servers are: by grpc.health.v1 under
// "" and the service's name for the bridge, and under "servers/{server}" for
// each server; and by /readyz.
type healthState struct {
	server *grpchealth.Server
	up     atomic.Bool
	// access has the rules on who may know of a server.
	access map[string]*auth.Access
}

func newHealthState(servers []*pool.Server, access map[string]*auth.Access) *healthState {
	h := &healthState{server: grpchealth.NewServer(), access: access}
	h.bridge(healthv1.HealthCheckResponse_NOT_SERVING)
	for _, s := range servers {
		h.server.SetServingStatus(healthPrefix+s.Name, healthv1.HealthCheckResponse_SERVING)
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
	h.server.SetServingStatus(healthPrefix+c.Key.Server, status)
}

// A healthService answers callers with what they may know.
type healthService struct {
	*grpchealth.Server

	state *healthState
}

// hidden reports whether the caller may not know of what the name stands for.
func (s healthService) hidden(ctx context.Context, name string) bool {
	server, ok := strings.CutPrefix(name, healthPrefix)
	return ok && !s.state.access[server].Allows(auth.FromContext(ctx))
}

// Check implements grpc.health.v1.
func (s healthService) Check(ctx context.Context, r *healthv1.HealthCheckRequest) (*healthv1.HealthCheckResponse, error) {
	if s.hidden(ctx, r.GetService()) {
		r = &healthv1.HealthCheckRequest{Service: unknownService}
	}
	return s.Server.Check(ctx, r)
}

// Watch implements grpc.health.v1.
func (s healthService) Watch(r *healthv1.HealthCheckRequest, stream healthv1.Health_WatchServer) error {
	if s.hidden(stream.Context(), r.GetService()) {
		r = &healthv1.HealthCheckRequest{Service: unknownService}
	}
	return s.Server.Watch(r, stream)
}

// List implements grpc.health.v1.
func (s healthService) List(ctx context.Context, r *healthv1.HealthListRequest) (*healthv1.HealthListResponse, error) {
	list, err := s.Server.List(ctx, r)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(list.GetStatuses(), func(name string, _ *healthv1.HealthCheckResponse) bool { return s.hidden(ctx, name) })
	return list, nil
}

// health asks a running bridge how it is, for containers that have no other
// program to ask with.
func health(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("health", flag.ContinueOnError)
	certFile := flags.String("cert-file", os.Getenv("MCPBRIDGE_TLS_CERT_FILE"), "the bridge's certificate, if it has TLS (tls.cert_file)")
	addr := flags.String("addr", envOr("MCPBRIDGE_GRPC_ADDR", string(config.Default().GRPC.Addr)), "gRPC address of the bridge")
	name := flags.String("service", "", `what to ask about: "servers/{server}" for a server, empty for the bridge`)
	if err := flags.Parse(args); err != nil {
		return err
	}
	transport, err := healthCredentials(*certFile)
	if err != nil {
		return fmt.Errorf("health of %s: %w", *addr, err)
	}
	conn, err := grpc.NewClient(*addr, grpc.WithTransportCredentials(transport))
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
	fmt.Println(resp.GetStatus()) //nolint:forbidigo // what was asked for
	return nil
}

// healthCredentials are for a bridge with exactly the certificate of the file,
// whatever name that is for: it is asked on the machine that it runs on.
func healthCredentials(certFile string) (credentials.TransportCredentials, error) {
	if certFile == "" {
		return insecure.NewCredentials(), nil
	}
	text, err := os.ReadFile(certFile) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("certificate: there is none in %s", certFile)
	}
	return credentials.NewTLS(&tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection asks for more
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 || !bytes.Equal(s.PeerCertificates[0].Raw, block.Bytes) {
				return fmt.Errorf("the bridge's certificate is not that of %s", certFile)
			}
			return nil
		},
	}), nil
}

func envOr(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}
