package transport

import (
	"bytes"
	"encoding/base64"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestNewHTTPNamesAllFaults(t *testing.T) {
	t.Parallel()
	_, err := NewHTTP(HTTPConfig{URL: "http://u:hunter2@example.com", Header: http.Header{"Bad Name": {"x"}, "Bad-Value": {"hunter3\r\nX: y"}, "X-Twice": {"hunter4"}, "x-twice": {"hunter5"}}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"url:", "client:", `"Bad Name"`, `"Bad-Value"`, `"X-Twice"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "hunter") {
		t.Errorf("%v holds a secret", err)
	}
}

func TestHTTPPeer(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]Peer{
		"http://example.com/mcp":    {"http", "tcp", "http", "example.com", 80, false},
		"https://example.com":       {"http", "tcp", "http", "example.com", 443, false},
		"https://example.com:8443/": {"http", "tcp", "http", "example.com", 8443, false},
		"http://[::1]:3000":         {"http", "tcp", "http", "::1", 3000, false},
	} {
		d, err := NewHTTP(HTTPConfig{URL: url, Client: http.NewFileTransport(nil)})
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Peer(); got != want {
			t.Errorf("%s: got %+v, want %+v", url, got, want)
		}
	}
}

// A recorder keeps the requests that a server got.
type recorder struct {
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
}

func (r *recorder) record(t *testing.T, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		t.Error(err)
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, req)
	r.bodies = append(r.bodies, string(body))
}

func (r *recorder) last() (*http.Request, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests[len(r.requests)-1], r.bodies[len(r.bodies)-1]
}

func TestHTTPHeaders(t *testing.T) {
	t.Parallel()
	var rec recorder
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			return
		}
		rec.record(t, r)
		// A session id that comes with any reply but the handshake's is not ours.
		w.Header().Set("Mcp-Session-Id", "id-"+r.Header.Get("X-Turn"))
		writeResult(t, w, r, `{}`)
	})
	var log bytes.Buffer
	tr := dialHTTP(t, HTTPConfig{
		URL: url,
		Header: http.Header{
			"authorization": {"Bearer hunter2"}, "X-Turn": {"1"}, "Accept": {"*/*"}, "content-type": {"text/plain"}, "Host": {"evil.example"},
			"Content-Length": {"1"}, "MCP-Session-Id": {"forged"}, "Mcp-Protocol-Version": {"forged"}, "Mcp-Param-x": {"forged"},
			"Idempotency-Key": {"k"}, "Expect": {"100-continue"}, "Accept-Encoding": {"gzip"},
		},
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}, ignore)

	type want struct{ version, session, method, name string }
	steps := []struct {
		name string
		req  Request
		want want
	}{
		{"modern probe", Request{Method: "server/discover", Envelope: Envelope{Version: "2026-07-28", Modern: true}}, want{"2026-07-28", "", "server/discover", ""}},
		{"handshake", Request{Method: "initialize", Envelope: Envelope{Handshake: true}}, want{"", "", "", ""}},
		{"first", Request{Method: "ping", Envelope: legacy()}, want{"2025-06-18", "id-1", "", ""}},
		{"again", Request{Method: "ping", Envelope: legacy()}, want{"2025-06-18", "id-1", "", ""}},
		{"no version", Request{Method: "ping"}, want{"", "id-1", "", ""}},
		{"handshake after it", Request{Method: "initialize", Envelope: Envelope{Handshake: true}}, want{"", "", "", ""}},
		{"modern", Request{Method: "tools/call", Params: []byte(`{"name":"a b"}`), Envelope: Envelope{Version: "2026-07-28", Modern: true, Name: "a b"}}, want{"2026-07-28", "", "tools/call", "a b"}},
		{"modern without name", Request{Method: "tools/list", Envelope: Envelope{Version: "2026-07-28", Modern: true}}, want{"2026-07-28", "", "tools/list", ""}},
		{"handshake anew", Request{Method: "initialize", Envelope: Envelope{Handshake: true}}, want{"", "", "", ""}},
		{"modern name", Request{Method: "tools/call", Envelope: Envelope{Version: "2026-07-28", Modern: true, Name: "ü"}}, want{"2026-07-28", "", "tools/call", "=?base64?w7w=?="}},
	}
	for i, step := range steps {
		step.req.ID = int64(i + 1)
		resp, err := tr.RoundTrip(short(t), &step.req)
		if err != nil || string(resp.Result) != "{}" || resp.Status != http.StatusOK {
			t.Fatalf("%s: %+v, %v", step.name, resp, err)
		}
		r, _ := rec.last()
		h := r.Header
		if got := (want{h.Get("MCP-Protocol-Version"), h.Get("Mcp-Session-Id"), h.Get("Mcp-Method"), h.Get("Mcp-Name")}); got != step.want {
			t.Errorf("%s: got %q, want %q", step.name, got, step.want)
		}
		for name, want := range map[string][]string{
			"Accept": {"application/json, text/event-stream"}, "Content-Type": {"application/json"}, "Authorization": {"Bearer hunter2"},
			"Accept-Encoding": nil, "Idempotency-Key": nil, "Mcp-Param-X": nil, "Expect": nil,
		} {
			if !slices.Equal(h[name], want) {
				t.Errorf("%s: %s is %q, want %q", step.name, name, h[name], want)
			}
		}
		if !strings.HasPrefix(r.Host, "127.0.0.1:") {
			t.Errorf("%s: host %q", step.name, r.Host)
		}
	}
	if err := tr.Send(short(t), &Message{Body: []byte(`{"jsonrpc":"2.0","method":"notifications/initialized"}`), Method: "notifications/initialized", Envelope: legacy()}); err != nil {
		t.Error(err)
	}
	if r, body := rec.last(); r.Header.Get("Mcp-Session-Id") != "id-1" || body != `{"jsonrpc":"2.0","method":"notifications/initialized"}` {
		t.Errorf("notification came as %q with %v", body, r.Header)
	}
	if strings.Contains(log.String(), "hunter") || !strings.Contains(log.String(), "Idempotency-Key") {
		t.Errorf("log: %s", &log)
	}
}

// TestHTTPParameters: arguments that go out as headers too, of modern requests.
func TestHTTPParameters(t *testing.T) {
	t.Parallel()
	var rec recorder
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		rec.record(t, r)
		writeResult(t, w, r, `{}`)
	})
	tr := dialHTTP(t, HTTPConfig{URL: url}, ignore)
	tests := map[string]struct {
		env        Envelope
		parameters []Parameter
		want       map[string][]string
		fail       bool
	}{
		"none": {env: modern()},
		"plain": {env: modern(), parameters: []Parameter{{"Region", "eu west"}, {"userID", "42"}}, want: map[string][]string{
			"Mcp-Param-Region": {"eu west"}, "Mcp-Param-Userid": {"42"},
		}},
		"to be encoded": {env: modern(), parameters: []Parameter{{"a", "x\r\nEvil: 1"}, {"b", "\u00fc"}, {"c", " "}}, want: map[string][]string{
			"Mcp-Param-A": {"=?base64?eA0KRXZpbDogMQ==?="}, "Mcp-Param-B": {"=?base64?w7w=?="}, "Mcp-Param-C": {"=?base64?IA==?="},
		}},
		"empty":        {env: modern(), parameters: []Parameter{{"a", ""}}, want: map[string][]string{"Mcp-Param-A": {""}}},
		"legacy":       {env: legacy(), parameters: []Parameter{{"a", "x"}}},
		"invalid name": {env: modern(), parameters: []Parameter{{"a\r\nEvil: 1", "x"}}, fail: true},
		"no name":      {env: modern(), parameters: []Parameter{{"", "x"}}, fail: true},
	}
	for name, tt := range tests {
		tt.env.Parameters = tt.parameters
		_, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "tools/call", Envelope: tt.env, OnSend: func() {
			if tt.fail {
				t.Errorf("%s: sent", name)
			}
		}})
		if tt.fail {
			wantError(t, err, KindProtocol, NotSent)
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r, _ := rec.last()
		got := map[string][]string{}
		for header, values := range r.Header {
			if strings.HasPrefix(header, "Mcp-Param-") || header == "Evil" {
				got[header] = values
			}
		}
		if !maps.EqualFunc(got, tt.want, slices.Equal) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestHTTPBody(t *testing.T) {
	t.Parallel()
	var rec recorder
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		rec.record(t, r)
		writeResult(t, w, r, `{}`)
	})
	tr := dialHTTP(t, HTTPConfig{URL: url}, ignore)
	big := strings.Repeat("x", 1<<20)
	for params, want := range map[string]string{
		"":                       `{"jsonrpc":"2.0","id":7,"method":"m"}`,
		"{ \"a\":\n1.0 }":        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\",\"params\":{ \"a\":\n1.0 }}",
		`{"a":"` + big + `"}`:    `{"jsonrpc":"2.0","id":7,"method":"m","params":{"a":"` + big + `"}}`,
		`{"n":9007199254740993}`: `{"jsonrpc":"2.0","id":7,"method":"m","params":{"n":9007199254740993}}`,
	} {
		req := &Request{ID: 7, Method: "m"}
		if params != "" {
			req.Params = []byte(params)
		}
		if _, err := tr.RoundTrip(short(t), req); err != nil {
			t.Fatal(err)
		}
		if _, got := rec.last(); got != want {
			t.Errorf("got %.200s, want %.200s", got, want)
		}
	}
}

func TestEncodeHeader(t *testing.T) {
	t.Parallel()
	for in, plain := range map[string]bool{
		"get_weather": true, "a b": true, "!~": true, "file:///a%20b?x=1": true, "=?base64?abc": true, "?=": true,
		" a": false, "a ": false, "a\tb": false, "é": false, "a\r\nX: y": false, "\x00": false, "\x7f": false, "=?base64?YQ==?=": false, "=?base64??=": false,
	} {
		got := encodeHeader(in)
		if (got == in) != plain {
			t.Errorf("%q became %q", in, got)
		}
		if !plain {
			text := strings.TrimSuffix(strings.TrimPrefix(got, "=?base64?"), "?=")
			if back, err := base64.StdEncoding.DecodeString(text); err != nil || string(back) != in {
				t.Errorf("%q became %q, which is %q", in, got, back)
			}
		}
	}
}

func TestHTTPRefusesSessionID(t *testing.T) {
	t.Parallel()
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Mcp-Session-Id", "has a space")
		writeResult(t, w, r, `{}`)
	})
	tr := dialHTTP(t, HTTPConfig{URL: url}, ignore)
	_, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "initialize", Envelope: Envelope{Handshake: true}})
	wantError(t, err, KindProtocol, Unknown)
}
