// Package tlsfile is TLS for listeners, with certificates from files that may
// change while connections come in.
package tlsfile

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
)

// Options name the files, in PEM.
type Options struct {
	// CertFile has the certificate, and those of its issuers after it; KeyFile
	// has its key.
	CertFile, KeyFile string
	// ClientCAFile has the certificates of those who vouch for clients. Empty:
	// clients are not asked for certificates.
	ClientCAFile string
	// RequireClientCert: no connection without a client's certificate.
	RequireClientCert bool
}

// A Source is what the files say. It may be used concurrently.
type Source struct {
	opts    Options
	current atomic.Pointer[material]
}

// material is what was loaded from the files.
type material struct {
	certificate tls.Certificate
	clients     *x509.CertPool // nil: clients are not asked
}

// New returns a source that has read nothing; see [Source.Load].
func New(o Options) *Source { return &Source{opts: o} }

// Paths are the files.
func (s *Source) Paths() []string {
	paths := []string{s.opts.CertFile, s.opts.KeyFile}
	if s.opts.ClientCAFile != "" {
		paths = append(paths, s.opts.ClientCAFile)
	}
	return paths
}

// Load reads the files. What they say holds for connections from now on. If it
// fails, what they said before does.
func (s *Source) Load() error {
	certificate, err := tls.LoadX509KeyPair(s.opts.CertFile, s.opts.KeyFile)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", s.opts.CertFile, s.opts.KeyFile, err)
	}
	m := &material{certificate: certificate}
	if s.opts.ClientCAFile != "" {
		pem, err := os.ReadFile(s.opts.ClientCAFile)
		if err != nil {
			return fmt.Errorf("certificates of those who vouch for clients: %w", err)
		}
		m.clients = x509.NewCertPool()
		if !m.clients.AppendCertsFromPEM(pem) {
			return fmt.Errorf("certificates of those who vouch for clients: there are none in %s", s.opts.ClientCAFile)
		}
	}
	s.current.Store(m)
	return nil
}

// Config returns the configuration of a listener for the given protocols (of
// ALPN, the preferred one first). TLS 1.2 is the oldest that is spoken.
func (s *Source) Config(protocols ...string) *tls.Config {
	// A configuration is made once for each load. The keys of session tickets are
	// those of the outer one, so sessions of before a load can be resumed; clients
	// that are not vouched for any more cannot, since crypto/tls verifies their
	// certificates again.
	type made struct {
		of     *material
		config *tls.Config
	}
	var last atomic.Pointer[made]
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: protocols,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			now := s.current.Load()
			if now == nil {
				return nil, errors.New("there is no certificate yet")
			}
			if m := last.Load(); m != nil && m.of == now {
				return m.config, nil
			}
			m := &made{of: now, config: s.config(now, protocols)}
			last.Store(m)
			return m.config, nil
		},
	}
}

func (s *Source) config(m *material, protocols []string) *tls.Config {
	c := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   protocols,
		Certificates: []tls.Certificate{m.certificate},
	}
	if m.clients != nil {
		c.ClientCAs, c.ClientAuth = m.clients, tls.VerifyClientCertIfGiven
		if s.opts.RequireClientCert {
			c.ClientAuth = tls.RequireAndVerifyClientCert
		}
	}
	return c
}
