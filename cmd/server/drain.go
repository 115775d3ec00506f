package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// Bounds of the steps of a stop that are no settings.
const (
	// settleTimeout is for callers to be told that their calls were cut off.
	settleTimeout = time.Second
	// flushTimeout is for the last spans and measurements.
	flushTimeout = 3 * time.Second
)

// drain stops the bridge: callers first, servers second, telemetry last. A
// second signal cuts the waiting short, and so does the failure of a listener.
func (b *bridge) drain(stopped, failed context.Context) error {
	ctx, cut := signal.NotifyContext(context.WithoutCancel(stopped), os.Interrupt, syscall.SIGTERM)
	defer cut()
	if failed.Err() != nil {
		cut()
	}
	b.log.Info("draining", "pre_stop", b.cfg.Shutdown.PreStop.String(), "grace", b.cfg.Shutdown.Grace.String())
	b.health.drain()
	pause(ctx, b.cfg.Shutdown.PreStop)

	b.interceptor.Drain()
	b.pool.Drain() // streams that watch would outlast any grace
	grace, cancel := context.WithTimeout(ctx, b.cfg.Shutdown.Grace)
	defer cancel()
	b.service.AwaitAnswers(grace) // which come in like any other call
	finished := b.stopListening()
	select {
	case <-finished:
	case <-grace.Done():
		b.log.Warn("calls are cut off", "grace", b.cfg.Shutdown.Grace.String())
	}
	return b.closeParts(context.WithoutCancel(ctx))
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// stopListening takes no new connection, and closes the channel when the calls
// in flight are done.
func (b *bridge) stopListening() <-chan struct{} {
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		var both sync.WaitGroup
		both.Go(b.grpc.GracefulStop)
		both.Go(func() {
			if err := b.rest.Shutdown(context.Background()); err != nil {
				b.log.Debug("REST listener", "error", err)
			}
		})
		both.Wait()
	}()
	return finished
}

// closeParts closes whatever has been built. Calls that are still in flight
// fail as their servers' sessions close, which tells their callers more than a
// broken connection would; then the listeners are closed for good.
func (b *bridge) closeParts(ctx context.Context) error {
	var errs []error
	if b.service != nil {
		b.service.Close()
	}
	if b.pool != nil {
		bounded, cancel := context.WithTimeout(ctx, b.cfg.Shutdown.Close)
		errs = append(errs, b.pool.Close(bounded))
		cancel()
	}
	if b.rest != nil {
		bounded, cancel := context.WithTimeout(ctx, settleTimeout)
		_ = b.rest.Shutdown(bounded) // what is left is closed next
		cancel()
		errs = append(errs, ignoreClosed(b.rest.Close()))
	}
	if b.grpc != nil {
		b.stopGRPC()
	}
	if b.admin != nil {
		errs = append(errs, ignoreClosed(b.admin.Close()))
	}
	if b.oauth != nil {
		b.oauth.Close()
	}
	if b.upstreams != nil {
		b.upstreams.Close()
	}
	if b.callers != nil {
		b.callers.close()
	}
	if b.telemetry != nil {
		bounded, cancel := context.WithTimeout(ctx, flushTimeout)
		errs = append(errs, b.telemetry.Shutdown(bounded))
		cancel()
	}
	return errors.Join(errs...)
}

// stopGRPC gives handlers a moment to answer before their connections close.
func (b *bridge) stopGRPC() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.grpc.GracefulStop()
	}()
	timer := time.NewTimer(settleTimeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
	b.grpc.Stop()
	<-done
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
