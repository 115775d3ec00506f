package hostile

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// httpMode is the part of a mode that only an HTTP server can have.
type httpMode struct {
	// post may answer a POST itself. If it returns false, the answer is honest
	// or that of the mode's handle.
	post func(h *handlerHTTP, w http.ResponseWriter, r *http.Request, m message) (answered bool)
	// get answers a GET; without it there is no stream to get.
	get func(h *handlerHTTP, w http.ResponseWriter, r *http.Request)
}

// Server is a hostile server over Streamable HTTP. Its methods may be called
// concurrently.
type Server struct {
	URL string

	handler   *handlerHTTP
	elsewhere *recorder
}

// Request is an HTTP request as a server received it.
type Request struct {
	Method string
	Path   string
	Header http.Header
	Body   string
}

// HTTP runs a hostile server until the test ends.
func HTTP(t testing.TB, options Options) *Server {
	t.Helper()
	s, err := newServer(options)
	if err != nil {
		t.Fatal(err)
	}
	if !s.mode.HTTP {
		t.Fatalf("mode %q does not exist over HTTP", s.mode.Name)
	}
	elsewhere := &recorder{}
	other := httptest.NewServer(elsewhere)
	handler := &handlerHTTP{
		server:    s,
		elsewhere: other.URL,
		sessions:  make(map[string]int),
		quit:      make(chan struct{}),
	}
	main := httptest.NewServer(handler)
	t.Cleanup(func() {
		close(handler.quit)
		main.CloseClientConnections()
		main.Close()
		handler.active.Wait()
		other.Close()
		if err := s.close(); err != nil {
			t.Errorf("close the journal: %v", err)
		}
	})
	return &Server{URL: main.URL + "/mcp", handler: handler, elsewhere: elsewhere}
}

// Requests returns what the server received, in order.
func (s *Server) Requests() []Request { return s.handler.recorder.all() }

// Elsewhere returns what was received at the other origin that the mode
// "redirect" points to. A client that keeps its secrets leaves it empty.
func (s *Server) Elsewhere() []Request { return s.elsewhere.all() }

// handlerHTTP is the Streamable HTTP end of a server.
type handlerHTTP struct {
	server    *server
	elsewhere string // URL of another origin
	recorder  recorder

	active sync.WaitGroup // the requests being handled, hijacked ones included
	quit   chan struct{}  // closed when the test ends

	mu       sync.Mutex     // guards sessions
	sessions map[string]int // calls so far, by session id
}

func (h *handlerHTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.active.Add(1)
	defer h.active.Done()
	body, err := h.recorder.record(r)
	if err != nil {
		return // the client is gone
	}
	switch {
	case r.Method == http.MethodPost:
		h.post(w, r, body)
	case r.Method == http.MethodGet && h.server.mode.get != nil:
		h.server.mode.get(h, w, r)
	case r.Method == http.MethodDelete && h.forget(r.Header.Get(sessionHeader)):
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

const sessionHeader = "Mcp-Session-Id"

func (h *handlerHTTP) post(w http.ResponseWriter, r *http.Request, body []byte) {
	m, err := parse(body)
	if err != nil {
		writeJSON(w, http.StatusBadRequest, response("null", errorMember(-32700, "Parse error")))
		return
	}
	m.session = r.Header.Get(sessionHeader)
	if post := h.server.mode.post; post != nil && post(h, w, r, m) {
		return
	}
	if !h.admit(w, m) {
		return
	}
	if !m.isRequest() {
		h.server.serve(r.Context(), m, discard{})
		w.WriteHeader(http.StatusAccepted)
		return
	}
	h.server.serve(r.Context(), m, &eventOutlet{w: w, modern: m.isModern(), bytewise: h.server.mode.bytewise})
}

// admit checks the session of a legacy message, having opened one for an
// initialize, and answers for itself what it turns away.
func (h *handlerHTTP) admit(w http.ResponseWriter, m message) bool {
	if m.isModern() && h.server.era != Legacy {
		return true
	}
	if m.Method == "initialize" {
		if h.server.era != Modern {
			w.Header().Set(sessionHeader, h.open())
		}
		return true
	}
	if m.session == "" {
		writeJSON(w, http.StatusBadRequest, response("null", errorMember(-32000, "Bad Request: no session")))
		return false
	}
	if !h.knows(m.session) {
		writeJSON(w, http.StatusNotFound, response("null", errorMember(-32001, "Session not found")))
		return false
	}
	return true
}

func (h *handlerHTTP) open() (session string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	session = rand.Text()
	h.sessions[session] = 0
	return session
}

func (h *handlerHTTP) knows(session string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, known := h.sessions[session]
	return known
}

func (h *handlerHTTP) forget(session string) (known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, known = h.sessions[session]
	delete(h.sessions, session)
	return known
}

// countCall returns how many calls the session has made, this one included; 0 if
// there is no such session.
func (h *handlerHTTP) countCall(session string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.sessions[session]; !known {
		return 0
	}
	h.sessions[session]++
	return h.sessions[session]
}

func writeJSON(w http.ResponseWriter, status int, message []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(message)
}

// recorder keeps the requests it sees. As a handler it answers them with 200.
type recorder struct {
	mu       sync.Mutex // guards requests
	requests []Request
}

func (c *recorder) ServeHTTP(_ http.ResponseWriter, r *http.Request) { _, _ = c.record(r) }

func (c *recorder) record(r *http.Request) (body []byte, err error) {
	body, err = io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read a request: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, Request{
		Method: r.Method, Path: r.URL.Path, Header: r.Header.Clone(), Body: string(bytes.TrimSpace(body)),
	})
	return body, nil
}

func (c *recorder) all() []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Request(nil), c.requests...)
}
