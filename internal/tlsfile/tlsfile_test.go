package tlsfile

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mcpbridge/mcpbridge/test/certs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newSource returns a source and what replaces its server's certificate.
func newSource(t *testing.T, a *certs.Authority, o Options) (*Source, func(serial int64)) {
	t.Helper()
	dir := t.TempDir()
	o.CertFile, o.KeyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	replace := func(serial int64) {
		t.Helper()
		certificate, key := a.Issue(t, certs.Leaf{Serial: serial})
		write(t, o.CertFile, certificate)
		write(t, o.KeyFile, key)
	}
	replace(1)
	return New(o), replace
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// serve answers each connection with "ok" until the test ends.
func serve(t *testing.T, config *tls.Config) (address string) {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { _ = listener.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				_, _ = conn.Write([]byte("ok")) // the client sees what became of the handshake
			})
		}
	})
	return listener.Addr().String()
}

// call connects and reads the answer.
func call(address string, config *tls.Config) (tls.ConnectionState, error) {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	conn, err := tls.DialWithDialer(dialer, "tcp", address, config)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	var answer [2]byte
	_, err = io.ReadFull(conn, answer[:])
	return conn.ConnectionState(), err
}

// TestReloadUnderLoad replaces the certificate again and again while
// connections come in: none fails, and the last one is in use in the end.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	ca := certs.New(t)
	source, replace := newSource(t, ca, Options{})
	if err := source.Load(); err != nil {
		t.Fatal(err)
	}
	address := serve(t, source.Config("h2"))
	client := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", NextProtos: []string{"h2"}}
	var done atomic.Bool
	var calls atomic.Int64
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for !done.Load() {
				state, err := call(address, client)
				if err != nil || state.NegotiatedProtocol != "h2" {
					t.Errorf("call: %v, protocol %q", err, state.NegotiatedProtocol)
					return
				}
				calls.Add(1)
			}
		})
	}
	const last = 30
	for serial := int64(2); serial <= last; serial++ {
		replace(serial)
		if err := source.Load(); err != nil {
			t.Error(err)
		}
	}
	done.Store(true)
	callers.Wait()
	state, err := call(address, client)
	if err != nil || state.PeerCertificates[0].SerialNumber.Int64() != last {
		t.Errorf("in the end: %v", err)
	}
	t.Logf("%d calls", calls.Load())
}

func TestLoadKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	ca := certs.New(t)
	dir := t.TempDir()
	clients := filepath.Join(dir, "clients.pem")
	write(t, clients, ca.PEM())
	source, replace := newSource(t, ca, Options{ClientCAFile: clients})
	address := serve(t, source.Config())
	client := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"}
	if _, err := call(address, client); err == nil {
		t.Error("there is a certificate before any was loaded")
	}
	if err := source.Load(); err != nil {
		t.Fatal(err)
	}
	other, _ := ca.Issue(t, certs.Leaf{Serial: 7})
	for name, damage := range map[string]func(){
		"the key of another":   func() { write(t, source.opts.CertFile, other) },
		"half a certificate":   func() { write(t, source.opts.CertFile, other[:len(other)/2]) },
		"no key":               func() { _ = os.Remove(source.opts.KeyFile) },
		"no clients' issuers":  func() { write(t, clients, []byte("none")) },
		"no file with issuers": func() { _ = os.Remove(clients) },
	} {
		replace(2)
		write(t, clients, ca.PEM())
		damage()
		if err := source.Load(); err == nil {
			t.Errorf("%s: no error", name)
		}
		state, err := call(address, client)
		if err != nil || state.PeerCertificates[0].SerialNumber.Int64() != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestClientCertificates(t *testing.T) {
	t.Parallel()
	ca, stranger := certs.New(t), certs.New(t)
	clients := filepath.Join(t.TempDir(), "clients.pem")
	write(t, clients, ca.PEM())
	pair := func(a *certs.Authority, expires time.Duration) []tls.Certificate {
		certificate, key := a.Issue(t, certs.Leaf{Expires: expires})
		p, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{p}
	}
	for name, test := range map[string]struct {
		certificates       []tls.Certificate
		optional, required bool // accepted
	}{
		"none":       {nil, true, false},
		"good":       {pair(ca, time.Hour), true, true},
		"expired":    {pair(ca, -time.Minute), false, false},
		"stranger's": {pair(stranger, time.Hour), false, false},
	} {
		for _, required := range []bool{false, true} {
			source, _ := newSource(t, ca, Options{ClientCAFile: clients, RequireClientCert: required})
			if err := source.Load(); err != nil {
				t.Fatal(err)
			}
			want := test.optional && !required || test.required && required
			client := &tls.Config{
				RootCAs: ca.Pool(), ServerName: "localhost",
				// Also one that the server does not ask for.
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					if len(test.certificates) == 0 {
						return new(tls.Certificate), nil
					}
					return &test.certificates[0], nil
				},
			}
			if _, err := call(serve(t, source.Config()), client); (err == nil) != want {
				t.Errorf("%s, required %v: %v", name, required, err)
			}
		}
	}
}

// TestClientIssuerIsWithdrawn: a session of TLS that was begun before is not
// taken up again.
func TestClientIssuerIsWithdrawn(t *testing.T) {
	t.Parallel()
	ca, next := certs.New(t), certs.New(t)
	clients := filepath.Join(t.TempDir(), "clients.pem")
	write(t, clients, ca.PEM())
	source, _ := newSource(t, ca, Options{ClientCAFile: clients, RequireClientCert: true})
	if err := source.Load(); err != nil {
		t.Fatal(err)
	}
	address := serve(t, source.Config())
	certificate, key := ca.Issue(t, certs.Leaf{Serial: 5})
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	client := &tls.Config{
		RootCAs: ca.Pool(), ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(4),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil },
	}
	resumed := false
	for range 2 {
		state, err := call(address, client)
		if err != nil {
			t.Fatal(err)
		}
		resumed = state.DidResume
	}
	if !resumed {
		t.Error("sessions are not taken up again at all")
	}
	write(t, clients, next.PEM())
	if err := source.Load(); err != nil {
		t.Fatal(err)
	}
	if _, err := call(address, client); err == nil {
		t.Error("a client of an issuer that was withdrawn gets in")
	}
}

func TestOldTLS(t *testing.T) {
	t.Parallel()
	ca := certs.New(t)
	source, _ := newSource(t, ca, Options{})
	if err := source.Load(); err != nil {
		t.Fatal(err)
	}
	address := serve(t, source.Config())
	for version, accepted := range map[uint16]bool{
		tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true,
	} {
		client := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", MinVersion: version, MaxVersion: version}
		if _, err := call(address, client); (err == nil) != accepted {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
	for _, suite := range tls.InsecureCipherSuites() {
		client := &tls.Config{
			RootCAs: ca.Pool(), ServerName: "localhost", MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID},
		}
		if _, err := call(address, client); err == nil {
			t.Errorf("%s is accepted", suite.Name)
		}
	}
}

func TestErrorsNameTheFile(t *testing.T) {
	t.Parallel()
	err := New(Options{CertFile: "/nowhere/cert.pem", KeyFile: "/nowhere/key.pem"}).Load()
	if err == nil || !strings.Contains(err.Error(), "/nowhere/cert.pem") || strings.Contains(err.Error(), "BEGIN") {
		t.Errorf("Load() = %v", err)
	}
}
