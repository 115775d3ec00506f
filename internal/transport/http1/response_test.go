package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// scripted is a server that reads a request and then writes what it is told to,
// on each connection; after that it runs then.
func scripted(t testing.TB, reply string, then func(net.Conn)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				req, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, req.Body)
				_, _ = io.WriteString(c, reply)
				if then != nil {
					then(c)
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return "http://" + l.Addr().String()
}

func TestResponses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		reply  string
		status int
		body   string
		err    error
	}{
		"until the end":        {"HTTP/1.0 200 OK\r\n\r\nhello", 200, "hello", nil},
		"line feeds only":      {"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", 200, "hi", nil},
		"interim responses":    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx", 201, "x", nil},
		"trailers":             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-A: b\r\n\r\n", 200, "hi", nil},
		"same length twice":    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", nil},
		"short":                {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", 200, "", io.ErrUnexpectedEOF},
		"short chunk":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhi", 200, "", io.ErrUnexpectedEOF},
		"lengths differ":       {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi", 0, "", ErrMalformed},
		"negative length":      {"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nhi", 0, "", ErrMalformed},
		"other encoding":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 0, "", ErrMalformed},
		"folded line":          {"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\n\r\n", 0, "", ErrMalformed},
		"space before colon":   {"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi", 0, "", ErrMalformed},
		"not HTTP":             {"SSH-2.0-OpenSSH_9.2\r\n", 0, "", ErrMalformed},
		"HTTP/2 preface":       {"\x00\x00\x12\x04\x00\x00\x00\x00\x00\n", 0, "", ErrMalformed},
		"switching protocols":  {"HTTP/1.1 101 Switching Protocols\r\n\r\n", 0, "", ErrMalformed},
		"interim without end":  {strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 9), 0, "", ErrMalformed},
		"head too long":        {"HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: "+strings.Repeat("b", 1000)+"\r\n", 70) + "\r\n", 0, "", ErrHeaderTooLong},
		"line too long":        {"HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("b", 70_000) + "\r\n\r\n", 0, "", ErrHeaderTooLong},
		"long line":            {"HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("b", 20_000) + "\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", nil},
		"nothing":              {"", 0, "", io.ErrUnexpectedEOF},
		"end within the head":  {"HTTP/1.1 200 OK\r\nContent-Le", 0, "", io.ErrUnexpectedEOF},
		"value with line feed": {"HTTP/1.1 200 OK\r\nX-A: a\x00b\r\n\r\n", 0, "", ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tr Transport
			defer tr.CloseIdleConnections()
			resp, err := tr.RoundTrip(newRequest(t.Context(), t, scripted(t, test.reply, nil), "x"))
			var body []byte
			if err == nil {
				if resp.StatusCode != test.status {
					t.Errorf("status %d, want %d", resp.StatusCode, test.status)
				}
				body, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			} else if test.status != 0 {
				t.Fatal(err)
			}
			if !errors.Is(err, test.err) || err == nil && string(body) != test.body {
				t.Errorf("got %.40q, %v, want %.40q, %v", body, err, test.body, test.err)
			}
		})
	}
}

// FuzzResponse compares with net/http what a response is read as. What net/http
// refuses must be refused; of the rest some may be.
func FuzzResponse(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
		"HTTP/1.0 404 Not Found\r\nX-A: b\r\nX-A: c\r\n\r\nhi",
		"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		req := &http.Request{Method: http.MethodPost}
		c := &conn{t: new(Transport), r: bufio.NewReaderSize(bytes.NewReader(data), bufferBytes), nc: closer{}, ctx: t.Context(), stop: func() bool { return false }}
		ours, err := c.receive(req)
		if err != nil {
			return
		}
		body, err := io.ReadAll(ours.Body)
		theirs, errTheirs := http.ReadResponse(bufio.NewReader(skipInterim(data)), req)
		if errTheirs != nil {
			t.Fatalf("net/http refuses it: %v", errTheirs)
		}
		bodyTheirs, errTheirs := io.ReadAll(theirs.Body)
		if ours.StatusCode != theirs.StatusCode {
			t.Errorf("status %d, net/http has %d", ours.StatusCode, theirs.StatusCode)
		}
		if errTheirs != nil && strings.Contains(errTheirs.Error(), "trailer") {
			errTheirs = err // trailers are skipped, whatever they look like
		}
		if (err == nil) != (errTheirs == nil) || !bytes.Equal(body, bodyTheirs) {
			t.Errorf("body %q, %v, net/http has %q, %v", body, err, bodyTheirs, errTheirs)
		}
		for _, name := range []string{"Content-Type", "Mcp-Session-Id", "X-A"} {
			if a, b := ours.Header[name], theirs.Header[name]; strings.Join(a, "\n") != strings.Join(b, "\n") {
				t.Errorf("%s is %q, net/http has %q", name, a, b)
			}
		}
	})
}

// skipInterim returns the rest of data from the response that counts.
func skipInterim(data []byte) io.Reader {
	for {
		r := bufio.NewReader(bytes.NewReader(data))
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode >= 200 {
			return bytes.NewReader(data)
		}
		data, _ = io.ReadAll(r)
	}
}

type closer struct{ net.Conn }

func (closer) Close() error { return nil }
