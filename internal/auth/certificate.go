package auth

import (
	"crypto/x509"
	"time"
)

// methodCertificate begins the ids of principals with client certificates.
const methodCertificate = "mtls:"

// certificatePrincipal returns the principal of a certificate that the handshake
// has verified: its first URI, else its first DNS name, else its first e-mail
// address, else its common name. The kind is part of the id, or a certificate
// could have for a common name what another has for a URI.
func certificatePrincipal(c *x509.Certificate, now time.Time) (*Principal, error) {
	// A connection may outlive the certificate that it was made with.
	if now.After(c.NotAfter) {
		return nil, &Error{Problem: "the client certificate has expired; connect again with another one"}
	}
	switch {
	case len(c.URIs) > 0:
		return &Principal{ID: methodCertificate + "uri:" + c.URIs[0].String()}, nil
	case len(c.DNSNames) > 0:
		return &Principal{ID: methodCertificate + "dns:" + c.DNSNames[0]}, nil
	case len(c.EmailAddresses) > 0:
		return &Principal{ID: methodCertificate + "email:" + c.EmailAddresses[0]}, nil
	case c.Subject.CommonName != "":
		return &Principal{ID: methodCertificate + "cn:" + c.Subject.CommonName}, nil
	}
	return nil, &Error{Problem: "the client certificate names nobody: it has neither a subject alternative name nor a common name"}
}
