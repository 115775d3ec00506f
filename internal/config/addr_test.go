package config

import (
	"strings"
	"testing"
)

func TestAddrListen(t *testing.T) {
	t.Parallel()
	for addr, want := range map[Addr][2]string{
		"127.0.0.1:9090":           {"tcp", "127.0.0.1:9090"},
		":9090":                    {"tcp", ":9090"},
		"unix:/run/mcpbridge.sock": {"unix", "/run/mcpbridge.sock"},
	} {
		if network, address := addr.Listen(); network != want[0] || address != want[1] {
			t.Errorf("%q.Listen() = %q, %q, want %q", addr, network, address, want)
		}
	}
}

func TestAddrLocal(t *testing.T) {
	t.Parallel()
	for addr, want := range map[Addr]bool{
		"127.0.0.1:1":          true,
		"127.8.9.10:1":         true,
		"localhost:1":          true,
		"[::1]:1":              true,
		"[::ffff:127.0.0.1]:1": true,
		"unix:/run/x.sock":     true,
		":1":                   false,
		"0.0.0.0:1":            false,
		"[::]:1":               false,
		"192.168.1.1:1":        false,
		"localhost.evil:1":     false,
		"bridge.internal:1":    false,
		"9090":                 false,
		"":                     false,
	} {
		if got := addr.Local(); got != want {
			t.Errorf("%q.Local() = %t, want %t", addr, got, want)
		}
	}
}

func TestAddrRule(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		addr Addr
		unix bool
		want string // part of the message, "" for none
	}{
		"host and port":    {"127.0.0.1:9090", true, ""},
		"any host":         {":9090", true, ""},
		"any port":         {"127.0.0.1:0", true, ""},
		"IPv6":             {"[::1]:9090", true, ""},
		"socket":           {"unix:/run/x.sock", true, ""},
		"port alone":       {"9090", true, `"9090" has no host:port; write "127.0.0.1:9090"`},
		"empty":            {"", true, `"" has no host:port`},
		"IPv6 without []":  {"::1:9090", true, "has no host:port"},
		"named port":       {"127.0.0.1:http", true, "is not a number from 0 to 65535"},
		"port too large":   {"127.0.0.1:65536", true, "is not a number from 0 to 65535"},
		"no port":          {"127.0.0.1:", true, "is not a number from 0 to 65535"},
		"user":             {"u@h:1", true, "neither a name nor an IP address"},
		"relative socket":  {"unix:x.sock", true, "has no absolute path"},
		"socket elsewhere": {"unix:/run/x.sock", false, "only grpc.addr can be"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := addrRule(defaultGRPCAddr, test.unix)(test.addr)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("error = %v, want none", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error = %v, want %q", err, test.want)
			}
		})
	}
}
