package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/grpclog"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/config"
	"github.com/mcpbridge/mcpbridge/internal/gateway"
	"github.com/mcpbridge/mcpbridge/internal/oauth"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/service"
	"github.com/mcpbridge/mcpbridge/internal/telemetry"
)

// A bridge is the whole program: what it is made of, and the listeners that
// lead into it. It is built, run once, and then closed.
type bridge struct {
	cfg *config.Config
	log *slog.Logger

	telemetry   *telemetry.Telemetry
	callers     *callers
	oauth       *oauth.Manager
	upstreams   *upstreams
	pool        *pool.Pool
	service     *service.Service
	interceptor *service.Interceptor
	health      *healthState

	grpc  *grpc.Server
	rest  *http.Server
	admin *http.Server

	listeners listeners
}

// serve runs the bridge until ctx ends or a listener fails.
func serve(ctx context.Context, args []string) error {
	cfg, err := config.Load(args, os.Environ(), os.Stdout)
	if err != nil {
		return err
	}
	log := telemetry.NewLogger(os.Stderr, cfg.Log.Level, logJSON(cfg.Log.Format, os.Stderr))
	// The gRPC libraries log by a global logger, to stderr.
	debug := slog.NewLogLogger(log.Handler(), slog.LevelDebug).Writer()
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(debug, debug, debug))
	limitMemory(log)
	defer tuneCollector(cfg.Sessions.Max)()
	b, err := newBridge(ctx, cfg, log)
	if err != nil {
		return err
	}
	b.announce()
	return b.run(ctx)
}

// newBridge builds a bridge. When a part cannot be built, those before it are
// closed again.
func newBridge(ctx context.Context, cfg *config.Config, log *slog.Logger) (*bridge, error) {
	b := &bridge{cfg: cfg, log: log}
	if err := b.build(ctx); err != nil {
		return nil, errors.Join(err, b.closeParts(context.WithoutCancel(ctx)))
	}
	return b, nil
}

// build builds the parts from the inside out.
func (b *bridge) build(ctx context.Context) (err error) {
	cfg, log := b.cfg, b.log
	if b.telemetry, err = telemetry.Start(ctx, version()); err != nil {
		return err
	}
	if b.callers, err = newCallers(cfg, log); err != nil {
		return err
	}
	redirect := func() string { return callbackURL(cfg, b.listeners.rest) }
	if b.oauth, err = newAuthorizations(cfg, redirect, log); err != nil {
		return err
	}
	if b.upstreams, err = newUpstreams(cfg, b.telemetry, b.oauth, log); err != nil {
		return err
	}
	b.health = newHealthState(b.upstreams.servers, b.callers.access)
	b.pool = pool.New(b.upstreams.servers, poolOptions(cfg, log, b.telemetry, b.health.onChange))
	options := serviceOptions(cfg, log, b.upstreams, b.callers)
	if options.Groups, err = configuredGroups(cfg); err != nil {
		return err
	}
	b.service = service.New(b.pool, options)
	svc := b.service
	b.interceptor = service.NewInterceptor(log)

	// It stands around every RPC, however it comes in.
	rpcs, err := b.telemetry.RPCs(&mcpbridgev1.McpService_ServiceDesc)
	if err != nil {
		return err
	}
	b.grpc = newGRPC(cfg, rpcs, b.interceptor, b.callers, svc, b.health)
	rest, err := gateway.New(gatewayOptions(cfg, log, b.telemetry, rpcs, b.interceptor, b.callers, svc, b.oauth))
	if err != nil {
		return fmt.Errorf("REST gateway: %w", err)
	}
	b.rest = newREST(cfg, log, b.callers, rest)
	b.admin = newAdmin(cfg, log, b.telemetry, b.health)
	b.listeners, err = listen(cfg)
	return err
}

// run serves until ctx ends, and then stops in the order of docs/architecture.md.
func (b *bridge) run(ctx context.Context) error {
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBackground()
	group, failed := errgroup.WithContext(background)
	group.Go(func() error { return b.grpc.Serve(b.listeners.grpc) })
	group.Go(func() error { return serveHTTP(b.rest, b.listeners.rest) })
	group.Go(func() error { return serveHTTP(b.admin, b.listeners.admin) })
	group.Go(func() error { b.pool.Run(background); return nil })
	group.Go(func() error { b.callers.run(background); return nil })
	b.health.ready()

	select {
	case <-ctx.Done():
	case <-failed.Done():
	}
	err := b.drain(ctx, failed)
	stopBackground()
	return errors.Join(group.Wait(), err)
}
