package transport

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"
)

// A reply is what a script has a server say, an event stream unless it says more.
type reply struct {
	err    error // no reply at all
	status int   // 200 if zero
	header http.Header
	body   string
	broken error // what the body ends with; io.EOF if nil
	open   bool  // the body does not end
}

// A script is a server with a session, without a network: the first reply is to
// the first POST after the handshake, the others are to GETs, the last of them
// to all that come.
type script struct {
	noSession bool
	bytewise  bool // every byte comes by itself
	replies   []reply

	mu   sync.Mutex // guards what follows
	gets []getRequest
	last time.Time // when the last reply was given
}

// A getRequest is one that the server got, so long after its last reply.
type getRequest struct {
	after  time.Duration
	header http.Header
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.last = time.Now() }()
	r := s.replies[0]
	switch req.Method {
	case http.MethodDelete:
		r = reply{}
	case http.MethodGet:
		s.gets = append(s.gets, getRequest{time.Since(s.last), req.Header})
		r = s.replies[min(len(s.gets), len(s.replies)-1)]
	default:
		httptrace.ContextClientTrace(req.Context()).WroteHeaders()
		if body, _ := io.ReadAll(req.Body); strings.Contains(string(body), `"initialize"`) {
			r = reply{header: http.Header{"Mcp-Session-Id": {"s1"}}, body: "data: {\"id\":1000,\"result\":{}}\n\n"}
			if s.noSession {
				r.header = nil
			}
		}
	}
	resp, err := r.response(req)
	if err == nil && s.bytewise {
		resp.Body = io.NopCloser(iotest.OneByteReader(resp.Body))
	}
	return resp, err
}

func (r reply) response(req *http.Request) (*http.Response, error) {
	if r.err != nil {
		return nil, r.err
	}
	resp := &http.Response{StatusCode: max(r.status, 200), Header: http.Header{"Content-Type": {"text/event-stream"}}}
	maps.Copy(resp.Header, r.header)
	body := io.Reader(strings.NewReader(r.body))
	if r.broken != nil {
		body = io.MultiReader(body, iotest.ErrReader(r.broken))
	}
	if r.open {
		body = io.MultiReader(body, untilDone{req.Context()})
	}
	resp.Body = io.NopCloser(body)
	return resp, nil
}

// An untilDone is a body that ends with the request.
type untilDone struct {
	ctx context.Context
}

func (u untilDone) Read([]byte) (int, error) {
	<-u.ctx.Done()
	return 0, context.Cause(u.ctx)
}

// seen returns the GETs so far.
func (s *script) seen() []getRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clip(s.gets)
}

// dial opens a session with s.
func (s *script) dial(t *testing.T, r Receiver, limits Limits) *httpTransport {
	t.Helper()
	tr := dialHTTP(t, HTTPConfig{URL: "http://127.0.0.1:1", Client: s, Limits: limits}, r)
	openSession(t, tr)
	return tr
}

// primed is an event with an id and without a message; asked is one that asks
// for a reconnection time too, in milliseconds.
func primed(id string) reply { return reply{body: "id: " + id + "\ndata: \n\n"} }
func asked(id string, retry int) reply {
	return reply{body: "id: " + id + "\nretry: " + strconv.Itoa(retry) + "\n\n"}
}
func says(body string) reply { return reply{body: body} }
func status(code int) reply {
	return reply{status: code, header: http.Header{"Content-Type": {"text/plain"}}, body: "no"}
}
