package config

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

const unixPrefix = "unix:"

// Addr is where a listener listens: "host:port", or "unix:/path" for a Unix
// socket. The zero value is no address and is not valid.
type Addr string

// Listen splits a into the two arguments of net.Listen.
func (a Addr) Listen() (network, address string) {
	if path, ok := strings.CutPrefix(string(a), unixPrefix); ok {
		return "unix", path
	}
	return "tcp", string(a)
}

// Local reports whether only this machine can reach a: a Unix socket, a
// loopback address, or the name localhost. Other names are not resolved and
// count as reachable.
func (a Addr) Local() bool {
	network, address := a.Listen()
	if network == "unix" {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// ephemeral reports whether a asks for any free port.
func (a Addr) ephemeral() bool { return strings.HasSuffix(string(a), ":0") }

// addrRule returns the check for a listener whose usual address is usual.
func addrRule(usual Addr, unix bool) func(Addr) error {
	return func(a Addr) error {
		network, address := a.Listen()
		if network == "unix" {
			return checkSocket(a, address, usual, unix)
		}
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return fmt.Errorf("%q has no host:port; write %q", a, usual)
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return fmt.Errorf("the port of %q is not a number from 0 to 65535; write %q", a, usual)
		}
		if strings.ContainsAny(host, "/@ \t") {
			return fmt.Errorf("the host of %q is neither a name nor an IP address; write %q", a, usual)
		}
		return nil
	}
}

func checkSocket(a Addr, path string, usual Addr, unix bool) error {
	switch {
	case !unix:
		return fmt.Errorf("%q is a Unix socket, which only grpc.addr can be; write %q", a, usual)
	case !strings.HasPrefix(path, "/"):
		return fmt.Errorf("%q has no absolute path; write \"unix:/run/mcpbridge.sock\"", a)
	}
	return nil
}
