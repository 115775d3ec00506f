package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/mcpbridge/mcpbridge/internal/config"
)

// listeners are the three ways in.
type listeners struct{ grpc, rest, admin net.Listener }

func listen(cfg *config.Config) (l listeners, err error) {
	for _, each := range []struct {
		key  string
		addr config.Addr
		to   *net.Listener
	}{{"grpc.addr", cfg.GRPC.Addr, &l.grpc}, {"http.addr", cfg.HTTP.Addr, &l.rest}, {"admin.addr", cfg.Admin.Addr, &l.admin}} {
		network, address := each.addr.Listen()
		if *each.to, err = net.Listen(network, address); err != nil { //nolint:noctx // it does not wait
			l.close()
			return l, fmt.Errorf("%s: %w; choose another address, or stop what uses this one", each.key, err)
		}
	}
	return l, nil
}

// close closes listeners that were never served.
func (l listeners) close() {
	for _, each := range []net.Listener{l.grpc, l.rest, l.admin} {
		if each != nil {
			_ = each.Close() // nothing depends on it
		}
	}
}

// serveHTTP serves until the server is shut down, which is no error.
func serveHTTP(s *http.Server, l net.Listener) error {
	serve := s.Serve
	if s.TLSConfig != nil {
		// The certificate is in the configuration.
		serve = func(l net.Listener) error { return s.ServeTLS(l, "", "") }
	}
	if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("listener %s: %w", l.Addr(), err)
	}
	return nil
}
