package transport

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"
	"testing"
)

// An sseServer is a server over HTTP+SSE with one session at a time. The zero
// value is honest.
type sseServer struct {
	// head is what it sends first. Default: an endpoint event.
	head string
	// onPost, if set, sees each POST first and reports whether it has replied to it.
	onPost func(w http.ResponseWriter, r *http.Request, text []byte) bool

	// mu guards the stream.
	mu     sync.Mutex
	stream http.ResponseWriter
	end    chan struct{}
}

// start serves until the test ends and returns the URL of the event stream.
func (s *sseServer) start(t testing.TB) string {
	t.Helper()
	return serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			s.open(w, r)
			return
		}
		s.post(w, r)
	}) + "/sse"
}

func (s *sseServer) open(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	head := s.head
	if head == "" {
		head = "event: endpoint\ndata: /messages?session=1\n\n"
	}
	s.mu.Lock()
	s.stream, s.end = w, make(chan struct{})
	end := s.end
	s.mu.Unlock()
	s.write(head)
	select {
	case <-r.Context().Done():
	case <-end:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stream = nil
}

// write writes text to the stream as it is.
func (s *sseServer) write(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream != nil {
		_, _ = s.stream.Write([]byte(text))
		_ = http.NewResponseController(s.stream).Flush()
	}
}

// hangUp ends the stream.
func (s *sseServer) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.end)
}

func (s *sseServer) post(w http.ResponseWriter, r *http.Request) {
	var text bytes.Buffer
	_, _ = text.ReadFrom(r.Body)
	if s.onPost != nil && s.onPost(w, r, text.Bytes()) {
		return
	}
	if bytes.Contains(text.Bytes(), []byte(`"method":"die"`)) {
		s.hangUp()
		return
	}
	w.WriteHeader(http.StatusAccepted)
	_, _ = w.Write([]byte("Accepted"))
	answer(text.Bytes(), func(line []byte) { s.write(fmt.Sprintf("event: message\ndata: %s\n\n", line)) })
}

// newTestSSE returns a dialer; the connection pool need not be given.
func newTestSSE(t testing.TB, cfg SSEConfig) *SSE {
	t.Helper()
	if cfg.Client == nil {
		cfg.Client = newPool(t, nil, nil)
	}
	d, err := NewSSE(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// dialSSE opens a transport that is closed when the test ends.
func dialSSE(t testing.TB, url string, r Receiver) *sseConn {
	t.Helper()
	return dialFor(t, newTestSSE(t, SSEConfig{URL: url}), r).(*sseConn)
}
