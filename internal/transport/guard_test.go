package transport

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
)

// specialAddresses are addresses that lead into private or special networks,
// half of which Go's own predicates take for ordinary ones.
func specialAddresses() map[string]reach {
	return map[string]reach{
		"127.0.0.1":               reachPrivate,
		"10.0.0.1":                reachPrivate,
		"172.31.255.255":          reachPrivate,
		"192.168.1.1":             reachPrivate,
		"169.254.169.254":         reachNone,
		"0.0.0.0":                 reachNone,
		"0.1.2.3":                 reachNone,
		"100.64.0.1":              reachNone,
		"100.100.100.200":         reachNone,
		"192.0.0.192":             reachNone,
		"192.0.2.1":               reachNone,
		"198.18.0.1":              reachNone,
		"203.0.113.7":             reachNone,
		"224.0.0.1":               reachNone,
		"240.0.0.1":               reachNone,
		"255.255.255.255":         reachNone,
		"168.63.129.16":           reachNone,
		"::1":                     reachPrivate,
		"::":                      reachNone,
		"fd00::1":                 reachPrivate,
		"fd00:ec2::254":           reachNone,
		"fe80::1":                 reachNone,
		"fec0::1":                 reachNone,
		"::ffff:169.254.169.254":  reachNone,
		"::ffff:10.0.0.1":         reachPrivate,
		"::169.254.169.254":       reachNone,
		"::ffff:0:10.0.0.1":       reachNone,
		"64:ff9b::a9fe:a9fe":      reachNone,
		"64:ff9b::10.0.0.1":       reachPrivate,
		"64:ff9b:1::a9fe:a9fe":    reachNone,
		"64:ff9b:1::8.8.8.8":      reachNone,
		"2002:a9fe:a9fe::1":       reachNone,
		"2002:7f00:1::":           reachPrivate,
		"2001:0:a9fe:a9fe::1":     reachNone,
		"2001:0:808:808::5601:56": reachNone,
		"2a00::5efe:169.254.1.1":  reachNone,
		"2a00::200:5efe:10.1.1.1": reachPrivate,
		"2001:db8::1":             reachNone,
		"3fff::1":                 reachNone,
		"5f00::1":                 reachNone,
		"100::1":                  reachNone,
		"ff02::1":                 reachNone,
		"fd20:ce::254":            reachNone,
	}
}

// publicAddresses lie just outside of special ranges, or belong to well-known
// public services.
func publicAddresses() []string {
	return []string{
		"1.1.1.1", "8.8.8.8", "9.9.9.9", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1",
		"168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0",
		"192.0.3.0", "192.31.195.255", "192.52.194.0", "192.88.98.255", "192.167.255.255", "192.169.0.0", "192.175.47.255", "193.0.0.1",
		"198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255",
		"2000::1", "2001:200::1", "2001:4860:4860::8888", "2001:db7:ffff::1", "2001:db9::1", "2003::1", "2400:cb00::1", "2606:4700:4700::1111",
		"2620:4f:7fff::1", "2620:fe::fe", "2a00:1450:4001::200e", "2a01:4f8::1", "3ffe:ffff::1", "3fff:1000::1", "2a00::5eff:10.0.0.1",
		"2a00::5efe:8.8.8.8", "2002:808:808::1", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8",
	}
}

func TestReachOf(t *testing.T) {
	t.Parallel()
	if n := len(specialAddresses()); n < 28 {
		t.Errorf("%d special addresses", n)
	}
	for s, want := range specialAddresses() {
		if got := reachOf(netip.MustParseAddr(s)); got != want {
			t.Errorf("%s: reach %d, want %d", s, got, want)
		}
	}
	if n := len(publicAddresses()); n < 50 {
		t.Errorf("%d public addresses", n)
	}
	for _, s := range publicAddresses() {
		if got := reachOf(netip.MustParseAddr(s)); got != reachPublic {
			t.Errorf("%s: reach %d, want public", s, got)
		}
	}
}

