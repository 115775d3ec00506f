package e2e

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/certs"
)

// A tlsDir has the files of a bridge with TLS.
type tlsDir struct {
	path string
	ca   *certs.Authority
}

func newTLSDir(t *testing.T) *tlsDir {
	t.Helper()
	d := &tlsDir{path: t.TempDir(), ca: certs.New(t)}
	d.replace(t, 1)
	d.write(t, "clients.pem", d.ca.PEM())
	return d
}

// replace gives the bridge a new certificate.
func (d *tlsDir) replace(t *testing.T, serial int64) {
	t.Helper()
	certificate, key := d.ca.Issue(t, certs.Leaf{Serial: serial})
	d.write(t, "cert.pem", certificate)
	d.write(t, "key.pem", key)
}

func (d *tlsDir) write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(d.path, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// config is the section of the configuration.
func (d *tlsDir) config(more string) string {
	return fmt.Sprintf("tls: {cert_file: %[1]s/cert.pem, key_file: %[1]s/key.pem%[2]s}\n", d.path, more)
}

// client is the configuration of a client with those certificates.
func (d *tlsDir) client(certificates ...tls.Certificate) *tls.Config {
	return &tls.Config{RootCAs: d.ca.Pool(), ServerName: "localhost", Certificates: certificates}
}

// overTLS returns clients of the bridge with connections of their own.
func (b *bridge) overTLS(t *testing.T, config *tls.Config, options ...grpc.DialOption) (mcpbridgev1.McpServiceClient, *web) {
	t.Helper()
	conn, err := grpc.NewClient(b.grpcAddr, append(options, grpc.WithTransportCredentials(credentials.NewTLS(config)))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return mcpbridgev1.NewMcpServiceClient(conn), &web{client: &http.Client{Transport: transport}}
}

// TestTLSReloadUnderLoad replaces the certificate while calls go on, over old
// connections and new ones: none fails.
func TestTLSReloadUnderLoad(t *testing.T) {
	t.Parallel()
	dir := newTLSDir(t)
	b := start(t, setup{config: dir.config("")})
	if !strings.HasPrefix(b.restURL, "https://") {
		t.Fatalf("REST is at %s", b.restURL)
	}
	steadyGRPC, steadyREST := b.overTLS(t, dir.client())
	var done atomic.Bool
	var calls atomic.Int64
	var callers sync.WaitGroup
	caller := func(call func() error) {
		callers.Go(func() {
			for !done.Load() {
				if err := call(); err != nil {
					t.Error(err)
					return
				}
				calls.Add(1)
			}
		})
	}
	list := func(client mcpbridgev1.McpServiceClient) error {
		_, err := client.ListTools(bounded(t), &mcpbridgev1.ListToolsRequest{Target: "servers/demo"})
		return err
	}
	get := func(web *web) error {
		r, err := web.send(bounded(t), http.MethodGet, b.restURL+"/v1/servers/demo/tools", "")
		if err == nil && r.status != http.StatusOK {
			err = fmt.Errorf("HTTP status %d: %s", r.status, r.body)
		}
		return err
	}
	caller(func() error { return list(steadyGRPC) })
	caller(func() error { return get(steadyREST) })
	caller(func() error {
		conn, err := grpc.NewClient(b.grpcAddr, grpc.WithTransportCredentials(credentials.NewTLS(dir.client())))
		if err != nil {
			return err
		}
		defer conn.Close()
		return list(mcpbridgev1.NewMcpServiceClient(conn))
	})
	caller(func() error {
		transport := &http.Transport{TLSClientConfig: dir.client()}
		defer transport.CloseIdleConnections()
		return get(&web{client: &http.Client{Transport: transport}})
	})
	for serial := int64(2); serial <= 4; serial++ {
		dir.replace(t, serial)
		eventually(t, settleBound, func() error {
			for _, address := range []string{b.grpcAddr, strings.TrimPrefix(b.restURL, "https://")} {
				config := dir.client()
				config.NextProtos = []string{"h2"}
				conn, err := tls.Dial("tcp", address, config)
				if err != nil {
					return err
				}
				got := conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
				_ = conn.Close()
				if got != serial {
					return fmt.Errorf("%s has certificate %d, want %d", address, got, serial)
				}
			}
			return nil
		})
	}
	done.Store(true)
	callers.Wait()
	t.Logf("%d calls", calls.Load())

	plain := b.client(t)
	if _, err := plain.ListServers(bounded(t), &mcpbridgev1.ListServersRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("without TLS: %v", err)
	}
	code, said := runToEnd(t, setup{env: []string{"MCPBRIDGE_TLS_CERT_FILE=" + dir.path + "/cert.pem"}}, "health", "--addr", b.grpcAddr)
	if code != 0 {
		t.Errorf("health: exit status %d: %s", code, said)
	}
	dir.replace(t, 9)
	other, _ := dir.ca.Issue(t, certs.Leaf{Serial: 10})
	dir.write(t, "other.pem", other)
	if code, _ := runToEnd(t, setup{}, "health", "--cert-file", dir.path+"/other.pem", "--addr", b.grpcAddr); code == 0 {
		t.Error("health trusts another certificate")
	}
}

// TestMutualTLS: a client's certificate says who it is, and a session belongs to
// that.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	dir := newTLSDir(t)
	b := start(t, setup{
		env:    []string{"MCPBRIDGE_AUTH_PRESHARED_TOKENS=ann " + tokenAnn},
		config: dir.config(fmt.Sprintf(", client_ca_file: %s/clients.pem", dir.path)) + "auth: {methods: [mtls, preshared]}\n",
	})
	ann := dir.ca.Pair(t, certs.Leaf{URI: "spiffe://example.com/ann"})
	bob := dir.ca.Pair(t, certs.Leaf{CommonName: "spiffe://example.com/ann"}) // a name, not a URI
	stranger := certs.New(t).Pair(t, certs.Leaf{URI: "spiffe://example.com/ann"})

	client, web := b.overTLS(t, dir.client(ann))
	session := connect(t, client, &mcpbridgev1.ConnectRequest{Peer: &mcpbridgev1.ConnectRequest_Server{Server: "servers/demo"}})
	for name, tt := range map[string]struct {
		config  *tls.Config
		options []grpc.DialOption
		headers []string
		code    codes.Code
		status  int
	}{
		"ann":             {dir.client(ann), nil, nil, codes.OK, 200},
		"bob":             {dir.client(bob), nil, nil, codes.NotFound, 404},
		"ann, by token":   {dir.client(ann), []grpc.DialOption{as(tokenAnn)}, []string{header(tokenAnn)}, codes.NotFound, 404},
		"ann, bad token":  {dir.client(ann), []grpc.DialOption{as(unknown)}, []string{header(unknown)}, codes.Unauthenticated, 401},
		"nobody":          {dir.client(), nil, nil, codes.Unauthenticated, 401},
		"nobody, a token": {dir.client(), []grpc.DialOption{as(tokenAnn)}, []string{header(tokenAnn)}, codes.NotFound, 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, web := b.overTLS(t, tt.config, tt.options...)
			if _, err := client.GetSession(bounded(t), &mcpbridgev1.GetSessionRequest{Name: session}); status.Code(err) != tt.code {
				t.Errorf("gRPC: %v, want %v", err, tt.code)
			}
			if r := web.do(t, "GET", b.restURL+"/v1/"+session, "", tt.headers...); r.status != tt.status {
				t.Errorf("REST: %d, want %d: %s", r.status, tt.status, r.body)
			}
		})
	}
	t.Run("stranger", func(t *testing.T) {
		t.Parallel()
		config := dir.client()
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &stranger, nil }
		client, web := b.overTLS(t, config)
		if _, err := client.ListServers(bounded(t), &mcpbridgev1.ListServersRequest{}); status.Code(err) != codes.Unavailable {
			t.Errorf("gRPC: %v", err)
		}
		if r, err := web.send(bounded(t), "GET", b.restURL+"/v1/servers", ""); err == nil {
			t.Errorf("REST: %d", r.status)
		}
	})
	// Streams over HTTP/2 by REST.
	r := web.do(t, "POST", b.restURL+"/v1/"+session+"/tools/echo:stream", `{"arguments":{"message":"hi"}}`)
	if r.status != http.StatusOK || !strings.Contains(string(r.body), `"hi"`) {
		t.Errorf("stream: %d: %s", r.status, r.body)
	}
}
