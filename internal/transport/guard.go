package transport

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// ErrForbidden is the cause of every refusal by a [Guard].
var ErrForbidden = errors.New("destination is not allowed")

// A Guard decides which addresses may be dialled. It judges the address that
// the dialler is about to connect to, after name resolution, so that a name
// which resolves differently the next time gains nothing. Each address of a
// name is judged on its own.
//
// A nil Guard allows everything: the right one for servers that the operator
// configured. The zero Guard allows public addresses only: the right one for
// URLs that callers supply. A Guard is not changed once in use; its methods
// may be called concurrently.
type Guard struct {
	// AllowPrivate also allows loopback, the private ranges of RFC 1918 and
	// unique local IPv6 addresses. Link-local, multicast, reserved and cloud
	// metadata addresses stay refused.
	AllowPrivate bool
	// Allow lists networks that are allowed whatever they are.
	Allow []netip.Prefix
	// Ports lists the ports that are allowed. Empty: all.
	Ports []uint16
}

// Control is for [net.Dialer.ControlContext]. Its refusals wrap [ErrForbidden].
func (g *Guard) Control(_ context.Context, network, address string, _ syscall.RawConn) error {
	if g == nil {
		return nil
	}
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("%w: network %s", ErrForbidden, network)
	}
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForbidden, err)
	}
	if len(g.Ports) > 0 && !slices.Contains(g.Ports, target.Port()) {
		return fmt.Errorf("%w: port %d", ErrForbidden, target.Port())
	}
	if !g.allows(target.Addr()) {
		return fmt.Errorf("%w: address %s", ErrForbidden, target.Addr())
	}
	return nil
}

func (g *Guard) allows(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if slices.ContainsFunc(g.Allow, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return true
	}
	switch reachOf(addr) {
	case reachPublic:
		return true
	case reachPrivate:
		return g.AllowPrivate
	default:
		return false
	}
}
