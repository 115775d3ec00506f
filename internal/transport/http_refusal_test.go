package transport

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const rpcBody = `{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":%q}}`

type refusalCase struct {
	status  int
	header  http.Header
	body    string
	session bool // a session id was sent

	rpc      int64 // the code, if a JSON-RPC error is the answer
	kind     Kind  // if not
	delivery Delivery
}

func refusalCases() map[string]refusalCase {
	retry := http.Header{"Retry-After": {"7"}}
	return map[string]refusalCase{
		"400 text":                     {status: 400, body: "bad", kind: KindStatus, delivery: Answered},
		"400 JSON-RPC":                 {status: 400, body: fmt.Sprintf(rpcBody, "7", -32602, "no"), rpc: -32602},
		"400 JSON-RPC, null id":        {status: 400, body: fmt.Sprintf(rpcBody, "null", -32022, "version"), rpc: -32022},
		"400 JSON-RPC, other id":       {status: 400, body: fmt.Sprintf(rpcBody, `"server-error"`, -32600, "no"), rpc: -32600},
		"400 JSON that is not RPC":     {status: 400, body: `{"error":"invalid_request"}`, kind: KindStatus, delivery: Answered},
		"400 like RPC":                 {status: 400, body: `{"error":{"code":404,"message":"x"}}`, kind: KindStatus, delivery: Answered},
		"400 RPC without a code":       {status: 400, body: `{"jsonrpc":"2.0","error":{"message":"x"}}`, kind: KindStatus, delivery: Answered},
		"401":                          {status: 401, header: http.Header{"Www-Authenticate": {`Bearer a="b"`, `Basic`}}, body: fmt.Sprintf(rpcBody, "7", -32001, "no"), kind: KindStatus, delivery: Answered},
		"403":                          {status: 403, kind: KindStatus, delivery: Answered},
		"404":                          {status: 404, kind: KindStatus, delivery: Answered},
		"404 unknown method":           {status: 404, body: fmt.Sprintf(rpcBody, "7", -32601, "no"), rpc: -32601},
		"405":                          {status: 405, kind: KindStatus, delivery: Answered},
		"429":                          {status: 429, header: retry, kind: KindStatus, delivery: Answered},
		"429 JSON-RPC":                 {status: 429, header: retry, body: fmt.Sprintf(rpcBody, "7", -32000, "slow down"), kind: KindStatus, delivery: Answered},
		"500":                          {status: 500, kind: KindStatus, delivery: Unknown},
		"500 JSON-RPC":                 {status: 500, body: fmt.Sprintf(rpcBody, "7", -32603, "no"), rpc: -32603},
		"502":                          {status: 502, body: "<html>", kind: KindStatus, delivery: Unknown},
		"503":                          {status: 503, header: retry, kind: KindStatus, delivery: Unknown},
		"300":                          {status: 300, kind: KindRedirect, delivery: Answered},
		"304":                          {status: 304, kind: KindRedirect, delivery: Answered},
		"404 with session":             {session: true, status: 404, body: "no such session", kind: KindSessionLost, delivery: NotSent},
		"404 with session, RPC":        {session: true, status: 404, body: fmt.Sprintf(rpcBody, "null", -32001, "Session not found"), kind: KindSessionLost, delivery: NotSent},
		"404 with session, its id":     {session: true, status: 404, body: fmt.Sprintf(rpcBody, "7", -32001, "x"), kind: KindSessionLost, delivery: NotSent},
		"404 with session, method":     {session: true, status: 404, body: fmt.Sprintf(rpcBody, "7", -32601, "no"), rpc: -32601},
		"400 about the session":        {session: true, status: 400, body: fmt.Sprintf(rpcBody, "null", -32000, "Bad Request: No valid Session ID provided"), kind: KindSessionLost, delivery: NotSent},
		"400 about it, no id":          {session: true, status: 400, body: `{"jsonrpc":"2.0","error":{"code":-32000,"message":"session expired"}}`, kind: KindSessionLost, delivery: NotSent},
		"400 about it, text":           {session: true, status: 400, body: "invalid session", kind: KindSessionLost, delivery: NotSent},
		"400 about it, none was sent":  {status: 400, body: fmt.Sprintf(rpcBody, "null", -32000, "session required"), rpc: -32000},
		"400 about it, with an id":     {session: true, status: 400, body: fmt.Sprintf(rpcBody, "7", -32000, "session"), rpc: -32000},
		"400 about other things":       {session: true, status: 400, body: fmt.Sprintf(rpcBody, "null", -32000, "bad version"), rpc: -32000},
		"400 about it, but the params": {session: true, status: 400, body: fmt.Sprintf(rpcBody, "null", -32602, "unknown session in params"), rpc: -32602},
		"401 about the session":        {session: true, status: 401, body: "session", kind: KindStatus, delivery: Answered},
		"500 about the session":        {session: true, status: 500, body: "session", kind: KindStatus, delivery: Unknown},
	}
}

func TestHTTPRefusals(t *testing.T) {
	t.Parallel()
	for name, tt := range refusalCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var deleted atomic.Bool
			url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodDelete {
					deleted.Store(true)
					return
				}
				if id := callID(t, r.Body); id == 1000 {
					w.Header().Set("Mcp-Session-Id", "s1")
					w.Header().Set("Content-Type", "application/json")
					fmt.Fprintf(w, `{"id":%d,"result":{}}`, id)
					return
				}
				maps.Copy(w.Header(), tt.header)
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			tr := dialHTTP(t, HTTPConfig{URL: url}, ignore)
			if tt.session {
				openSession(t, tr)
			}
			resp, err := tr.RoundTrip(short(t), &Request{ID: 7, Method: "m", Envelope: legacy()})
			checkRefusal(t, tt, resp, err)
			checkLoss(t, tr, tt, err)
			if err := tr.Close(short(t)); err != nil {
				t.Error(err)
			}
			if want := tt.session && tt.kind != KindSessionLost; deleted.Load() != want {
				t.Errorf("deleted: %v, want %v", deleted.Load(), want)
			}
		})
	}
}

