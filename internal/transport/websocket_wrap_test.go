package transport

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// tokenServer is a WebSocket server that wants a token.
func tokenServer(t *testing.T) string {
	t.Helper()
	upgrader := websocket.Upgrader{Subprotocols: []string{"mcp"}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer good" {
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		answerWebSocket(conn)
	}))
	t.Cleanup(srv.Close)
	return "ws" + strings.TrimPrefix(srv.URL, "http")
}

// What goes around the upgrade may try again with a token.
func TestWebSocketWrap(t *testing.T) {
	t.Parallel()
	url := tokenServer(t)
	var statuses []int
	wrap := func(base http.RoundTripper) http.RoundTripper {
		return roundTripFunc(func(r *http.Request) (*http.Response, error) {
			if want := "http" + strings.TrimPrefix(url, "ws"); r.URL.String() != want || r.Method != http.MethodGet {
				t.Errorf("the request is %s %s", r.Method, r.URL)
			}
			resp, err := base.RoundTrip(r)
			if err != nil {
				return nil, err
			}
			statuses = append(statuses, resp.StatusCode)
			r = r.Clone(r.Context())
			r.Header.Set("Authorization", "Bearer good")
			return base.RoundTrip(r)
		})
	}
	c := dialWebSocket(t, WebSocketConfig{URL: url, Wrap: wrap}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	resp, err := c.RoundTrip(ctx, &Request{ID: 1, Method: "echo", Params: []byte("{}")})
	if err != nil || resp.Error != nil || len(statuses) != 1 || statuses[0] != http.StatusUnauthorized {
		t.Errorf("%v, %v after %v", resp, err, statuses)
	}
}

// Without a token, or with an error of the wrapper's own, there is no connection.
func TestWebSocketWrapRefused(t *testing.T) {
	t.Parallel()
	url, own := tokenServer(t), &Error{Kind: KindConsent, Delivery: Answered}
	for name, test := range map[string]struct {
		wrap func(http.RoundTripper) http.RoundTripper
		kind Kind
	}{
		"no wrapper": {nil, KindStatus},
		"no more":    {func(base http.RoundTripper) http.RoundTripper { return base }, KindStatus},
		"an error": {func(http.RoundTripper) http.RoundTripper {
			return roundTripFunc(func(*http.Request) (*http.Response, error) { return nil, own })
		}, KindConsent},
		"no transport": {func(http.RoundTripper) http.RoundTripper {
			return roundTripFunc(func(*http.Request) (*http.Response, error) { return nil, errors.New("no") })
		}, KindUnreachable},
	} {
		_, err := newWebSocket(t, WebSocketConfig{URL: url, Wrap: test.wrap}).Dial(t.Context(), nil)
		if e, ok := errors.AsType[*Error](err); !ok || e.Kind != test.kind || e.Kind == KindStatus && e.Status != http.StatusUnauthorized {
			t.Errorf("%s: %v, want %v", name, err, test.kind)
		}
	}
}

func TestCheckHeader(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"X-Own": true, "Authorization": true, "Cookie": true, "Host": false, "mcp-session-id": false, "Mcp-Anything": false,
		"Content-Length": false, "Sec-Websocket-Key": false, "Idempotency-Key": false, "a b": false,
	} {
		if err := CheckHeader(map[string][]string{name: {"v"}}); (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := CheckHeader(map[string][]string{"X": {"secret\n"}}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}
