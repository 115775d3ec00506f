package auth

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/time/rate"
)

const (
	// issuerTimeout bounds one request to the issuer.
	issuerTimeout = 10 * time.Second
	// refetchInterval and refetchBurst space the requests to the issuer: any
	// token with an unknown key causes one, and anybody can make up such tokens.
	refetchInterval = 10 * time.Second
	refetchBurst    = 5
	// maxIssuerBytes bounds what the issuer answers.
	maxIssuerBytes = 1 << 20
)

// An issuerError says that the issuer did not answer as it should.
type issuerError struct{ err error }

func (e *issuerError) Error() string { return e.err.Error() }
func (e *issuerError) Unwrap() error { return e.err }

// newIssuerClient returns the client that asks the issuer. It follows no
// redirect: where the keys are is what the issuer itself says.
func newIssuerClient(via http.RoundTripper) *http.Client {
	if via == nil {
		via = &http.Transport{TLSHandshakeTimeout: issuerTimeout, MaxIdleConns: 1, IdleConnTimeout: time.Minute}
	}
	return &http.Client{
		Transport:     &issuerTransport{via: via, pace: rate.NewLimiter(rate.Every(refetchInterval), refetchBurst)},
		Timeout:       issuerTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// An issuerTransport asks the issuer, not too often and not for too much.
type issuerTransport struct {
	via  http.RoundTripper
	pace *rate.Limiter
}

// RoundTrip implements http.RoundTripper.
func (t *issuerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !t.pace.Allow() {
		// To the caller it is a token that nobody has signed.
		return nil, fmt.Errorf("the issuer was asked %d times within %v", refetchBurst, refetchInterval)
	}
	response, err := t.via.RoundTrip(r)
	if err != nil {
		return nil, &issuerError{err}
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close() // nothing of it is wanted
		return nil, &issuerError{fmt.Errorf("%s answered with HTTP status %d", r.URL.Host, response.StatusCode)}
	}
	response.Body = &limitedBody{Reader: io.LimitReader(response.Body, maxIssuerBytes), Closer: response.Body}
	return response, nil
}

// CloseIdleConnections is what http.Client.CloseIdleConnections calls.
func (t *issuerTransport) CloseIdleConnections() {
	if closer, ok := t.via.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

type limitedBody struct {
	io.Reader
	io.Closer
}