func checkRefusal(t *testing.T, tt refusalCase, resp *Response, err error) {
	t.Helper()
	if tt.rpc != 0 {
		if err != nil || resp.Error == nil || resp.Error.Code != tt.rpc || resp.Status != tt.status {
			t.Errorf("got %+v, %v", resp, err)
		}
		return
	}
	wantError(t, err, tt.kind, tt.delivery)
	e := asError(t, err)
	if e.Status != tt.status || e.Detail != tt.body || !slices.Equal(e.Challenge, tt.header["Www-Authenticate"]) {
		t.Errorf("got status %d, detail %q, challenge %q", e.Status, e.Detail, e.Challenge)
	}
	if asked := tt.header["Retry-After"] != nil; (e.RetryAfter == 7*time.Second) != asked {
		t.Errorf("retry after %v", e.RetryAfter)
	}
}

// checkLoss checks that the transport has ended if, and only if, its session is
// lost, and that it then refuses to carry anything.
func checkLoss(t *testing.T, tr *httpTransport, tt refusalCase, err error) {
	t.Helper()
	lost := tt.rpc == 0 && tt.kind == KindSessionLost
	select {
	case <-tr.Done():
		if !lost {
			t.Error("the transport has ended")
		}
	default:
		if lost {
			t.Error("the transport has not ended")
		}
	}
	if !lost {
		if err := tr.Err(); err != nil {
			t.Error(err)
		}
		return
	}
	if !errors.Is(tr.Err(), err) {
		t.Errorf("Err is %v, want %v", tr.Err(), err)
	}
	_, err = tr.RoundTrip(t.Context(), &Request{ID: 8, Method: "m"})
	wantError(t, err, KindSessionLost, NotSent)
	wantError(t, tr.Send(t.Context(), &Message{Body: []byte(`{}`)}), KindSessionLost, NotSent)
}

func TestHTTPSendRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range refusalCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
				maps.Copy(w.Header(), tt.header)
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			tr := dialHTTP(t, HTTPConfig{URL: url}, ignore)
			if tt.session {
				session := "s1"
				tr.session.Store(&session)
			}
			err := tr.Send(short(t), &Message{Body: []byte(`{"method":"n"}`), Method: "n", Envelope: legacy()})
			if tt.rpc != 0 {
				tt.kind, tt.delivery = KindStatus, Answered
			}
			wantError(t, err, tt.kind, tt.delivery)
		})
	}
}

func TestHTTPSendAccepted(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]func(w http.ResponseWriter){
		"202":                 func(w http.ResponseWriter) { w.WriteHeader(http.StatusAccepted) },
		"204":                 func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) },
		"200 with text":       func(w http.ResponseWriter) { _, _ = io.WriteString(w, "Accepted") },
		"200 with long text":  func(w http.ResponseWriter) { _, _ = io.WriteString(w, strings.Repeat("Accepted ", 1<<16)) },
		"200 with open reply": func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				reply(w)
				if strings.HasSuffix(name, "open reply") {
					<-r.Context().Done()
				}
			})
			tr := dialHTTP(t, HTTPConfig{URL: url}, ignore)
			if err := tr.Send(short(t), &Message{Body: []byte(`{"method":"n"}`), Method: "n"}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, " 5 ": 5 * time.Second, "0": time.Second, "300": 300 * time.Second, "301": 300 * time.Second,
		"99999999999999999999": 300 * time.Second, "-5": 0, "1.5": 0, "soon": 0,
		"Sun, 22 Nov 2026 08:00:30 GMT": 30 * time.Second, "Sun, 22 Nov 2026 07:00:00 GMT": time.Second, "Mon, 23 Nov 2026 08:00:00 GMT": 300 * time.Second,
		"Sunday, 22-Nov-26 08:00:30 GMT": 30 * time.Second, "Sun Nov 22 08:00:30 2026": 30 * time.Second,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", value, got, want)
		}
	}
}

// TestHTTPRedirectsAreNotFollowed offers every kind of redirect to a server that
// must not be asked, whether by another host, another port or no TLS.
func TestHTTPRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var seen sync.Map
	other := serveHTTP(t, func(_ http.ResponseWriter, r *http.Request) { seen.Store(r.Header.Get("Authorization"), true) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, target := range []string{other, strings.Replace(other, "127.0.0.1", "localhost", 1), "/elsewhere", ""} {
			var asked atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				w.Header().Set("Location", target)
				w.Header().Set("Refresh", "0; url="+target)
				w.Header().Set("Alt-Svc", `h2="`+strings.TrimPrefix(other, "http://")+`"`)
				w.WriteHeader(status)
			}))
			tr := dialHTTP(t, HTTPConfig{URL: srv.URL, Header: http.Header{"Authorization": {"Bearer hunter2"}}}, ignore)
			for id := range int64(2) {
				_, err := tr.RoundTrip(short(t), &Request{ID: id + 1, Method: "m"})
				wantError(t, err, KindRedirect, Answered)
				if e := asError(t, err); strings.Contains(e.Detail, other) || target == other && !strings.Contains(e.Err.Error(), other) {
					t.Errorf("%d to %q: detail %q, cause %v", status, target, e.Detail, e.Err)
				}
			}
			if n := asked.Load(); n != 2 {
				t.Errorf("%d to %q: %d requests, want 2", status, target, n)
			}
			srv.Close()
		}
	}
	seen.Range(func(k, _ any) bool { t.Errorf("the other server got %q", k); return true })
}
