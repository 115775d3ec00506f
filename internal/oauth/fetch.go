package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// The bounds of a request to anything but the MCP server.
const (
	fetchTimeout  = 15 * time.Second
	maxFetchBytes = 1 << 20
	maxRedirects  = 3
)

// errAbsent says that there is no document at a URL.
var errAbsent = errors.New("there is no such document")

// newFetcher returns a client for metadata, registrations and tokens. It follows
// no redirect to another origin, and none at all of a request with a body.
func newFetcher(base http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: base,
		Timeout:   fetchTimeout,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			switch first := via[0]; {
			case len(via) > maxRedirects:
				return errors.New("too many redirects")
			case first.Method != http.MethodGet, !sameOrigin(first.URL, req.URL):
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
}

// fetchJSON reads the JSON document at u into v. [errAbsent]: there is none, which
// sites that answer everything with a page say by that page.
func fetchJSON(ctx context.Context, client *http.Client, u *url.URL, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fmt.Errorf("get metadata: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("get metadata: %w", withoutURL(err))
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode/100 == 4 && resp.StatusCode != http.StatusRequestTimeout && resp.StatusCode != http.StatusTooManyRequests:
		return errAbsent
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("get metadata from %s: HTTP status %d", u.Host, resp.StatusCode)
	}
	body, err := readBounded(resp.Body)
	if err != nil {
		return fmt.Errorf("get metadata from %s: %w", u.Host, err)
	}
	if json.Unmarshal(body, v) != nil {
		return errAbsent
	}
	return nil
}

func readBounded(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxFetchBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the reply: %w", err)
	}
	if len(body) > maxFetchBytes {
		return nil, fmt.Errorf("the reply is longer than %d bytes", maxFetchBytes)
	}
	return body, nil
}

// withoutURL takes the URL, whose query may hold a secret, off an error of
// net/http's.
func withoutURL(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}

// checkEndpoint parses a URL that a peer named: "All authorization server
// endpoints MUST be served over HTTPS", but for loopback, where nobody listens in.
func checkEndpoint(raw string) (*url.URL, error) {
	u, err := transport.CheckURL(raw)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "https" && !isLoopback(u.Hostname()) {
		return nil, fmt.Errorf("%s is not reached by https", u.Host)
	}
	return u, nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// sameOrigin compares scheme, host and port as RFC 6454 does.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}

func portOf(u *url.URL) string {
	switch port := u.Port(); {
	case port != "":
		return port
	case u.Scheme == "http":
		return "80"
	default:
		return "443"
	}
}
