package transport

// HTTPWithFallback dials Streamable HTTP, and knows HTTP+SSE at the same URL as
// another way, for servers of revision 2024-11-05: if the handshake "fails with
// an HTTP 4xx status code", a client should "issue a GET request to the server
// URL, expecting that this will open an SSE stream and return an endpoint event
// as the first event" (spec 2025-06-18, basic/transports#backwards-compatibility).
type HTTPWithFallback struct {
	*HTTP

	sse *SSE
}

var _ Dialer = (*HTTPWithFallback)(nil)

// NewHTTPWithFallback checks cfg as [NewHTTP] does and returns its dialer.
func NewHTTPWithFallback(cfg HTTPConfig) (*HTTPWithFallback, error) {
	h, err := NewHTTP(cfg)
	if err != nil {
		return nil, err
	}
	return &HTTPWithFallback{HTTP: h, sse: newSSE(SSEConfig{URL: cfg.URL, Header: cfg.Header, Client: cfg.Client}, h)}, nil
}

// Fallback returns the other way, to be tried when the server has refused the
// handshake over Streamable HTTP.
func (d *HTTPWithFallback) Fallback() Dialer { return d.sse }
