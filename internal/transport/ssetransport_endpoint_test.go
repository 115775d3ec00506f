package transport

import (
	"net/http"
	"strings"
	"testing"
)

func TestSSEEndpointURL(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ base, text, want string }{
		"absolute path":       {text: "/messages?sessionId=1", want: "https://example.com/messages?sessionId=1"},
		"relative path":       {text: "messages/1", want: "https://example.com/v1/messages/1"},
		"query":               {text: "?sessionid=1", want: "https://example.com/v1/sse?sessionid=1"},
		"absolute URL":        {text: "https://example.com/m", want: "https://example.com/m"},
		"explicit port":       {text: "https://example.com:443/m", want: "https://example.com:443/m"},
		"capitals":            {text: "HTTPS://Example.COM/m", want: "https://Example.COM/m"},
		"white space":         {text: " /m \n", want: "https://example.com/m"},
		"own port":            {base: "http://127.0.0.1:3000/sse", text: "http://127.0.0.1:3000/m", want: "http://127.0.0.1:3000/m"},
		"IPv6":                {base: "http://[::1]/sse", text: "http://[0::1]:80/m", want: "http://[::1]:80/m"},
		"other host":          {text: "https://evil.example.com/m"},
		"other port":          {text: "https://example.com:8443/m"},
		"downgrade":           {text: "http://example.com/m"},
		"port of a downgrade": {text: "http://example.com:443/m"},
		"host without scheme": {text: "//evil.example.com/m"},
		"host and backslash":  {text: `\\evil.example.com/m`, want: `https://example.com/v1/%5C%5Cevil.example.com/m`},
		"user info":           {text: "https://example.com@evil.example.com/m"},
		"own user info":       {text: "https://user@example.com/m"},
		"fragment":            {text: "/m#x"},
		"other scheme":        {text: "file:///etc/passwd"},
		"opaque":              {text: "https:example.com"},
		"line break":          {text: "/m\r\nX-Evil: 1"},
		"not a URL":           {text: "http://[::1"},
		"another loopback":    {base: "http://127.0.0.1/sse", text: "http://127.1/m"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := tt.base
			if base == "" {
				base = "https://example.com/v1/sse"
			}
			u, err := CheckURL(base)
			if err != nil {
				t.Fatal(err)
			}
			got, err := endpointURL(u, tt.text)
			switch {
			case tt.want == "" && err == nil:
				t.Errorf("accepted %v", got)
			case tt.want != "" && (err != nil || got.String() != tt.want):
				t.Errorf("got %v, %v; want %s", got, err, tt.want)
			}
		})
	}
}

// The headers go to the server's own origin, and to the first endpoint there.
func TestSSEHeadersStay(t *testing.T) {
	t.Parallel()
	elsewhere := serveHTTP(t, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s reached another origin: %v", r.Method, r.Header)
	})
	tests := map[string]struct {
		head string
		fail bool
	}{
		"foreign endpoint":          {head: "event: endpoint\ndata: " + elsewhere + "/m\n\n", fail: true},
		"foreign endpoint, later":   {head: "event: endpoint\ndata: /first\n\nevent: endpoint\ndata: " + elsewhere + "/m\n\n"},
		"another of its own, later": {head: "event: endpoint\ndata: /first\n\nevent: endpoint\ndata: /second\n\n"},
		"redirected POST":           {head: "event: endpoint\ndata: /redirect\n\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &sseServer{head: tt.head, onPost: func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
				if r.Header.Get("Authorization") != "Bearer secret" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Accept") != "" {
					t.Errorf("POST with %v", r.Header)
				}
				if r.URL.Path == "/redirect" {
					http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
					return true
				}
				if r.URL.Path != "/first" {
					t.Errorf("POST to %s", r.URL.Path)
				}
				return false
			}}
			d := newTestSSE(t, SSEConfig{URL: s.start(t), Header: secretHeader()})
			tr, err := d.Dial(short(t), ignore)
			if tt.fail {
				wantError(t, err, KindProtocol, NotSent)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer closeTransport(t, tr)
			resp, err := tr.RoundTrip(short(t), &Request{ID: 1, Method: "echo", Params: []byte(`1`)})
			if strings.Contains(tt.head, "redirect") {
				wantError(t, err, KindRedirect, Answered)
			} else if err != nil || string(resp.Result) != "1" {
				t.Errorf("got %+v, %v", resp, err)
			}
		})
	}
}

// Whatever a server says, its endpoint is at the origin of its stream.
func FuzzSSEEndpointURL(f *testing.F) {
	for _, text := range []string{"/m?s=1", "m", "?s=1", "//evil", `/\evil`, "http://example.com:80/m", "http:evil", "http://example.com@evil/", "\t/m", "http://[::1]/", "#", "%2f%2fevil", "http://example.com."} {
		f.Add(text)
	}
	base, err := CheckURL("http://example.com/sse")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := endpointURL(base, text)
		if err != nil {
			return
		}
		// What net/http makes of it, which is where the headers go.
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, u.String(), nil)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if host := strings.TrimSuffix(strings.ToLower(req.URL.Host), ":80"); req.URL.Scheme != "http" || host != "example.com" || req.URL.User != nil {
			t.Errorf("%q leads to %v", text, req.URL)
		}
	})
}
