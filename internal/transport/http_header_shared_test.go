package transport

import (
	"net/http"
	"runtime"
	"testing"
)

// Requests that are alike share their headers; a session at rest has none, and
// knows its version all the same.
func TestSharedHeaders(t *testing.T) {
	t.Parallel()
	d, err := NewHTTP(HTTPConfig{URL: "http://127.0.0.1:1", Client: http.DefaultTransport})
	if err != nil {
		t.Fatal(err)
	}
	var s sharedHeaders
	if v := s.version(); v != "" {
		t.Errorf("version %q of no headers", v)
	}
	one, two := "s1", "s2"
	same := false
	for range 10 { // there may be a collection in between
		s.get(d, "v1", &one)["X-Mark"] = nil
		if _, same = s.get(d, "v1", &one)["X-Mark"]; same {
			break
		}
	}
	if !same {
		t.Error("the same request got headers of its own")
	}
	for name, other := range map[string]http.Header{"version": s.get(d, "v2", &one), "session": s.get(d, "v2", &two), "none": s.get(d, "v2", nil)} {
		if _, same := other["X-Mark"]; same {
			t.Errorf("another %s got the same headers", name)
		}
	}
	if got := s.get(d, "v2", nil); got.Get(headerVersion) != "v2" || got.Get(headerSession) != "" {
		t.Errorf("headers %v", got)
	}
	runtime.GC()
	if s.last.Load().header.Value() != nil {
		t.Error("the headers outlive a collection")
	}
	if got := s.get(d, s.version(), &two); s.version() != "v2" || got.Get(headerSession) != "s2" || got.Get(headerVersion) != "v2" {
		t.Errorf("version %q, headers %v", s.version(), got)
	}
}