func TestGuardControl(t *testing.T) {
	t.Parallel()
	ten := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("169.254.7.0/24")}
	tests := map[string]struct {
		guard            *Guard
		network, address string
		ok               bool
	}{
		"no guard":              {nil, "tcp4", "169.254.169.254:80", true},
		"public":                {&Guard{}, "tcp4", "1.1.1.1:443", true},
		"private":               {&Guard{}, "tcp4", "10.1.2.3:443", false},
		"private, allowed":      {&Guard{AllowPrivate: true}, "tcp4", "10.1.2.3:443", true},
		"loopback, allowed":     {&Guard{AllowPrivate: true}, "tcp6", "[::1]:443", true},
		"metadata stays":        {&Guard{AllowPrivate: true}, "tcp4", "169.254.169.254:80", false},
		"embedded stays":        {&Guard{AllowPrivate: true}, "tcp6", "[64:ff9b::a9fe:a9fe]:80", false},
		"listed":                {&Guard{Allow: ten}, "tcp4", "10.1.2.3:443", true},
		"listed, mapped":        {&Guard{Allow: ten}, "tcp6", "[::ffff:10.1.2.3]:443", true},
		"listed link-local":     {&Guard{Allow: ten}, "tcp4", "169.254.7.1:443", true},
		"not listed":            {&Guard{Allow: ten}, "tcp4", "10.2.2.3:443", false},
		"port":                  {&Guard{Ports: []uint16{443}}, "tcp4", "1.1.1.1:443", true},
		"other port":            {&Guard{Ports: []uint16{443}}, "tcp4", "1.1.1.1:22", false},
		"zone":                  {&Guard{AllowPrivate: true}, "tcp6", "[fe80::1%eth0]:80", false},
		"other network":         {&Guard{AllowPrivate: true}, "unix", "/run/docker.sock", false},
		"address that is none":  {&Guard{AllowPrivate: true}, "tcp4", "localhost:80", false},
		"other network, no one": {nil, "unix", "/run/x.sock", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tt.guard.Control(t.Context(), tt.network, tt.address, nil)
			if (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrForbidden) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestGuardRefusesToDial dials names and spellings that end at a server on this
// host, which must not see a connection.
func TestGuardRefusesToDial(t *testing.T) {
	t.Parallel()
	var conns atomic.Int64
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())

	pool := newPool(t, &Guard{}, nil)
	for _, host := range []string{"127.0.0.1", "localhost", "LOCALHOST.", "[::ffff:127.0.0.1]", "[::1]", "127.8.8.8"} {
		tr := dialHTTP(t, HTTPConfig{URL: "http://" + host + ":" + port, Client: pool}, ignore)
		_, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "ping"})
		wantError(t, err, KindForbidden, NotSent)
	}
	if n := conns.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}

	allowed := dialHTTP(t, HTTPConfig{URL: srv.URL, Client: newPool(t, &Guard{AllowPrivate: true}, nil)}, ignore)
	_, err := allowed.RoundTrip(short(t), &Request{ID: 1, Method: "ping"})
	wantError(t, err, KindStatus, Answered)
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections, want the one that is allowed", n)
	}
}

// TestGuardJudgesEachAddress has a name resolve to another address each time,
// as an attacker's name server would.
func TestGuardJudgesEachAddress(t *testing.T) {
	t.Parallel()
	var turn atomic.Int64
	addrs := []string{"127.0.0.1:1", "169.254.169.254:1", "[::1]:1", "[64:ff9b::7f00:1]:1"}
	pool := newPool(t, nil, nil)
	pool.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		d := net.Dialer{ControlContext: (&Guard{}).Control}
		return d.DialContext(ctx, "tcp", addrs[turn.Add(1)%int64(len(addrs))])
	}
	tr := dialHTTP(t, HTTPConfig{URL: "http://rebind.example", Client: pool}, ignore)
	for range 100 {
		_, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "ping"})
		wantError(t, err, KindForbidden, NotSent)
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	good := map[string]string{
		"https://example.com/mcp":             "https://example.com/mcp",
		"HTTP://Example.com":                  "http://Example.com",
		"https://example.com./mcp?key=a%20b":  "https://example.com/mcp?key=a%20b",
		"http://127.0.0.1:8080/":              "http://127.0.0.1:8080/",
		"http://[::1]:8080/x":                 "http://[::1]:8080/x",
		"http://[0:0:0:0:0:0:0:1]/x":          "http://[::1]/x",
		"http://my_service:3000/mcp":          "http://my_service:3000/mcp",
		"https://1e100.net":                   "https://1e100.net",
		"https://xn--bcher-kva.example/über":  "https://xn--bcher-kva.example/%C3%BCber",
		"https://a.b.c.d.e.example:65535/%2F": "https://a.b.c.d.e.example:65535/%2F",
	}
	for raw, want := range good {
		if u, err := CheckURL(raw); err != nil || u.String() != want {
			t.Errorf("CheckURL(%q) = %v, %v; want %s", raw, u, err, want)
		}
	}
	for name, raw := range map[string]string{
		"empty":                 "",
		"relative":              "/mcp",
		"no scheme":             "example.com/mcp",
		"other scheme":          "ftp://example.com",
		"file":                  "file:///etc/passwd",
		"opaque":                "http:example.com",
		"no host":               "http:///mcp",
		"only a port":           "http://:80/",
		"user":                  "http://user@example.com",
		"user and password":     "http://user:hunter2@example.com",
		"empty user":            "http://@example.com",
		"fragment":              "http://example.com/#x",
		"empty fragment":        "http://example.com/#",
		"backslash":             `http://example.com\@evil.example/`,
		"space":                 "http://example.com/ x",
		"line feed":             "http://example.com/\nx",
		"NUL":                   "http://example.com\x00.evil.example/",
		"decimal IPv4":          "http://2130706433/",
		"hexadecimal IPv4":      "http://0x7f000001/",
		"hexadecimal octet":     "http://0x7f.0.0.1/",
		"hexadecimal last":      "http://127.0.0.0x1/",
		"octal IPv4":            "http://0177.0.0.1/",
		"short IPv4":            "http://127.1/",
		"long IPv4":             "http://127.0.0.0.1/",
		"IPv4 out of range":     "http://127.0.0.256/",
		"zone":                  "http://[fe80::1%25eth0]/",
		"zone in name":          "http://example.com%25eth0/",
		"escaped name":          "http://%31%32%37.0.0.1/",
		"escaped letters":       "http://exa%6dple.com/",
		"wide digits":           "http://１２７.0.0.1/",
		"wide dot":              "http://127。0。0。1/",
		"letters of others":     "http://bücher.example/",
		"empty label":           "http://a..b/",
		"two trailing dots":     "http://example.com../",
		"only a dot":            "http://./",
		"hyphen first":          "http://-a.example/",
		"long label":            "http://" + strings.Repeat("a", 64) + ".example/",
		"long name":             "http://" + strings.Repeat("a.", 130) + "example/",
		"long URL":              "http://example.com/" + strings.Repeat("a", maxURL),
		"empty port":            "http://example.com:/",
		"port 0":                "http://example.com:0/",
		"port with zero":        "http://example.com:080/",
		"port too large":        "http://example.com:65536/",
		"port that is none":     "http://example.com:http/",
		"name in brackets":      "http://[example.com]/",
		"IPv4 in brackets":      "http://[127.0.0.1]/",
		"IPv6 without brackets": "http://::1/",
	} {
		u, err := CheckURL(raw)
		if err == nil {
			t.Errorf("%s: CheckURL(%q) = %v", name, raw, u)
		} else if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "example") {
			t.Errorf("%s: the error repeats the URL: %v", name, err)
		}
	}
}
